import { basename } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { KEY_SPECS, type KeySpec } from '../../hsm/material.js';
import { LabError } from '../../lab/errors.js';
import { ValidationError } from '../../validation/errors.js';
import { interoperability, type InteropModule } from '../../validation/interoperability.js';
import { readModuleFile } from '../../validation/module_file.js';
import { isReplicationSuite, REPLICATION_SUITES, type ReplicationSuite } from '../../wire/suite.js';
import { act, command, repeated, type CommonOptions } from './command_context.js';
import { LiveTokens } from './live_interop.js';
import { LIVE_TOKEN_FORM, parseLiveToken, type LiveToken } from './live_token.js';
import type { Output } from './output.js';
import { interopText, type InteropResult } from './validate_interop_text.js';

interface InteropOptions extends CommonOptions {
  readonly token?: readonly string[];
  readonly keySpec?: readonly string[];
  readonly floor: ReplicationSuite;
  readonly failOnMissing?: boolean;
}

const LEAST_SUITE: ReplicationSuite = 'CBCDERIVE-A256KWP';
const EXAMPLES = [
  'keyferry validate interop softhsm2-report nss-report',
  'keyferry validate interop our.json theirs.json --floor HKDF384-A256KWP --fail-on-missing',
  'keyferry validate interop --token soft=softhsm2 --token hsm=/opt/hsm/lib/p11.so,label=test,pin-file=hsm.pin',
].join('\n');

/** `keyferry validate interop`: which pairs of modules can replicate, by which suite, or what is missing; with live tokens it is done. */
export function interopCommand(): Command {
  const target = command(
    'interop',
    'show which pairs of modules can replicate keys, in each direction, by which suite, or exactly what is missing',
    EXAMPLES,
  )
    .argument('[profile...]', 'folders of reports, findings.json or module-profile.json')
    .option(
      '--token <token>',
      `a live token, ${LIVE_TOKEN_FORM}; may be repeated. A key is replicated from each to each other in a lab for this alone; ` +
        'what that makes in the tokens is removed',
      repeated,
    )
    .option(
      '--key-spec <spec>',
      'what is replicated between live tokens; may be repeated (default: SYMMETRIC_DEFAULT)',
      repeated,
    )
    .option(
      '--floor <suite>',
      `the least suite that the partition permits, of ${REPLICATION_SUITES.join(', ')}`,
      suiteOption,
      LEAST_SUITE,
    )
    .option('--fail-on-missing', 'exit 1 where a pair cannot replicate');
  return act<InteropOptions>(target, async ({ output, options, args }) => {
    const tokens = (options.token ?? []).map(parseLiveToken);
    const keySpecs = keySpecsOf(options.keySpec ?? ['SYMMETRIC_DEFAULT']);
    const stored = args.map(storedModule);
    assertDifferentNames([...stored.map(({ name }) => name), ...tokens.map(({ name }) => name)]);
    if (stored.length + tokens.length === 0) {
      throw refuse('nothing to compare', 'give reports of keyferry validate, or two --token');
    }
    const found =
      tokens.length === 0
        ? withoutTokens(stored, options.floor)
        : await withTokens(tokens, { output, stored, options, keySpecs });
    output.result(found, (colours) => interopText(found, colours));
    failWhereAsked(found, options);
  });
}

function withoutTokens(stored: readonly InteropModule[], floor: ReplicationSuite): InteropResult {
  return { modules: namesOf(stored), pairs: interoperability(stored, { floor }), performed: [], left: [] };
}

async function withTokens(
  tokens: readonly LiveToken[],
  run: {
    readonly output: Output;
    readonly stored: readonly InteropModule[];
    readonly options: InteropOptions;
    readonly keySpecs: readonly KeySpec[];
  },
): Promise<InteropResult> {
  const { output, stored, options, keySpecs } = run;
  const controller = new AbortController();
  const onSignal = (): void =>
    controller.abort(new LabError('ERR_LAB_INTERRUPTED', 'told to stop; what was made is removed'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  const live = new LiveTokens(tokens);
  let cleaned = false;
  try {
    const profiles = await live.profiles(output.step);
    const modules = [...stored, ...[...profiles].map(([name, profile]) => ({ name, profile, report: null }))];
    const pairs = interoperability(modules, { floor: options.floor });
    const { signal } = controller;
    signal.throwIfAborted();
    const performed = await live.perform(pairs, { keySpecs, signal, showStep: output.step });
    cleaned = true;
    const left = await output.step('removing what was made', () => live.clean());
    return { modules: namesOf(modules), pairs, performed, left };
  } catch (error) {
    // Whatever failed because the programs of the lab were told to stop too.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    if (!cleaned) await live.clean();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, onSignal);
  }
}

function namesOf(modules: readonly InteropModule[]): InteropResult['modules'] {
  return modules.map(({ name, profile: { identity } }) => ({ name, identity }));
}

function failWhereAsked({ pairs, performed }: InteropResult, { failOnMissing }: InteropOptions): void {
  const failed = performed.filter(({ outcome }) => outcome === 'failed');
  const missing = failOnMissing === true ? pairs.filter(({ answer }) => answer === 'no') : [];
  const text = [...failed, ...missing].map(({ from, to }) => `${from} to ${to}`);
  if (text.length === 0) return;
  throw new ValidationError('ERR_VALIDATION_FINDINGS', `no replication from ${[...new Set(text)].join('; from ')}`);
}

function storedModule(path: string): InteropModule {
  const { profile, report } = readModuleFile(path);
  const name = basename(path.replace(/\/+$/u, '')).replace(/\.json$/u, '');
  if (profile !== null) return { name, profile, report };
  throw new ValidationError('ERR_VALIDATION_REPORT', `${path} holds no profile of this version`, {
    remedy: 'run keyferry validate --report again',
  });
}

function assertDifferentNames(names: readonly string[]): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw refuse(`two modules are named ${twice}`, 'name the folders or files differently');
}

function keySpecsOf(texts: readonly string[]): readonly KeySpec[] {
  return texts.map((text) => {
    const spec = KEY_SPECS.find((each) => each === text.toUpperCase());
    if (spec === undefined) throw refuse(`there is no key spec ${text}`, `the key specs are ${KEY_SPECS.join(', ')}`);
    return spec;
  });
}

function suiteOption(text: string): ReplicationSuite {
  if (isReplicationSuite(text)) return text;
  throw new InvalidArgumentError(`The suites are ${REPLICATION_SUITES.join(', ')}.`);
}

function refuse(message: string, remedy: string): ValidationError {
  return new ValidationError('ERR_VALIDATION_REQUEST', message, { remedy });
}
