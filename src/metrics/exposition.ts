/** Labels of one series, by name. */
export type Labels = Readonly<Record<string, string>>;

/** One sample line of a family. */
export interface Sample {
  /** Behind the family's name: empty, or `_bucket`, `_sum` and `_count` of a histogram. */
  readonly suffix?: '_bucket' | '_sum' | '_count';
  readonly labels: Labels;
  readonly value: number;
}

/** All series of one name. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

/** Media type of {@link writeExposition}. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Writes metrics as text for Prometheus. Families without samples are left out.
 *
 * @source Prometheus documentation, exposition formats, text format 0.0.4
 */
export function writeExposition(families: readonly MetricFamily[]): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    for (const { suffix = '', labels, value } of samples) {
      lines.push(`${name}${suffix}${writeLabels(labels)} ${writeValue(value)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** A family of one series without labels. */
export function single(name: string, type: 'counter' | 'gauge', help: string, value: number): MetricFamily {
  return { name, type, help, samples: [{ labels: {}, value }] };
}

/** A gauge with one label. */
export function gaugeBy(
  label: string,
  family: { readonly name: string; readonly help: string },
  values: Iterable<readonly [string, number]>,
): MetricFamily {
  const samples = Array.from(values, ([value, count]) => ({ labels: { [label]: value }, value: count }));
  return { ...family, type: 'gauge', samples };
}

function writeLabels(labels: Labels): string {
  const written = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return written.length === 0 ? '' : `{${written.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function writeValue(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return String(value);
}
