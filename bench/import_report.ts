import type { ImportMeasurement } from './import_bench.js';
import type { OperationMeasurement } from './operation_bench.js';
import { spreadOf, type Summary } from './statistics.js';
import { number, percent, textTable, type Column } from './text_table.js';

const left = (heading: string): Column => ({ heading, align: 'left' });
const right = (heading: string): Column => ({ heading, align: 'right' });

function rate(summary: Summary): string {
  // One run has no spread to tell.
  if (summary.count === 1) return number(summary.median);
  return `${number(summary.median)} ±${(spreadOf(summary) * 100).toFixed(0)}%`;
}

/** Downloads of import parameters and imports per second, by the size of the wrapping key. */
export function importTable(measurements: readonly ImportMeasurement[]): string {
  const columns = [
    left('token'),
    left('wrapping key'),
    right('download, ready /s'),
    right('RSA generation'),
    right('download, empty /s'),
    right('RSA generation'),
    right('one pair ms'),
    right('import /s'),
    right('token CPU ms'),
    right('JS CPU ms'),
    right('p50 ms'),
    left('padding'),
  ];
  return textTable(
    columns,
    measurements.map((each) => [
      each.token,
      each.keySpec,
      rate(each.ready.perSecond),
      percent(each.ready.generationShare),
      rate(each.empty.perSecond),
      percent(each.empty.generationShare),
      number(each.generationMs),
      rate(each.importsPerSecond),
      number(each.importTokenMs),
      number(each.importMainMs),
      number(each.importP50Ms),
      each.outsideToken ? 'addon' : 'token',
    ]),
  );
}

/** Operations of backing keys per second: the region's HSM and its token calls alone, beside the C loop. */
export function operationTable(measurements: readonly OperationMeasurement[]): string {
  const columns = [
    left('token'),
    left('operation'),
    right('C /s'),
    right('threads'),
    right('executor /s'),
    right('of C'),
    right('region HSM /s'),
    right('of C'),
    right('C CPU µs'),
    right('executor token CPU µs'),
    right('region token CPU µs'),
    right('region JS CPU µs'),
    right('region p50 ms'),
  ];
  return textTable(
    columns,
    measurements.map((each) => [
      each.token,
      each.operation,
      rate(each.cPerSecond),
      String(each.cThreads),
      rate(each.plainPerSecond),
      each.plainRatio.median.toFixed(2),
      rate(each.regionPerSecond),
      each.ratio.median.toFixed(2),
      number(each.cCpu),
      number(each.plainTokenCpu),
      number(each.regionTokenCpu),
      number(each.regionMainCpu),
      number(each.regionP50 / 1000),
    ]),
  );
}
