import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { LabError } from '../../lab/errors.js';
import { MANAGED_MODULES } from '../../lab/lab_file.js';
import { readRegionConfig } from '../../lab/region_config.js';
import { planToken } from '../../lab/region_plan.js';
import { StateDirectory } from '../../lab/state_directory.js';
import { parseProfile, type TokenProfile } from '../../token/profile.js';
import { describeProfile, type ProfileRow } from '../../token/strategy_choice.js';
import { act, command, labCommand, type CommandContext, type CommonOptions } from './command_context.js';
import { table, type Output } from './output.js';
import type { ListedSlot, Programs } from './programs.js';
import { addTokenOptions, labTokenOf, type TokenOptions } from './token_options.js';

interface ProfileOptions extends CommonOptions, TokenOptions {
  readonly dir: string;
  readonly region?: string;
}

/** `keyferry token …`: what a PKCS#11 token can do. */
export function tokenCommand(context: CommandContext): Command {
  const target = command('token', 'what a PKCS#11 token can do', 'keyferry token profile --module softhsm2');
  target.addCommand(listCommand(context));
  target.addCommand(profileCommand(context));
  return target;
}

function listCommand({ programs }: CommandContext): Command {
  const target = command(
    'list',
    'show the slots of a PKCS#11 module and the tokens in them: what --slot and --label can name',
    'keyferry token list --module /opt/hsm/lib/p11.so',
  ).option('--module <name|path>', 'softhsm2, nss, or the path of a PKCS#11 library', 'softhsm2');
  return act<CommonOptions & { readonly module: string }>(target, async ({ output, options }) => {
    if (options.module === 'nss') {
      throw new LabError('ERR_LAB_REQUEST', 'A token of NSS is a directory of its own: there is nothing to list', {
        remedy: 'see what such a token can do with: keyferry token profile --module nss',
      });
    }
    const slots = await programs.listTokens(options.module);
    output.result({ module: options.module, slots }, () =>
      table([['SLOT', 'LABEL', 'STATE', 'TOKEN', 'SERIAL'], ...slots.map(slotRow)]),
    );
  });
}

function slotRow({ slotId, token }: ListedSlot): readonly string[] {
  if (token === null) return [String(slotId), '-', 'no token', '-', '-'];
  const state = !token.isInitialised
    ? 'not initialised'
    : token.isUserPinLocked
      ? 'user PIN locked'
      : token.isUserPinSet || !token.isLoginRequired
        ? 'ready'
        : 'no user PIN yet';
  const model = `${token.manufacturer.trim()} ${token.model.trim()}`;
  return [String(slotId), token.isInitialised ? token.label : '-', state, model, token.serial];
}

function profileCommand({ programs }: CommandContext): Command {
  const target = addTokenOptions(
    labCommand(
      'profile',
      'show which strategies a token can carry, found by doing each, and why the others are missing',
      'keyferry token profile --module nss\nkeyferry token profile --region us-east-1\nkeyferry token profile --module /opt/hsm/lib/p11.so --slot 1 --pin-file hsm.pin',
    ),
  ).option('--region <name>', 'the token of a region of the lab, as it was probed when it was provisioned');
  return act<ProfileOptions>(target, async ({ output, options }) => {
    const profile =
      options.region === undefined
        ? await output.step(`probing a token of ${options.module}`, () => probe(programs, options))
        : await profileOfRegion(programs, options, options.region);
    const rows = describeProfile(profile);
    output.result({ profile, strategies: rows }, (colours) => describe(profile, rows, colours));
  });
}

async function profileOfRegion(programs: Programs, { dir }: ProfileOptions, region: string): Promise<TokenProfile> {
  const directory = new StateDirectory(dir);
  const config = directory.regionConfig(region);
  if (!existsSync(config)) {
    throw new LabError('ERR_LAB_REQUEST', `${directory.root} holds no region ${region}`, {
      remedy: 'see the regions with: keyferry status',
    });
  }
  const stored = join(directory.region(region), 'profile.json');
  return existsSync(stored)
    ? parseProfile(readFileSync(stored, 'utf8'))
    : programs.probeToken(readRegionConfig(config).token);
}

/** Probes a token; one that Keyferry makes itself is made for this alone, and removed. */
async function probe(programs: Programs, options: ProfileOptions): Promise<TokenProfile> {
  const token = labTokenOf(options);
  const isManaged = (MANAGED_MODULES as readonly string[]).includes(token.module);
  if (!isManaged && token.label === undefined && token.slot === undefined) {
    throw new LabError('ERR_LAB_REQUEST', `Which token of ${token.module}?`, {
      remedy: 'give --label or --slot, and --pin-file or --pin-environment',
    });
  }
  const directory = mkdtempSync(join(tmpdir(), 'keyferry-profile-'));
  try {
    return await programs.probeToken(planToken(token, { directory, label: 'keyferry-profile' }));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function describe(profile: TokenProfile, rows: readonly ProfileRow[], colours: Output['colours']): string {
  const { manufacturer, model, libraryVersion, firmwareVersion, modulePath } = profile.identity;
  const paint = { chosen: colours.green, available: colours.cyan, missing: colours.dim };
  return [
    `${colours.bold(`${manufacturer.trim()} ${model.trim()}`)}, library ${libraryVersion}, firmware ${firmwareVersion}`,
    colours.dim(modulePath),
    '',
    table([
      ['JOB', 'STRATEGY', 'STATE', 'SUITE', 'WHY'],
      ...rows.map((row) => [
        row.job,
        row.strategy,
        paint[row.state](row.state),
        row.suite || '-',
        row.state === 'missing' ? row.reason : row.description,
      ]),
    ]),
  ].join('\n');
}
