import { equalOctets, utf8 } from '../../bytes.js';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_DERIVE,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_VALUE,
  CKA_VALUE_LEN,
  CKA_VERIFY,
  CKA_WRAP,
  CKK_AES,
  CKK_GENERIC_SECRET,
  CKO_SECRET_KEY,
} from '../cryptoki.js';
import { TokenError } from '../errors.js';
import { Job, type JobResult, type ObjectRef } from '../job.js';
import type { Mechanism } from '../mechanism.js';
import { notTried } from '../not_tried.js';
import type { ObjectHandle } from '../object.js';
import type { Enforcement, Fact, FactName, TokenRules, EnforcementName } from '../profile.js';
import { returnValueName } from '../return_value.js';
import { softwareRefusal } from '../software_refusal.js';
import { template, type Template, type TemplateValue } from '../template.js';

/** The part of the executor that a probe uses. */
export interface JobRunner {
  run(job: Job): Promise<JobResult>;
}

/** Label of every object that a probe makes, so that what one may leave behind can be found. */
export const probeLabel = 'keyferry probe';

/** The usage attributes of a secret key; those that are not named are false. */
export type SecretUsage = 'encrypt' | 'decrypt' | 'wrap' | 'unwrap' | 'sign' | 'derive';

const usageAttributes: Readonly<Record<SecretUsage, number>> = {
  encrypt: CKA_ENCRYPT,
  decrypt: CKA_DECRYPT,
  wrap: CKA_WRAP,
  unwrap: CKA_UNWRAP,
  sign: CKA_SIGN,
  derive: CKA_DERIVE,
};

/** A mechanism without parameter. */
export function plain(type: number): Mechanism {
  return { type, parameter: { kind: 'none' } };
}

/** A mechanism whose parameter is an IV. */
export function withIv(type: number, iv: Uint8Array): Mechanism {
  return { type, parameter: { kind: 'octets', octets: iv } };
}

/** How a secret key of a probe is to be. */
export interface SecretKeyShape {
  readonly keyType: 'aes' | 'generic';
  readonly usage: readonly SecretUsage[];
  readonly extractable?: boolean;
  readonly sensitive?: boolean;
  /** `CKA_VALUE_LEN`, octets; needed where the value does not decide it. */
  readonly valueBytes?: number;
  readonly more?: readonly (readonly [number, TemplateValue])[];
}

/** Template of a session object: a secret key that says of every usage whether it is allowed. */
export function secretKeyTemplate(shape: SecretKeyShape): Template {
  return template(
    [CKA_CLASS, CKO_SECRET_KEY],
    [CKA_KEY_TYPE, shape.keyType === 'aes' ? CKK_AES : CKK_GENERIC_SECRET],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(probeLabel)],
    [CKA_SENSITIVE, shape.sensitive ?? true],
    [CKA_EXTRACTABLE, shape.extractable ?? false],
    ...Object.entries(usageAttributes).map(
      ([usage, attribute]) => [attribute, shape.usage.includes(usage as SecretUsage)] as const,
    ),
    [CKA_VERIFY, shape.usage.includes('sign')],
    ...(shape.valueBytes === undefined ? [] : [[CKA_VALUE_LEN, shape.valueBytes] as const]),
    ...(shape.more ?? []),
  );
}

/** What a probe found: the profile while it is being made. */
export class ProbeContext {
  readonly facts = new Map<FactName, Fact>();
  readonly enforcement = new Map<EnforcementName, Enforcement>();
  readonly rules: { -readonly [Member in keyof TokenRules]: TokenRules[Member] } = {
    aesKeyWrapPadMechanism: null,
    wrapPadsOddLengths: null,
    ecdh1Truncation: null,
    ecPointEncoding: null,
    ecPrivateUnwrapAttributes: [],
    ed25519Parameters: null,
    unwrapValueLength: null,
    valueLengthAfterUnwrap: null,
    gcmIv: null,
    sessionCountMax: null,
  };
  /** How a known key comes in where `C_CreateObject` takes none. */
  keyImport: ((job: Job, value: Uint8Array, shape: Template) => ObjectRef) | undefined;
  /** A way to an agreed AES-256 key that this token has, for probes of what such a key can do, and the key as Node computes it. */
  agreedKey: { readonly derive: (job: Job, shape: Template) => ObjectRef; readonly expected: Uint8Array } | undefined;
  readonly #runner: JobRunner;
  /** Objects that outlive a job; destroyed when the probe ends. */
  readonly #kept: ObjectHandle[] = [];

  constructor(runner: JobRunner) {
    this.#runner = runner;
  }

