/** The middle of several measurements and how far they lie apart. */
export interface Summary {
  readonly median: number;
  /** Lower and upper quartile. */
  readonly quartiles: readonly [number, number];
  readonly count: number;
}

/** The value below which the given share of sorted values lies, interpolated. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new RangeError('there is no quantile of nothing');
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}

/** Median and quartiles: one run that was disturbed changes neither much. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    count: sorted.length,
  };
}

/** Half the distance of the quartiles as a share of the median. */
export function spreadOf({ median, quartiles }: Summary): number {
  return median === 0 ? 0 : (quartiles[1] - quartiles[0]) / 2 / median;
}
