import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SystemClock } from './adapters/clock_system.js';
import { capabilitiesOf, type HsmCapabilities, type TokenPurpose } from './hsm/capability.js';
import { accessTo } from './hsm/token_access.js';
import { provisionAuthority, provisionRegion, type ProvisionReport } from './hsm/provision.js';
import type { TokenConfig } from './lab/region_config.js';
import type { ListedSlot } from './surfaces/cli/programs.js';
import { TokenModule, type ModuleSettings, type TokenSelector } from './token/module.js';
import { TokenError } from './token/errors.js';
import { generatePinFile, type PinSource } from './token/native.js';
import { OpenToken } from './token/open_token.js';
import { probeToken, tokenIdentity } from './token/probe/probe.js';
import {
  encodeProfile,
  identityChanges,
  isEarlierProfile,
  parseProfile,
  withFact,
  type TokenProfile,
} from './token/profile.js';
import type { Slot, TokenInfo } from './token/slot.js';
import { prepareTokenDirectory } from './token/token_directory.js';
import { initialiseToken } from './token/token_initialisation.js';

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

/** A token that is open for a region or for the partition authority. */
export interface ConfiguredToken {
  readonly token: OpenToken;
  readonly profile: TokenProfile;
  readonly capabilities: HsmCapabilities;
  /** @param options - as for {@link OpenToken.close} */
  close(options?: { readonly patienceMs?: number }): Promise<void>;
}

/**
 * Loads and initialises the module of a token; a managed token's directory is made where it is missing.
 *
 * @throws {@link TokenError} `ERR_TOKEN_MODULE_NOT_LOADED`
 */
export function loadConfiguredModule(config: TokenConfig): TokenModule {
  const { libraryParameters, environment } = config;
  const settings: ModuleSettings =
    config.managed === null
      ? {
          ...(libraryParameters !== undefined && { libraryParameters }),
          ...(environment !== undefined && { environment }),
        }
      : prepareTokenDirectory(config.managed.kind, config.managed.directory, config.label ?? 'keyferry');
  const module = TokenModule.load(config.module);
  if (config.dialect !== undefined) module.speak(config.dialect);
  module.initialise(settings);
  return module;
}

/** Which token of the module is meant. */
export function selectorOf(config: TokenConfig): TokenSelector {
  return {
    ...(config.label === null ? {} : { label: config.label }),
    ...(config.slot === null ? {} : { slotId: config.slot }),
  };
}

/**
 * Makes a token ready for its purpose: a managed one is initialised with PINs of its own where that has not been done; what the token can do
 * is probed where no profile is there or the token is another; keys that are missing are made. A second run changes nothing.
 *
 * @param profileFile - where the profile is kept
 */
export async function provisionToken(
  config: TokenConfig,
  profileFile: string,
  purpose: TokenPurpose,
): Promise<{ readonly report: ProvisionReport; readonly profile: TokenProfile }> {
  const module = loadConfiguredModule(config);
  try {
    if (config.managed !== null) await initialiseManaged(module, config);
    const profile = await withOpenToken(module, config, (token) => currentProfile(token, profileFile));
    const capabilities = capabilitiesOf(profile, purpose);
    const access = accessTo({
      module,
      slot: module.findToken(selectorOf(config)),
      userPin: config.pin,
      soPin: config.soPin === null || config.soPin.kind === 'empty' ? null : config.soPin,
    });
    const report =
      purpose === 'region'
        ? await provisionRegion(access, capabilities)
        : await provisionAuthority(access, capabilities);
    return { report, profile: noteTrustedKey(report, profile, profileFile) };
  } finally {
    module.close();
  }
}

/**
 * Opens a provisioned token: logs in, and probes again if it is another token or version than the stored profile's.
 *
 * @throws {@link TokenError} with call, return value and remedy; {@link HsmError} `ERR_HSM_STRATEGY`
 */
export async function openConfiguredToken(
  config: TokenConfig,
  profileFile: string,
  purpose: TokenPurpose,
): Promise<ConfiguredToken> {
  const module = loadConfiguredModule(config);
  let token: OpenToken | undefined;
  try {
    token = await OpenToken.open(module, { token: selectorOf(config), userPin: config.pin });
    const profile = await currentProfile(token, profileFile);
    const opened = token;
    return {
      token: opened,
      profile,
      capabilities: capabilitiesOf(profile, purpose),
      close: async (options) => {
        if ((await opened.close(options)) === 'closed') module.close();
      },
    };
  } catch (error) {
    await token?.close();
    module.close();
    throw error;
  }
}

