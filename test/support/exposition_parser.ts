/** One series of a scrape. */
export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A scrape: its series, and what it says of their families. */
export interface Scrape {
  readonly samples: readonly ScrapedSample[];
  readonly types: ReadonlyMap<string, string>;
  /** The value of a series; fails where there is not exactly one. */
  value(name: string, labels?: Readonly<Record<string, string>>): number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/s;
const LABEL = /^(?<name>[a-zA-Z_][a-zA-Z0-9_]*)="(?<value>(?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;
const VALUE = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/;

/**
 * Parses a scrape strictly: help and type before the series of a family, each family in one piece, no series twice, histograms with
 * growing buckets that end in `+Inf` and agree with their count.
 *
 * @throws where a rule is broken
 * @source Prometheus documentation, exposition formats, text format 0.0.4
 */
export function parseScrape(text: string): Scrape {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const samples: ScrapedSample[] = [];
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const seen = new Set<string>();
  let family = '';
  for (const line of text.split('\n').slice(0, -1)) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/s.exec(line) ?? [];
    if (keyword !== undefined) {
      if (!NAME.test(name)) throw new Error(`no name: ${line}`);
      if (keyword === 'HELP') {
        if (helps.has(name)) throw new Error(`help twice: ${name}`);
        helps.add(name);
      } else {
        if (types.has(name)) throw new Error(`type twice, or a family in two pieces: ${name}`);
        if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`no type: ${line}`);
        types.set(name, rest);
      }
      family = name;
      continue;
    }
    const sample = parseSample(line);
    const base = types.get(family) === 'histogram' ? sample.name.replace(/_(?:bucket|sum|count)$/, '') : sample.name;
    if (base !== family || !types.has(base)) throw new Error(`outside its family: ${line}`);
    if (types.get(family) === 'counter' && (!family.endsWith('_total') || sample.value < 0))
      throw new Error(`no counter: ${line}`);
    const identity = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted()]);
    if (seen.has(identity)) throw new Error(`twice: ${line}`);
    seen.add(identity);
    samples.push(sample);
  }
  for (const [name, type] of types) if (type === 'histogram') checkHistogram(name, samples);
  return {
    samples,
    types,
    value: (name, labels = {}) => {
      const found = samples.filter(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
      );
      const [only] = found;
      if (only === undefined || found.length > 1) {
        throw new Error(`${found.length} series ${name} ${JSON.stringify(labels)}`);
      }
      return only.value;
    },
  };
}

function parseSample(line: string): ScrapedSample {
  const { name, labels: written = '', value } = SAMPLE.exec(line)?.groups ?? {};
  if (name === undefined || value === undefined || !VALUE.test(value)) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  for (let rest = written; rest !== '';) {
    const found = LABEL.exec(rest);
    const { name: label, value: text } = found?.groups ?? {};
    if (found === null || label === undefined || text === undefined) throw new Error(`no label: ${line}`);
    if (label in labels) throw new Error(`a label twice: ${line}`);
    labels[label] = text.replaceAll(/\\(.)/gs, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
    rest = rest.slice(found[0].length);
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

function checkHistogram(name: string, samples: readonly ScrapedSample[]): void {
  const series = new Map<string, ScrapedSample[]>();
  const others = new Map<string, number>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    if (sample.name !== `${name}_bucket`) others.set(`${sample.name}${key}`, sample.value);
    else if (series.has(key)) series.get(key)?.push(sample);
    else series.set(key, [sample]);
  }
  for (const [key, buckets] of series) {
    const of = (suffix: string): number | undefined => others.get(`${name}${suffix}${key}`);
    const bounds = buckets.map(({ labels: { le = '' } }) => Number(le.replace('+Inf', 'Infinity')));
    const isGrowing = (values: readonly number[]): boolean =>
      values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));
    if (!isGrowing(bounds) || bounds.at(-1) !== Infinity) throw new Error(`bounds of ${name}${key}`);
    if (!isGrowing(buckets.map(({ value }) => value))) throw new Error(`counts of ${name}${key}`);
    if (of('_count') !== buckets.at(-1)?.value || of('_sum') === undefined)
      throw new Error(`sum or count of ${name}${key}`);
  }
}
