import type { CapabilityChange, ComparedModule, Comparison, FlowChange } from '../../validation/comparison.js';
import { flowWords } from '../../validation/report_words.js';
import { table, type Output } from './output.js';

type Colours = Output['colours'];

/** A comparison as a person reads it: what is worse in red, what is better in green, and nothing of what is the same. */
export function comparisonText(
  compared: {
    readonly before: ComparedModule;
    readonly after: ComparedModule;
    readonly comparison: Comparison;
    /** Ratio of performance within which a difference says nothing. */
    readonly noise: number;
  },
  colours: Colours,
): string {
  const { before, after, comparison, noise } = compared;
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ['IDENTITY', comparison.identity.map(({ member, before: then, after: now }) => `${member}: ${then} → ${now}`)],
    ['FLOWS', comparison.flows.flatMap((flow) => flowLines(flow, colours))],
    ['WHAT IT CAN', comparison.capabilities.map((each) => capabilityLine(each, colours))],
    ['WHAT IT ENFORCES', comparison.enforcement.map((each) => capabilityLine(each, colours))],
    ['FINDINGS', findingLines(comparison, colours)],
    ['MECHANISMS', mechanismLines(comparison, colours)],
    ['PERFORMANCE', performanceLines(comparison, { noise, colours })],
    ['NOTES', comparison.notes],
  ];
  return [
    `${colours.dim('-')} ${nameOf(before)}`,
    `${colours.dim('+')} ${nameOf(after)}`,
    ...sections.flatMap(([title, lines]) => (lines.length === 0 ? [] : ['', colours.bold(title), ...lines])),
  ].join('\n');
}

function nameOf({ name, identity }: ComparedModule): string {
  return `${identity.manufacturer} ${identity.model}, library ${identity.libraryVersion} (${name})`;
}

/** Of a flow that is as it was, one line all the same: the answer is what people look for. */
function flowLines(change: FlowChange, colours: Colours): readonly string[] {
  const { flow, before, after, strategiesGained, strategiesLost } = change;
  const answer =
    before === after ? after : (after === 'yes' ? colours.green : colours.red)(`${before} before, ${after} now`);
  return [
    `${flowWords[flow]}: ${answer}`,
    ...(strategiesLost.length > 0 ? [`    ${colours.red('no longer by')} ${strategiesLost.join(', ')}`] : []),
    ...(strategiesGained.length > 0 ? [`    ${colours.green('now also by')} ${strategiesGained.join(', ')}`] : []),
  ];
}

function capabilityLine({ what, change, before, after }: CapabilityChange, colours: Colours): string {
  const paint = change === 'gained' ? colours.green('+') : colours.red('-');
  return `${paint} ${what}: ${before} → ${after}`;
}

function findingLines({ findings }: Comparison, colours: Colours): readonly string[] {
  const paint = { new: colours.red, gone: colours.green, changed: colours.yellow, 'not-comparable': colours.dim };
  return findings.flatMap(({ id, title, change, severity, details }) => [
    `${paint[change](change.replace('-', ' '))} ${colours.bold(id)} ${title} (${severity})`,
    ...details.map((text) => `    ${text}`),
  ]);
}

function mechanismLines({ mechanisms }: Comparison, colours: Colours): readonly string[] {
  const mark = { gained: colours.green('+'), lost: colours.red('-'), changed: colours.yellow('~') };
  return mechanisms.map(({ mechanism, change, detail }) => `${mark[change]} ${mechanism}: ${detail}`);
}

function performanceLines(
  { performance }: Comparison,
  { noise, colours }: { readonly noise: number; readonly colours: Colours },
): readonly string[] {
  if (performance.length === 0) return [];
  const beyond = performance.filter(({ change }) => change !== 'noise');
  const within = performance.length - beyond.length;
  const rows = beyond.flatMap(({ operation, change, ratio, levels }) =>
    levels.map((level, at) => [
      at === 0 ? operation : '',
      at === 0 ? (change === 'faster' ? colours.green : colours.red)(`× ${ratio.toFixed(2)}`) : '',
      String(level.sessions),
      `${level.perSecondBefore} → ${level.perSecondAfter}`,
      `${level.p50UsBefore} → ${level.p50UsAfter}`,
      `${level.p99UsBefore} → ${level.p99UsAfter}`,
    ]),
  );
  return [
    ...(rows.length === 0
      ? []
      : [table([['OPERATION', 'MEDIAN', 'SESSIONS', 'PER SECOND', 'P50 US', 'P99 US'], ...rows])]),
    `${within} of ${performance.length} operations differ by no more than × ${noise}, which is taken for noise`,
  ];
}
