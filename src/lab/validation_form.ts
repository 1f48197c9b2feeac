/** A run of `keyferry validate` whose report lies in the lab. */
export interface ValidationSummary {
  /** Name of its folder. */
  readonly name: string;
  readonly startedAt: string;
  readonly isComplete: boolean;
  readonly isQuick: boolean;
  readonly manufacturer: string;
  readonly model: string;
  readonly libraryVersion: string;
  readonly firmwareVersion: string;
  readonly checks: number;
  /** Findings by severity. */
  readonly findings: Readonly<Record<string, number>>;
  /** What the token can carry, and whether; reservations are security findings that matter where others use the token too. */
  readonly verdicts: readonly { readonly flow: string; readonly answer: string; readonly reservations: number }[];
  /** Whether there is a page to look at. */
  readonly hasPage: boolean;
}