/** Probes a token that is no region's yet, for people who want to know what it can do. */
export async function probeConfiguredToken(config: TokenConfig): Promise<TokenProfile> {
  const module = loadConfiguredModule(config);
  try {
    if (config.managed !== null) await initialiseManaged(module, config);
    return await withOpenToken(module, config, probe);
  } finally {
    module.close();
  }
}

/**
 * The slots of a module and the tokens in them; nothing is made and nobody logs in.
 *
 * @param module - `softhsm2`, `nss`, or the path of a PKCS#11 library
 */
export function listTokens(module: string): Promise<readonly ListedSlot[]> {
  const loaded = loadConfiguredModule({
    module,
    managed: null,
    label: null,
    slot: null,
    pin: { kind: 'empty' },
    soPin: null,
  });
  try {
    return Promise.resolve(loaded.slots().map((slot) => ({ slotId: slot.slotId, token: tokenOf(slot) })));
  } finally {
    loaded.close();
  }
}

function tokenOf(slot: Slot): TokenInfo | null {
  try {
    return slot.token();
  } catch (error) {
    // A reader without a card has a slot and no token.
    if (error instanceof TokenError && error.code === 'ERR_TOKEN_NOT_PRESENT') return null;
    throw error;
  }
}

async function withOpenToken<Result>(
  module: TokenModule,
  config: TokenConfig,
  work: (token: OpenToken) => Promise<Result>,
): Promise<Result> {
  const token = await OpenToken.open(module, { token: selectorOf(config), userPin: config.pin });
  try {
    return await work(token);
  } finally {
    await token.close();
  }
}

function probe(token: OpenToken): Promise<TokenProfile> {
  return probeToken(token, new SystemClock());
}

async function currentProfile(token: OpenToken, file: string): Promise<TokenProfile> {
  if (existsSync(file)) {
    const text = readFileSync(file, 'utf8');
    const stored = isEarlierProfile(text) ? null : parseProfile(text);
    const present = tokenIdentity(token.module, token.slot);
    const isSame = stored !== null && identityChanges(stored.identity, present).length === 0;
    if (isSame && stored.dialect === token.module.dialect) return stored;
  }
  const profile = await probe(token);
  storeProfile(profile, file);
  return profile;
}

function storeProfile(profile: TokenProfile, file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: PRIVATE_DIRECTORY });
  const fresh = join(dirname(file), '.profile.json.new');
  writeFileSync(fresh, encodeProfile(profile), { mode: PRIVATE_FILE });
  renameSync(fresh, file);
}

/** Only provisioning asks the security officer for a trusted key, so only there it shows whether the token makes one. */
function noteTrustedKey(report: ProvisionReport, profile: TokenProfile, file: string): TokenProfile {
  const { trustedDomainKey } = report;
  if (trustedDomainKey === null) return profile;
  const noted = withFact(profile, 'trustedKeyBySo', {
    works: trustedDomainKey,
    mechanism: null,
    answer: trustedDomainKey ? 'the domain key is trusted' : 'the security officer could not make a trusted key',
  });
  storeProfile(noted, file);
  return noted;
}

/** Initialises the token in a directory of ours, unless that has been done. */
async function initialiseManaged(module: TokenModule, config: TokenConfig): Promise<void> {
  const label = config.label ?? 'keyferry';
  const named = module.slots().find((slot) => slot.token().label === label);
  if (named?.token().isUserPinSet === true) return;
  makePin(config.pin);
  if (config.soPin !== null) makePin(config.soPin);
  const slot = named ?? module.slots().find((candidate) => !candidate.token().isInitialised);
  await initialiseToken(module, {
    slotId: (slot ?? module.findToken({ label })).slotId,
    label,
    soPin: config.managed?.kind === 'nss' ? { kind: 'empty' } : (config.soPin ?? config.pin),
    userPin: config.pin,
  });
}

function makePin(source: PinSource): void {
  if (source.kind !== 'file' || existsSync(source.path)) return;
  mkdirSync(dirname(source.path), { recursive: true, mode: PRIVATE_DIRECTORY });
  generatePinFile(source.path);
}
