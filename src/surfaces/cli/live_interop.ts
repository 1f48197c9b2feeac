import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labAccessKey } from '../../lab/aws_files.js';
import type { KeySpec } from '../../hsm/material.js';
import { LabError } from '../../lab/errors.js';
import { interoperate, type Interoperation } from '../../lab/interoperation.js';
import { KmsClient } from '../../lab/kms_client.js';
import { parseLabFile } from '../../lab/lab_file.js';
import { runLab } from '../../lab/running_lab.js';
import { StateDirectory } from '../../lab/state_directory.js';
import type { TokenProfile } from '../../token/profile.js';
import { ValidationError } from '../../validation/errors.js';
import type { InteropPair } from '../../validation/interoperability.js';
import type { TokenSurvey } from '../../validation/survey_message.js';
import { surveyToken } from '../../validation/token_survey.js';
import { isMade, referenceTo, type LiveToken } from './live_token.js';
import type { Output } from './output.js';

/** What became of one replication that was tried. */
export type PerformedPair =
  | ({ readonly outcome: 'replicated' } & Interoperation)
  | {
      readonly outcome: 'failed';
      readonly from: string;
      readonly to: string;
      readonly keySpec: KeySpec;
      readonly reason: string;
    };

/** What is left in a token of the user's, compared with before. */
export interface LeftInToken {
  readonly name: string;
  /** Objects that were made there for the time of the command, and removed. */
  readonly removed: number;
  readonly before: number;
  readonly after: number;
}

/** Tokens that regions have for the time of one command, in a directory that goes with it. */
export class LiveTokens {
  readonly #tokens: readonly LiveToken[];
  readonly #root = mkdtempSync(join(tmpdir(), 'kf-interop-'));
  readonly #surveys = new Map<string, TokenSurvey>();
  #wasLab = false;

  constructor(tokens: readonly LiveToken[]) {
    this.#tokens = tokens;
  }

  /**
   * What each of them can do.
   *
   * @throws {@link ValidationError} `ERR_VALIDATION_REQUEST` for a token that holds keys of Keyferry already
   */
  async profiles(showStep: Output['step']): Promise<ReadonlyMap<string, TokenProfile>> {
    const profiles = new Map<string, TokenProfile>();
    for (const live of this.#tokens) {
      const directory = join(this.#root, live.name);
      mkdirSync(directory, { mode: 0o700 });
      const reference = referenceTo(live, directory);
      const survey = await showStep(`probing ${live.name}`, () => surveyToken({ reference, action: 'survey' }));
      if (survey.own > 0) {
        throw new ValidationError(
          'ERR_VALIDATION_REQUEST',
          `the token ${live.name} holds ${survey.own} keys of Keyferry: a region or an authority uses it, and what is made there now would be removed with them`,
          { remedy: 'use a token that holds nothing else' },
        );
      }
      this.#surveys.set(live.name, survey);
      if (survey.profile !== null) profiles.set(live.name, survey.profile);
    }
    return profiles;
  }

  /**
   * Runs a lab with one region on each token, and replicates a key from each to each other where that should be possible.
   *
   * @param pairs - what should be possible
   */
  async perform(
    pairs: readonly InteropPair[],
    options: { readonly keySpecs: readonly KeySpec[]; readonly signal: AbortSignal; readonly showStep: Output['step'] },
  ): Promise<readonly PerformedPair[]> {
    const possible = pairs.filter(({ answer, from, to }) => answer === 'yes' && from !== to && this.#has(from, to));
    if (possible.length === 0) return [];
    const taking = this.#tokens.filter(({ name }) => possible.some(({ from, to }) => from === name || to === name));
    const regions = new Map(taking.map(({ name }, at) => [name, `interop-token-${at + 1}`]));
    const names = new Map([...regions].map(([name, region]) => [region, name]));
    const directory = new StateDirectory(join(this.#root, 'lab'));
    const lab = parseLabFile(labText(taking, regions), 'the lab of keyferry validate interop');
    this.#wasLab = true;
    const running = await runLab(directory, lab, options);
    try {
      const client = new KmsClient(running.summary.endpoint, labAccessKey(directory, lab));
      const performed: PerformedPair[] = [];
      for (const { from, to, keySpecs } of possible) {
        for (const keySpec of options.keySpecs.filter((each) => keySpecs.includes(each))) {
          options.signal.throwIfAborted();
          const [source = '', destination = ''] = [regions.get(from), regions.get(to)];
          const exchange = { directory, client, source, destination, keySpec, signal: options.signal };
          const work = (): Promise<PerformedPair> => attempt(exchange, names);
          performed.push(await options.showStep(`replicating a ${keySpec} key from ${from} to ${to}`, work));
        }
      }
      return performed;
    } finally {
      await running.stop();
    }
  }

  /**
   * Removes every object that was made in tokens of the user's, and the directory with all else.
   *
   * @throws {@link ValidationError} `ERR_VALIDATION_FINDINGS` where a token has another number of objects than before
   */
  async clean(): Promise<readonly LeftInToken[]> {
    const left: LeftInToken[] = [];
    try {
      for (const live of this.#tokens) {
        const before = this.#surveys.get(live.name);
        if (before === undefined || isMade(live) || !this.#wasLab) continue;
        const swept = await surveyToken({ reference: referenceTo(live, this.#root), action: 'sweep' });
        left.push({ name: live.name, removed: swept.removed, before: before.objects, after: swept.objects });
      }
    } finally {
      rmSync(this.#root, { recursive: true, force: true });
    }
    const wrong = left.filter(({ before, after }) => before !== after);
    if (wrong.length === 0) return left;
    const text = wrong.map(({ name, before, after }) => `${name} had ${before} objects and has ${after}`).join('; ');
    throw new ValidationError('ERR_VALIDATION_FINDINGS', `not all is as before: ${text}`, {
      remedy: 'look whether something else uses the token; objects of Keyferry have labels that begin with keyferry:',
    });
  }

  #has(...names: readonly string[]): boolean {
    return names.every((name) => this.#tokens.some((each) => each.name === name));
  }
}

/** A replication that fails is a result: the others are still of interest. */
async function attempt(
  exchange: Parameters<typeof interoperate>[0],
  names: ReadonlyMap<string, string>,
): Promise<PerformedPair> {
  const { source, destination, keySpec } = exchange;
  const nameOf = (region: string): string => names.get(region) ?? region;
  const [from, to] = [nameOf(source), nameOf(destination)];
  try {
    const done = await interoperate(exchange);
    const steps = done.steps.map((step) => ({ ...step, region: nameOf(step.region) }));
    const proofs = done.proofs.map((text) => text.replace(source, from).replace(destination, to));
    return { outcome: 'replicated', ...done, from, to, steps, proofs };
  } catch (error) {
    if (!(error instanceof LabError) || error.code === 'ERR_LAB_INTERRUPTED') throw error;
    return { outcome: 'failed', from, to, keySpec, reason: error.message };
  }
}

/** Free ports, so that it runs beside any other lab. Written as YAML so that it goes through the same checks. */
function labText(tokens: readonly LiveToken[], regions: ReadonlyMap<string, string>): string {
  const listen = '127.0.0.1:0';
  const entries = tokens.map(({ name, token }) => [regions.get(name), { listen, token }] as const);
  return JSON.stringify({ endpoint: listen, proxy: { listen }, regions: Object.fromEntries(entries) });
}
