import { CKA_ID, CKA_TOKEN, CKA_VALUE_LEN } from '../token/cryptoki.js';
import { Job, type AttributeValue, type JobResult, type Output } from '../token/job.js';
import { TokenError } from '../token/errors.js';
import type { ObjectHandle } from '../token/object.js';
import { template } from '../token/template.js';
import { HsmError, UNWRAP_REFUSED, saysTokenIsFull } from './errors.js';
import { importModulusOctets, type ImportKeyParts, type ImportKeys, type StoredImportKey } from './import_key.js';
import { importPayloadOf, refusalOfPayload } from './import_payload.js';
import { importedPublicHalf } from './import_public_half.js';
import { addUnwrapSteps, importKeyUse, refusalOfLength, type UnwrapSteps } from './import_steps.js';
import type { ImportCapabilities, ImportPlan, ImportWrappingAlgorithm } from './import_strategy.js';
import { templateOf } from './key_shape.js';
import { privateKeySpec, wrappedOctets } from './key_spec.js';
import type { KeyStorage } from './key_storage.js';
import type { KeySpec, MaterialBinding, StoredMaterial } from './material.js';

/** What came of an import. */
export interface ImportedMaterial {
  readonly material: StoredMaterial;
  /** Id of the strategy that ran, for the audit. */
  readonly strategy: string;
  /** Whether octets of the material, or of the key around it, were in the addon's locked memory. */
  readonly outsideToken: boolean;
}

/** What is imported. */
export interface MaterialToImport {
  readonly importKey: StoredImportKey;
  readonly algorithm: ImportWrappingAlgorithm;
  readonly encrypted: Uint8Array;
  readonly binding: Omit<MaterialBinding, 'materialId'>;
}

/** What imports are made with. */
export interface MaterialImportParts {
  readonly tokens: ImportKeyParts;
  readonly keys: ImportKeys;
  readonly storage: KeyStorage;
  readonly plans: ImportCapabilities;
}

/** A private value that multiplies no point: zero, or none of its curve. */
const NO_KEY = 'the unwrapped material is no key of its curve; it was destroyed';
/**
 * Refusals are given at multiples of this time from the start: which step refused, and how far a token came, is not to be seen in it.
 * A whole import takes a fraction of it.
 */
const REFUSAL_STEP_MS = 50;
/** Objects of one refused import at most; it makes two. */
const LEFTOVERS_MAX = 8;

/**
 * Takes wrapped material into the token, checks there what it is, and wraps it for storage. A refusal leaves no object behind.
 *
 * @source docs/IMPORT.md
 */
export class MaterialImport {
  readonly #parts: MaterialImportParts;

  constructor(parts: MaterialImportParts) {
    this.#parts = parts;
  }

  /** Why material of this spec cannot be imported by this algorithm here, naming mechanisms or configuration; undefined where it can. */
  refusal(keySpec: KeySpec, algorithm: ImportWrappingAlgorithm): string | undefined {
    const plan = this.#parts.plans[algorithm];
    return 'refusal' in plan ? plan.refusal : refusalOfPayload(keySpec, this.#parts.tokens.capabilities);
  }

  /**
   * Unwraps, checks and stores.
   *
   * @throws {@link HsmError} `ERR_HSM_UNWRAP` for everything that fails in unwrapping; `ERR_HSM_TYPE` for material of another kind;
   *   `ERR_HSM_STRATEGY` where {@link refusal} says why; `ERR_HSM_RECORD` for an import key that is not as it was stored
   */
  async run(given: MaterialToImport): Promise<ImportedMaterial> {
    const { algorithm, binding } = given;
    const plan = this.#parts.plans[algorithm];
    const refusal = this.refusal(binding.keySpec, algorithm);
    if (refusal !== undefined || 'refusal' in plan) {
      throw new HsmError('ERR_HSM_STRATEGY', refusal ?? '', { details: { algorithm, keySpec: binding.keySpec } });
    }
    const startMs = performance.now();
    try {
      const material = await this.#parts.tokens.jobs.healing(() => this.#withImportKey(plan, given));
      return { material, strategy: plan.strategy, outsideToken: plan.rung === 'outside-token' };
    } catch (error) {
      await untilStep(startMs);
      throw error;
    }
  }

  async #withImportKey(plan: ImportPlan, given: MaterialToImport): Promise<StoredMaterial> {
    const { importKey, encrypted, binding } = given;
    const reason = refusalOfLength(
      plan,
      encrypted.length,
      importModulusOctets[importKey.keySpec],
      importPayloadOf(binding.keySpec),
    );
    const { use, mechanism } = importKeyUse(plan);
    const handle = await this.#parts.keys.load(importKey, use, mechanism);
    try {
      if (reason !== null) throw new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED, { details: { reason } });
      return await this.#adopt(plan, handle, given);
    } catch (error) {
      throw toldApart(error);
    } finally {
      await this.#parts.tokens.jobs.destroy(handle, 'unload import key');
    }
  }

  async #adopt(plan: ImportPlan, importKey: ObjectHandle, given: MaterialToImport): Promise<StoredMaterial> {
    const { capabilities, jobs } = this.#parts.tokens;
    const { binding } = given;
    const stepsIn = (job: Job): UnwrapSteps =>
      addUnwrapSteps(job, {
        plan,
        importKey,
        encrypted: given.encrypted,
        modulusOctets: importModulusOctets[given.importKey.keySpec],
        payload: importPayloadOf(binding.keySpec),
        capabilities,
      });
    const spec = privateKeySpec(binding.keySpec);
    const publicKey =
      spec === null
        ? null
        : await importedPublicHalf(
            {
              begin: () => {
                const job = new Job('import material: public half', plan.strategy);
                const steps = stepsIn(job);
                return {
                  job,
                  make: (shape) => steps.make(templateOf(shape, 'unwrap', capabilities)),
                  check: (result) => assertNoDecoy(steps, result),
                  publicPoint: (result) =>
                    steps.publicPoint === null ? new Uint8Array() : result.bytes(steps.publicPoint),
                };
              },
              run: (job) => jobs.run(job),
              forget: (id) => this.#destroyLeftovers(id),
              pointAttributes: capabilities.ecPrivateUnwrapAttributes,
            },
            binding.keySpec,
            spec,
          );
    const stepsOfJob = new WeakMap<Job, { readonly steps: UnwrapSteps; readonly lengths: Output<'attributes'>[] }>();
    return this.#parts.storage.adopt(binding, 'import material', {
      publicKey,
      make: (job, template) => {
        const own = stepsOfJob.get(job) ?? { steps: stepsIn(job), lengths: [] };
        stepsOfJob.set(job, own);
        const made = own.steps.make(template);
        if (spec === null) own.lengths.push(job.getAttributes(made, [CKA_VALUE_LEN]));
        return made;
      },
      check: (result, job) => {
        const own = stepsOfJob.get(job);
        if (own === undefined) return;
        assertNoDecoy(own.steps, result);
        for (const length of own.lengths) assertLength(result.attributes(length), binding.keySpec);
      },
      ...(spec?.kind === 'rsa' && {
        checkWrapped: (octets: number) => assertTwoPrimes(spec.modulusBits / 8, octets),
      }),
    });
  }

  /** HAZARD: SoftHSM2 keeps the object of an unwrapping that it refused because the octets are another type of key. */
  async #destroyLeftovers(id: Uint8Array): Promise<void> {
    const { jobs } = this.#parts.tokens;
    const search = new Job('find refused material', 'C_FindObjects');
    const found = search.findObjects(template([CKA_TOKEN, false], [CKA_ID, id]), LEFTOVERS_MAX);
    for (const handle of (await jobs.run(search)).handles(found))
      await jobs.destroy(handle, 'destroy refused material');
  }
}

