import { existsSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from '../errors.js';
import type { LabAddresses } from './addresses.js';
import { readAuthority, readRosters } from './authority.js';
import { labAccessKey } from './aws_files.js';
import type { Lab } from './lab_file.js';
import { LabError } from './errors.js';
import { runKeyferry } from './one_shot.js';
import { parseJsonFile, readRegionConfig, type RegionConfig } from './region_config.js';
import { planRegion } from './region_plan.js';
import { writePrivateFile } from './private_files.js';
import type { StateDirectory } from './state_directory.js';

/** Runs a piece of work that may take a while, and shows that it does. */
export type ShowStep = <Result>(label: string, work: () => Promise<Result>) => Promise<Result>;

const identityForm = z.strictObject({ partition: z.string(), account: z.string() });

/**
 * Refuses to run another lab's directory: keys and their ARNs belong to one partition and one account.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE`
 */
export function assertSameLab(directory: StateDirectory, lab: Lab): void {
  const own = { partition: lab.partition, account: lab.account };
  if (!existsSync(directory.labFile)) return writePrivateFile(directory.labFile, `${JSON.stringify(own)}\n`);
  const found = parseJsonFile(directory.labFile, identityForm);
  if (found.partition === own.partition && found.account === own.account) return;
  const text = ({ partition, account }: typeof own): string => `partition ${partition}, account ${account}`;
  throw new ConfigError(
    'ERR_CONFIG_STATE',
    `${directory.root} is of another lab (${text(found)}) than the lab file (${text(own)}); choose another --dir`,
    {
      details: { directory: directory.root },
    },
  );
}

/**
 * Makes whatever a lab is missing: the partition authority, the regions' tokens and keys, their enrolment. Then writes each region's
 * configuration. A second run finds everything and makes nothing.
 */
export async function provisionLab(
  directory: StateDirectory,
  lab: Lab,
  options: { readonly addresses: LabAddresses; readonly showStep: ShowStep; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { showStep, addresses, signal } = options;
  const accessKeys = [labAccessKey(directory, lab), ...lab.credentials];
  if (readAuthority(directory.authority) === undefined) {
    await showStep('making the partition authority', () =>
      runKeyferry(['authority', 'init', '--dir', directory.root, '--partition', lab.partition], { signal }),
    );
  }
  const authority = readAuthority(directory.authority);
  if (authority === undefined)
    throw new ConfigError('ERR_CONFIG_STATE', `${directory.authority} holds no partition authority`);
  const listed =
    readRosters(directory.authority, authority)
      .at(-1)
      ?.regions.map(({ region }) => region) ?? [];
  for (const name of Object.keys(lab.regions)) {
    const config = planRegion(directory, lab, { name, addresses, authorityKid: authority.kid, accessKeys });
    if (listed.includes(name)) assertSameToken(directory, name, config);
    writePrivateFile(directory.regionConfig(name), `${JSON.stringify(config, undefined, 2)}\n`);
  }
  const newcomers = Object.keys(lab.regions).filter((name) => !listed.includes(name));
  if (newcomers.length > 0) await enrol(directory, newcomers, { showStep, signal });
}

/**
 * Refuses another token for a region that is enrolled: its keys are in the one that it had.
 *
 * @throws {@link ConfigError} `ERR_CONFIG_STATE`
 */
function assertSameToken(directory: StateDirectory, name: string, planned: RegionConfig): void {
  const file = directory.regionConfig(name);
  if (!existsSync(file)) return;
  const { token } = readRegionConfig(file);
  const same = (['module', 'label', 'slot'] as const).every((member) => token[member] === planned.token[member]);
  if (same) return;
  throw new ConfigError(
    'ERR_CONFIG_STATE',
    `The keys of ${name} are in its token of ${token.module}; a lab with another token for it needs another --dir`,
    { details: { region: name, module: token.module } },
  );
}

const challengesForm = z.record(z.string(), z.string());
const provisionedForm = z.looseObject({ enrolment: z.string() });

async function enrol(
  directory: StateDirectory,
  regions: readonly string[],
  { showStep, signal }: { readonly showStep: ShowStep; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const challenges = challengesForm.parse(
    await runKeyferry(['authority', 'challenge', ...regions, '--dir', directory.root], { signal }),
  );
  const requests: Record<string, string> = {};
  await showStep(`making the tokens and keys of ${regions.join(', ')}`, () =>
    Promise.all(
      regions.map(async (name) => {
        const args = [
          'region',
          'init',
          '--config',
          directory.regionConfig(name),
          '--challenge',
          challenges[name] ?? '',
        ];
        requests[name] = provisionedForm.parse(
          await inRegion(directory, name, runKeyferry(args, { signal })),
        ).enrolment;
      }),
    ),
  );
  await showStep(`enrolling ${regions.join(', ')}`, () =>
    runKeyferry(['authority', 'enrol', '--dir', directory.root], { input: JSON.stringify(requests), signal }),
  );
}

function whatToValidate(module: string): string {
  return `see everything that it can and cannot do with: keyferry validate --module ${module}`;
}

/** A failure of a region's token, with which region and which token that was. */
async function inRegion<Value>(directory: StateDirectory, name: string, work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    const { module, label, slot } = readRegionConfig(directory.regionConfig(name)).token;
    const which = slot === null ? `token ${label ?? ''}` : `slot ${slot}`;
    throw new LabError(error.code, `region ${name}, ${which} of ${module}: ${error.message}`, {
      details: { ...error.details, region: name, module },
      cause: error,
      remedy: error.remedy ?? (error.details['code'] === 'ERR_HSM_STRATEGY' ? whatToValidate(module) : null),
    });
  }
}
