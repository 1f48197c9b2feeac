/** The only source of time of a region. */
export interface Clock {
  /** Wall-clock time, milliseconds since the Unix epoch, with the lab's offset. */
  nowMs(): number;
  /** Time that never goes back, milliseconds since an arbitrary start in this process. */
  monotonicMs(): number;
}
