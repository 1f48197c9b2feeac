/** The only source of time of a region. */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch, with the lab's offset. */
  nowMs(): number;
  /** Time that never goes back, milliseconds since an arbitrary start in this process. */
  monotonicMs(): number;
}

/** What a region's clock shows. */
export interface ClockReading {
  /** ISO 8601, UTC, with the offset. */
  readonly now: string;
  /** How far the lab has moved the clock, milliseconds; 0 outside labs. */
  readonly offsetMs: number;
}

/** The time of a region, which a lab may move. */
export interface LabTime {
  read(): ClockReading;
  /**
   * Moves time forward; resolves when what has fallen due is done.
   *
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` outside a lab
   */
  advance(byMs: number): Promise<ClockReading>;
  /**
   * Takes every move back: the machine's time holds again. What happened meanwhile has happened.
   *
   * @throws {@link ConfigError} `ERR_CONFIG_STATE` outside a lab
   */
  reset(): Promise<ClockReading>;
}