/** The length of a secret, where the token tells it; where it does not, the use of the secret and what it is wrapped to show it. */
function assertLength(attributes: ReadonlyMap<number, AttributeValue>, keySpec: KeySpec): void {
  const told = attributes.get(CKA_VALUE_LEN);
  if (told?.state !== 'value' || told.octets.length !== 8) return;
  const octets = Number(new DataView(told.octets.buffer, told.octets.byteOffset, 8).getBigUint64(0, true));
  const { minOctets, maxOctets } = importPayloadOf(keySpec);
  if (octets === 0 || (octets >= minOctets && octets <= maxOctets)) return;
  throw new HsmError('ERR_HSM_TYPE', `the unwrapped material is no ${keySpec} key; it was destroyed`);
}

function assertNoDecoy(steps: UnwrapSteps, result: JobResult): void {
  if (steps.refusals.some((refusal) => result.rv(refusal) !== 0)) throw new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED);
}

/**
 * A token that reads a key of three primes keeps two of them, and they are shorter: two whose product is the modulus have half its
 * length each, and so have the three numbers that go with them.
 */
function assertTwoPrimes(modulusOctets: number, octets: number): void {
  if (octets >= wrappedOctets(modulusOctets * 4.5 + RSA_OVERHEAD_OCTETS)) return;
  throw new HsmError('ERR_HSM_TYPE', 'the unwrapped RSA key has not exactly two primes; it was destroyed');
}

/** What DER adds to the eight numbers of an RSA key and its algorithm, octets, less what a number may lack in leading octets. */
const RSA_OVERHEAD_OCTETS = 32;

/** Calls that see the wrapped octets or what was in them; a token's answers to them are one answer, whatever return value it chose. */
const callsOnMaterial: ReadonlySet<string> = new Set([
  'C_UnwrapKey',
  'C_Decrypt',
  'C_DecryptInit',
  'C_CreateObject',
  'C_WrapKey',
]);

/** A failure of an import in the two words that it has: it does not unwrap, or it is of another kind. */
function toldApart(error: unknown): unknown {
  if (!(error instanceof HsmError)) return error;
  if (error.code === 'ERR_HSM_MATERIAL_ID') return new HsmError('ERR_HSM_TYPE', error.message, { cause: error });
  if (error.code === 'ERR_HSM_UNWRAP') return error.message === UNWRAP_REFUSED ? error : refused(error);
  if (error.code === 'ERR_HSM_SESSION_LOST') return error;
  const { cause } = error;
  if (!(cause instanceof TokenError) || cause.code !== 'ERR_TOKEN_CALL') return error;
  if (saysTokenIsFull(cause.rv)) return error;
  if (cause.call === 'C_DeriveKey') return new HsmError('ERR_HSM_TYPE', NO_KEY, { cause: error });
  return callsOnMaterial.has(cause.call) ? refused(error) : error;
}

function refused(cause: HsmError): HsmError {
  return new HsmError('ERR_HSM_UNWRAP', UNWRAP_REFUSED, { cause });
}

async function untilStep(startMs: number): Promise<void> {
  const elapsedMs = performance.now() - startMs;
  const waitMs = Math.ceil(elapsedMs / REFUSAL_STEP_MS) * REFUSAL_STEP_MS - elapsedMs;
  await new Promise((resolve) => setTimeout(resolve, waitMs));
}
