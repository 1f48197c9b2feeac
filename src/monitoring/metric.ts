/** One dimension of a metric. */
export interface Dimension {
  readonly Name: string;
  readonly Value: string;
}

/** What identifies a metric. The order of the dimensions says nothing. */
export interface MetricIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: readonly Dimension[];
}

/** Namespace of the metrics that AWS KMS publishes. */
export const KMS_NAMESPACE = 'AWS/KMS';

/** @source Amazon CloudWatch API Reference, MetricDatum */
export const UNITS = [
  'Seconds',
  'Microseconds',
  'Milliseconds',
  'Bytes',
  'Kilobytes',
  'Megabytes',
  'Gigabytes',
  'Terabytes',
  'Bits',
  'Kilobits',
  'Megabits',
  'Gigabits',
  'Terabits',
  'Percent',
  'Count',
  'Bytes/Second',
  'Kilobytes/Second',
  'Megabytes/Second',
  'Gigabytes/Second',
  'Terabytes/Second',
  'Bits/Second',
  'Kilobits/Second',
  'Megabits/Second',
  'Gigabits/Second',
  'Terabits/Second',
  'Count/Second',
  'None',
] as const;

export type Unit = (typeof UNITS)[number];

/** The dimensions in the order in which metrics keep them: by name. */
export function sortedDimensions(dimensions: readonly Dimension[]): readonly Dimension[] {
  return dimensions.toSorted((one, other) => (one.Name < other.Name ? -1 : one.Name > other.Name ? 1 : 0));
}

/** A text that two metrics share only if they are the same; texts sort by namespace, name and dimensions. */
export function metricKey({ namespace, name, dimensions }: MetricIdentity): string {
  return JSON.stringify([namespace, name, ...sortedDimensions(dimensions).map(({ Name, Value }) => [Name, Value])]);
}

/** The value of a dimension; undefined where the metric lacks it. */
export function dimensionValue(dimensions: readonly Dimension[], name: string): string | undefined {
  return dimensions.find((dimension) => dimension.Name === name)?.Value;
}
