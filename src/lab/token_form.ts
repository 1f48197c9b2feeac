/** A strategy of a token's, and whether it is chosen. */
export interface StrategyReport {
  readonly job: string;
  /** What the job is called for people. */
  readonly jobTitle: string;
  readonly strategy: string;
  readonly state: 'chosen' | 'available' | 'missing';
  /** Empty where the strategy is no suite. */
  readonly suite: string;
  readonly description: string;
  /** Why it is not chosen; empty where it is. */
  readonly reason: string;
}

/** A region's token: where it is, what it says of itself, and by which strategies it is used. */
export interface TokenReport {
  /** `softhsm2`, `nss`, or the path of a PKCS#11 library. */
  readonly module: string;
  readonly modulePath: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serial: string;
  readonly label: string;
  readonly libraryDescription: string;
  readonly libraryVersion: string;
  readonly cryptokiVersion: string;
  readonly hardwareVersion: string;
  readonly firmwareVersion: string;
  readonly mechanisms: number;
  /** Sessions that it lets open at a time; 0 for as many as one likes, null where it does not say. */
  readonly sessionCountMax: number | null;
  /** When it was probed, milliseconds since the epoch. */
  readonly probedAtMs: number;
  readonly strategies: readonly StrategyReport[];
}
