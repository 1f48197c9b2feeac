import { utf8 } from '../../bytes.js';
import type { Clock } from '../../clock.js';
import { CKA_LABEL } from '../cryptoki.js';
import { LIMITS } from '../../limits.js';
import { TokenError } from '../errors.js';
import type { ObjectHandle } from '../object.js';
import {
  enforcementNames,
  factNames,
  PROFILE_VERSION,
  type Enforcement,
  type Fact,
  type TokenIdentity,
  type TokenProfile,
} from '../profile.js';
import type { TokenModule } from '../module.js';
import type { Slot } from '../slot.js';
import { template } from '../template.js';
import { probeAgreement } from './agreement.js';
import { probeCiphers } from './cipher.js';
import { probeDerivations } from './derivation.js';
import { probeEnforcement } from './enforcement.js';
import { probeKeySpecs } from './key_spec.js';
import { knownKey } from './known_key.js';
import { ProbeContext, probeLabel, type JobRunner } from './probe_context.js';
import { probeRsaKeyTransport, probeRsaUnwrapping } from './rsa.js';
import { probeDerivedWrapping, probeEcPrivateWrapping, probeWrapping } from './wrapping.js';

/** What a probe works on: a token where the user is logged in. */
export interface ProbedToken {
  readonly module: TokenModule;
  readonly slot: Slot;
  readonly executor: JobRunner;
}

/** Which token this is, as far as the module and the token tell. */
export function tokenIdentity(module: TokenModule, slot: Slot): TokenIdentity {
  const info = module.info();
  const token = slot.token();
  return {
    modulePath: module.path,
    manufacturer: token.manufacturer,
    model: token.model,
    serial: token.serial,
    label: token.label,
    libraryDescription: info.description,
    libraryVersion: info.libraryVersion,
    cryptokiVersion: info.cryptokiVersion,
    hardwareVersion: token.hardwareVersion,
    firmwareVersion: token.firmwareVersion,
  };
}

/**
 * Finds out what a token can do and what it refuses, by doing it with session objects and comparing with known answers.
 *
 * Takes about a second, needs no right but the user's, and leaves no object behind.
 *
 * @returns a profile that is good for this token's identity
 * @throws {@link TokenError} where the sessions are lost again and again; whatever else fails is a fact of the profile
 * @source ARCHITECTURE.md, two bindings, one module
 */
export async function probeToken(token: ProbedToken, clock: Clock): Promise<TokenProfile> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await probeOnce(token, clock);
    } catch (error) {
      // A profile that is half from before and half from after a loss would be wrong for good: it is begun anew.
      if (!(error instanceof TokenError) || !error.retryable || attempt >= LIMITS.tokenProbeAttemptsMax) throw error;
    }
  }
}

async function probeOnce(token: ProbedToken, clock: Clock): Promise<TokenProfile> {
  const startedMs = clock.monotonicMs();
  const context = new ProbeContext(token.executor);
  try {
    await context.fact('createSecretKey', null, async () => {
      await context.run('createSecretKey', (job) => job.createObject(context.knownKeyTemplate(knownKey)));
      return true;
    });
    const rsaPair = await probeRsaUnwrapping(context);
    await probeCiphers(context);
    await probeDerivations(context);
    await probeAgreement(context);
    await probeWrapping(context);
    await probeDerivedWrapping(context);
    await probeEcPrivateWrapping(context);
    await probeRsaKeyTransport(context, rsaPair);
    await probeKeySpecs(context, rsaPair);
    await probeEnforcement(context);
  } finally {
    await context.destroyKept();
  }
  await destroyLeftovers(context);
  context.rules.sessionCountMax = token.slot.token().sessionCountRwMax;
  return {
    version: PROFILE_VERSION,
    identity: tokenIdentity(token.module, token.slot),
    mechanisms: [...token.slot.mechanisms()],
    facts: complete(factNames, context.facts, (): Fact => ({
      works: false,
      mechanism: null,
      answer: 'not tried: it needs the security officer',
    })),
    enforcement: complete(enforcementNames, context.enforcement, (): Enforcement => ({
      enforced: null,
      answer: 'not tried',
    })),
    rules: context.rules,
    ...(token.module.dialect !== undefined && { dialect: token.module.dialect }),
    probedAtMs: clock.nowMs(),
    probeMs: clock.monotonicMs() - startedMs,
  };
}

/** A token may keep an object although the call that made it failed; what carries the probe's label goes. */
async function destroyLeftovers(context: ProbeContext): Promise<void> {
  const { result, outputs } = await context.run('leftovers', (job) =>
    job.findObjects(template([CKA_LABEL, utf8(probeLabel)]), LIMITS.tokenProbeLeftoversMax),
  );
  const leftovers: readonly ObjectHandle[] = result.handles(outputs);
  for (const handle of leftovers) context.keepUntilEnd(handle);
  await context.destroyKept();
}

function complete<Name extends string, Value>(
  names: readonly Name[],
  found: ReadonlyMap<Name, Value>,
  missing: () => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, found.get(name) ?? missing()])) as Record<Name, Value>;
}
