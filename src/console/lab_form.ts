/** What every page knows of the lab. */
export interface LabFacts {
  readonly partition: string;
  /** 12 digits. */
  readonly account: string;
  /** URL that AWS clients use. */
  readonly endpoint: string;
  readonly profile: 'full' | 'seed';
  readonly regions: readonly string[];
  /** Whether clocks can be moved, and the proxy made to misbehave. */
  readonly isLab: boolean;
  /** How far each region's clock is moved, milliseconds. */
  readonly clockOffsetMs: Readonly<Record<string, number>>;
}

/** The same for whoever is logged in. */
export interface Lab extends LabFacts {
  readonly principal: { readonly arn: string; readonly isOperator: boolean };
  /** The console's own time, milliseconds since the epoch. */
  readonly nowMs: number;
}
