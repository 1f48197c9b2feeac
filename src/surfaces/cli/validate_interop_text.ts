import type { InteropModule, InteropPair } from '../../validation/interoperability.js';
import type { LeftInToken, PerformedPair } from './live_interop.js';
import { table, type Output } from './output.js';

type Colours = Output['colours'];

/** The matrix, and what was performed between live tokens. */
export interface InteropResult {
  readonly modules: readonly { readonly name: string; readonly identity: InteropModule['profile']['identity'] }[];
  readonly pairs: readonly InteropPair[];
  readonly performed: readonly PerformedPair[];
  readonly left: readonly LeftInToken[];
}

/** The matrix as a person reads it: sources downwards, destinations across; below it how, or what is missing. */
export function interopText({ modules, pairs, performed, left }: InteropResult, colours: Colours): string {
  const names = modules.map(({ name }) => name);
  const cell = (from: string, to: string): string => {
    const pair = pairs.find((each) => each.from === from && each.to === to);
    return pair?.answer === 'yes' ? colours.green(pair.suite ?? '') : colours.red('no');
  };
  return [
    ...modules.map(
      ({ name, identity }) =>
        `${colours.bold(name)}: ${identity.manufacturer} ${identity.model}, library ${identity.libraryVersion}`,
    ),
    '',
    table([
      ['FROM \\ TO', ...names].map((head) => colours.dim(head)),
      ...names.map((from) => [from, ...names.map((to) => cell(from, to))]),
    ]),
    ...pairs.flatMap((pair) => ['', ...pairLines(pair, colours)]),
    ...(performed.length === 0 ? [] : ['', colours.bold('PERFORMED')]),
    ...performed.flatMap((each) => performedLines(each, colours)),
    ...left.map((each) => leftLine(each)),
  ].join('\n');
}

function pairLines(pair: InteropPair, colours: Colours): readonly string[] {
  const { from, to, answer, suite, strategies, dataSuite, otherKeySpecs, missing, reservations } = pair;
  const title = from === to ? `Two tokens of ${from}` : `${from} → ${to}`;
  if (answer === 'no') {
    return [`${title}: ${colours.red('no')}`, ...missing.map((text) => `    ${colours.dim('missing:')} ${text}`)];
  }
  return [
    `${title}: ${colours.green(suite ?? '')}, sent by ${strategies?.source ?? ''}, taken by ${strategies?.destination ?? ''}; ciphertexts ${dataSuite ?? ''}`,
    ...otherKeySpecs.map(({ keySpec, reason }) => `    ${colours.dim('not')} ${keySpec}: ${reason}`),
    ...(reservations.length === 0
      ? []
      : [`    ${colours.dim('not where others share a token:')} ${reservations.join(', ')}`]),
  ];
}

function performedLines(each: PerformedPair, colours: Colours): readonly string[] {
  const title = `${each.from} → ${each.to}, ${each.keySpec}`;
  if (each.outcome === 'failed') return [`${colours.red('✗')} ${title}: ${each.reason}`];
  return [
    `${colours.green('✓')} ${title}: ${each.suite}, ${each.messages} messages, ${each.octets} octets, ${each.replicationMs} ms`,
    ...each.steps.map(
      ({ region, step, mechanism, strategy }) =>
        `    ${region} ${step}: ${mechanism ?? strategy ?? 'a mechanism of its own'}`,
    ),
    `    ${each.proofs.join('; ')}`,
  ];
}

function leftLine({ name, removed, after }: LeftInToken): string {
  return `${name}: ${removed} objects were made and removed; ${after} are there as before`;
}
