import { Job, type JobResult } from '../token/job.js';
import { TokenError } from '../token/errors.js';
import type { ObjectHandle } from '../token/object.js';
import { HsmError } from './errors.js';
import { importModulusOctets, type ImportKeyParts, type ImportKeys, type StoredImportKey } from './import_key.js';
import { addUnwrapSteps, importKeyUse, refusalOfLength } from './import_steps.js';
import type { ImportCapabilities, ImportPlan, ImportWrappingAlgorithm } from './import_strategy.js';
import { importTargetOf, type ImportTarget } from './import_target.js';
import { domainKeyLabelOf } from './domain_key.js';
import type { KeySpec, MaterialBinding, StoredMaterial } from './material.js';

/** What came of an import. */
export interface ImportedMaterial {
  readonly material: StoredMaterial;
  /** Id of the strategy that ran, for the audit. */
  readonly strategy: string;
  /** Whether octets of the material, or of the key around it, were in the addon's locked memory. */
  readonly outsideToken: boolean;
}

/** One answer for everything that fails in unwrapping. */
const REFUSED = 'the wrapped material does not unwrap';
/**
 * Refusals are given at multiples of this time from the start: which step refused, and how far a token came, is not to be seen in it.
 * A whole import takes a fraction of it.
 */
const REFUSAL_STEP_MS = 50;

/**
 * Takes wrapped material into the token, checks there what it is, and wraps it for storage. A refusal leaves no object behind.
 *
 * @source design section 7; mission R22–R32
 */
export class MaterialImport {
  readonly #parts: ImportKeyParts;
  readonly #keys: ImportKeys;
  readonly #plans: ImportCapabilities;

  constructor(parts: ImportKeyParts, keys: ImportKeys, plans: ImportCapabilities) {
    this.#parts = parts;
    this.#keys = keys;
    this.#plans = plans;
  }

  /** Why material of this spec cannot be imported by this algorithm here, naming mechanisms or configuration; undefined where it can. */
  refusal(keySpec: KeySpec, algorithm: ImportWrappingAlgorithm): string | undefined {
    const plan = this.#plans[algorithm];
    if ('refusal' in plan) return plan.refusal;
    return importTargetOf(keySpec, this.#parts.capabilities).refusal;
  }

  /**
   * Unwraps, checks and stores.
   *
   * @throws {@link HsmError} `ERR_HSM_UNWRAP` for everything that fails in unwrapping; `ERR_HSM_TYPE` for material of another kind;
   *   `ERR_HSM_STRATEGY` where {@link refusal} says why; `ERR_HSM_RECORD` for an import key that is not as it was stored
   */
  async run(args: {
    readonly importKey: StoredImportKey;
    readonly algorithm: ImportWrappingAlgorithm;
    readonly encrypted: Uint8Array;
    readonly binding: Omit<MaterialBinding, 'materialId'>;
  }): Promise<ImportedMaterial> {
    const { algorithm, binding } = args;
    const plan = this.#plans[algorithm];
    const refusal = this.refusal(binding.keySpec, algorithm);
    if (refusal !== undefined || 'refusal' in plan) {
      throw new HsmError('ERR_HSM_STRATEGY', refusal ?? '', { details: { algorithm, keySpec: binding.keySpec } });
    }
    const startMs = performance.now();
    try {
      return await this.#parts.jobs.healing(() => this.#run(plan, args));
    } catch (error) {
      await untilStep(startMs);
      throw error;
    }
  }

  async #run(
    plan: ImportPlan,
    { importKey, encrypted, binding }: Parameters<MaterialImport['run']>[0],
  ): Promise<ImportedMaterial> {
    const target = importTargetOf(binding.keySpec, this.#parts.capabilities);
    const modulusOctets = importModulusOctets[importKey.keySpec];
    const { use, mechanism } = importKeyUse(plan);
    const handle = await this.#keys.load(importKey, use, mechanism);
    try {
      const reason = refusalOfLength(plan, encrypted.length, modulusOctets, target.payload);
      if (reason !== null) throw new HsmError('ERR_HSM_UNWRAP', REFUSED, { details: { reason } });
      const material = await this.#unwrap(plan, target, handle, { modulusOctets, encrypted, binding });
      return { material, strategy: plan.strategy, outsideToken: plan.rung === 'outside-token' };
    } finally {
      await this.#parts.jobs.destroy(handle, 'unload import key');
    }
  }

  async #unwrap(
    plan: ImportPlan,
    target: ImportTarget,
    importKey: ObjectHandle,
    given: {
      readonly modulusOctets: number;
      readonly encrypted: Uint8Array;
      readonly binding: Omit<MaterialBinding, 'materialId'>;
    },
  ): Promise<StoredMaterial> {
    const { capabilities, domainKeys } = this.#parts;
    const { binding, modulusOctets, encrypted } = given;
    const domainKey = await domainKeys.active(domainKeyLabelOf(binding));
    const job = new Job('import material', plan.strategy);
    const steps = addUnwrapSteps(job, {
      plan,
      importKey,
      encrypted,
      modulusOctets,
      payload: target.payload,
      capabilities,
    });
    const unwrapped = target.add(job, { make: steps.make, domainKey: domainKey.handle, binding });
    const result = await this.#runUnwrapping(job);
    if (steps.refusals.some((refusal) => result.rv(refusal) !== 0)) throw new HsmError('ERR_HSM_UNWRAP', REFUSED);
    const exportedKeyToken = unwrapped.check(result);
    const publicPoint = steps.publicPoint === null ? null : result.bytes(steps.publicPoint);
    return target.store(this.#parts, {
      binding,
      domainKey,
      exportedKeyToken,
      evidence: unwrapped.evidence(result),
      publicPoint,
    });
  }

  async #runUnwrapping(job: Job): Promise<JobResult> {
    try {
      return await this.#parts.jobs.run(job);
    } catch (error) {
      if (!isRefusalOfMaterial(error)) throw error;
      throw new HsmError('ERR_HSM_UNWRAP', REFUSED, { cause: error });
    }
  }
}

/** Calls that see the wrapped octets or what was in them; a token's answers to them are one answer, whatever return value it chose. */
const callsOnMaterial: ReadonlySet<string> = new Set([
  'C_UnwrapKey',
  'C_Decrypt',
  'C_DecryptInit',
  'C_CreateObject',
  'C_WrapKey',
]);

function isRefusalOfMaterial(error: unknown): boolean {
  if (!(error instanceof HsmError) || error.code === 'ERR_HSM_SESSION_LOST') return false;
  const { cause } = error;
  return cause instanceof TokenError && cause.code === 'ERR_TOKEN_CALL' && callsOnMaterial.has(cause.call);
}

async function untilStep(startMs: number): Promise<void> {
  const elapsedMs = performance.now() - startMs;
  const waitMs = Math.ceil(elapsedMs / REFUSAL_STEP_MS) * REFUSAL_STEP_MS - elapsedMs;
  await new Promise((resolve) => setTimeout(resolve, waitMs));
}