  /** Runs one job of the probe. */
  async run<Outputs>(
    name: string,
    build: (job: Job) => Outputs,
  ): Promise<{ readonly result: JobResult; readonly outputs: Outputs }> {
    const job = new Job('probe', name);
    const outputs = build(job);
    return { result: await this.#runner.run(job), outputs };
  }

  /** Keeps an object until the probe ends. */
  keepUntilEnd(handle: ObjectHandle): ObjectHandle {
    this.#kept.push(handle);
    return handle;
  }

  /** Destroys what was kept. */
  async destroyKept(): Promise<void> {
    const kept = this.#kept.splice(0);
    if (kept.length === 0) return;
    await this.run('destroy', (job) => {
      for (const handle of kept) {
        job.attempt();
        job.destroyObject(handle);
      }
    });
  }

  /**
   * Makes a key with a published value, the start of a known answer: by `C_CreateObject`, or by unwrapping
   * where the token does not take keys in clear.
   */
  knownKey(job: Job, value: Uint8Array, shape: SecretKeyShape): ObjectRef {
    if (!this.works('createSecretKey') && this.keyImport !== undefined) {
      return this.keyImport(job, value, secretKeyTemplate(shape));
    }
    return job.createObject([...secretKeyTemplate(shape), { type: CKA_VALUE, value }]);
  }

  /** Template of a known AES key that `C_CreateObject` is to take. */
  knownKeyTemplate(value: Uint8Array): Template {
    return [...secretKeyTemplate({ keyType: 'aes', usage: ['encrypt'] }), { type: CKA_VALUE, value }];
  }

  /** {@link fact} for something that starts from a known key. */
  async factWithKnownKey(
    name: FactName,
    mechanism: number | null,
    check: () => Promise<boolean | string>,
  ): Promise<boolean> {
    if (this.works('createSecretKey') || this.keyImport !== undefined) return this.fact(name, mechanism, check);
    this.lacks(name, mechanism, 'createSecretKey');
    return false;
  }

  /**
   * Finds one fact.
   *
   * @param check - true or false for the known answer, or a text that says what came instead
   */
  async fact(name: FactName, mechanism: number | null, check: () => Promise<boolean | string>): Promise<boolean> {
    let found: Fact;
    try {
      const outcome = await check();
      found =
        outcome === true
          ? { works: true, mechanism, answer: 'the known answer' }
          : { works: false, mechanism, answer: outcome === false ? 'another result than the known answer' : outcome };
    } catch (error) {
      found = { works: false, mechanism, answer: answerIn(error) };
    }
    this.facts.set(name, found);
    return found.works;
  }

  /** Records a fact that needs something which the token cannot do. */
  lacks(name: FactName, mechanism: number | null, needed: FactName): void {
    this.facts.set(name, { works: false, mechanism, answer: notTried(needed) });
  }

  /** Whether a fact was found to work. */
  works(name: FactName): boolean {
    return this.facts.get(name)?.works === true;
  }

  /**
   * Finds whether the token refuses something.
   *
   * @param attempt - the `CKR_` of what must be refused and, as a control, that of the same thing where it is permitted
   */
  async refuses(
    name: EnforcementName,
    attempt: () => Promise<{ readonly forbidden: number; readonly permitted: number; readonly call: string }>,
  ): Promise<void> {
    let found: Enforcement;
    try {
      const { forbidden, permitted, call } = await attempt();
      const answer = `${call} returned ${returnValueName(forbidden)}`;
      if (permitted !== 0) {
        found = { enforced: null, answer: `${call} returned ${returnValueName(permitted)} where it is permitted` };
      } else {
        found = { enforced: forbidden !== 0, answer };
      }
    } catch (error) {
      found = { enforced: null, answer: `cannot be tried: ${answerIn(error)}` };
    }
    this.enforcement.set(name, found);
  }
}

/**
 * What the token answered, from the error that it became: also where software cannot use what it told.
 *
 * @throws whatever is no answer of the token to this call: lost sessions and a full queue say nothing about what it can do
 */
export function answerIn(error: unknown): string {
  const refusal = softwareRefusal(error);
  if (refusal !== null) return refusal;
  if (!(error instanceof TokenError)) throw error;
  switch (error.code) {
    case 'ERR_TOKEN_CALL':
    case 'ERR_TOKEN_NOT_DESTROYED':
      return `${error.call} returned ${error.rvName}`;
    default:
      throw error;
  }
}

/** Whether two results are the same; the octets are of test keys. */
export function isKnownAnswer(found: Uint8Array, expected: Uint8Array): boolean {
  return equalOctets(found, expected);
}
