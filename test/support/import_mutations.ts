import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeySpec, KeyUsage } from '../../src/hsm/material.js';
import { KmsError } from '../../src/kms/errors.js';
import type { KeyId } from '../../src/kms/key_id.js';
import type { ImportParameters } from '../../src/kms/material_store.js';
import { deleteImportedKeyMaterial } from '../../src/kms/operations/delete_imported_key_material.js';
import { getParametersForImport } from '../../src/kms/operations/get_parameters_for_import.js';
import type { ImportWrappingAlgorithm } from '../../src/kms/ports.js';
import type { Call } from '../../src/kms/region.js';
import { AwsError, STATUS } from '../../src/surfaces/aws/exceptions.js';
import { IMPORT_OPERATIONS } from '../../src/surfaces/aws/import_operations.js';
import { Chance } from './chance.js';
import { partsOf } from './forgery.js';
import { makeExternalKey } from './import_ceremony.js';
import { mutated, mutatedToken } from './import_probes.js';
import { wrapForImport } from './import_wrapping.js';

/** What is changed: an import token, wrapped material, or the members of a request. */
export const MUTATION_KINDS = ['tokens', 'blobs', 'parameter sets'] as const;
export type MutationKind = (typeof MUTATION_KINDS)[number];

/** What came of the cases of a campaign, by exception; `answered` where nothing was refused. */
export type MutationTally = Readonly<Record<string, number>>;

/** Blobs that are in the region's hands at once: a refusal takes its time, and most of it is waiting. */
const LANES = 8;
const ALGORITHMS = ['RSAES_OAEP_SHA_256', 'RSA_AES_KEY_WRAP_SHA_256'] as const;
const CURVE = { namedCurve: 'prime256v1' };

/** A key that waits for material, and everything that a good import into it takes. */
interface Target {
  readonly keyId: KeyId;
  readonly token: Uint8Array;
  readonly blob: Uint8Array;
  readonly parameters: ImportParameters;
}

/**
 * Seeded changes of what imports are made of, against one region: each must be refused in the words of the service, without a server's
 * error and without anything imported, or be answered in full.
 */
export class ImportMutations {
  readonly #call: Call;
  readonly #targets: readonly Target[];
  readonly #chance: Chance;
  /** Codes of refusals that the audit was told. */
  readonly audited = new Set<string>();

  private constructor(call: Call, targets: readonly Target[], seed: number) {
    this.#call = { ...call, note: ({ refusal }) => void (refusal !== undefined && this.audited.add(refusal)) };
    this.#targets = targets;
    this.#chance = new Chance(seed);
  }

  /** Makes keys and downloads parameters for them: symmetric ones and EC ones, by turns. */
  static async prepare(call: Call, seed: number): Promise<ImportMutations> {
    const targets: Target[] = [];
    for (let lane = 0; lane < LANES; lane += 1) {
      targets.push(await makeTarget(call, ALGORITHMS[lane % ALGORITHMS.length] ?? 'RSAES_OAEP_SHA_256'));
    }
    return new ImportMutations(call, targets, seed);
  }

  /**
   * Runs cases of one kind.
   *
   * @param progress - called with the number of cases that are done
   * @throws where a case is not refused as it should be, with the case
   */
  async run(
    kind: MutationKind,
    count: number,
    progress: (done: number) => void = () => undefined,
  ): Promise<MutationTally> {
    const tally: Record<string, number> = {};
    let begun = 0;
    let done = 0;
    const lane = async (target: Target): Promise<void> => {
      while (begun < count) {
        begun += 1;
        const outcome = await this.#case(kind, target, begun);
        tally[outcome] = (tally[outcome] ?? 0) + 1;
        done += 1;
        progress(done);
      }
    };
    await Promise.all(this.#targets.slice(0, kind === 'blobs' ? LANES : 1).map(lane));
    return tally;
  }

  async #case(kind: MutationKind, target: Target, number: number): Promise<string> {
    const { operation, body } = this.#mutate(kind, target);
    let outcome: string;
    try {
      await runOperation(this.#call, operation, body);
      outcome = 'answered';
    } catch (error) {
      outcome = nameOf(error);
    }
    const problem = await this.#judge(kind, target, { operation, outcome });
    if (problem !== null)
      throw new Error(`${kind}, case ${number}: ${problem}: ${operation} ${Buffer.from(body).toString()}`);
    return outcome;
  }

  #mutate(kind: MutationKind, target: Target): { readonly operation: string; readonly body: Uint8Array } {
    const { keyId, token, blob } = target;
    if (kind === 'parameter sets') return mutatedRequest(goodRequests(target, this.#call), this.#chance);
    const ImportToken = kind === 'tokens' ? mutatedToken(token, this.#chance) : token;
    const Encrypted = kind === 'blobs' ? mutated(Buffer.from(blob), this.#chance) : blob;
    return { operation: 'ImportKeyMaterial', body: encode(importRequest(keyId, ImportToken, Encrypted)) };
  }

  /** What is wrong with an outcome; brings the target back to what it was. */
  async #judge(
    kind: MutationKind,
    { keyId, parameters }: Target,
    { operation, outcome }: { readonly operation: string; readonly outcome: string },
  ): Promise<string | null> {
    const { store, materials } = this.#call.region;
    const state = store.key(keyId)?.state;
    const held = materials.versions(keyId).filter(({ material }) => material !== null).length;
    if (outcome.startsWith('5') || outcome.startsWith('?')) return `answered as ${outcome}`;
    const isImport = outcome === 'answered' && operation === 'ImportKeyMaterial';
    if (isImport && kind !== 'parameter sets') return 'something was imported';
    if (isImport ? state !== 'Enabled' || held !== 1 : state !== 'PendingImport' || held !== 0) {
      return `the key is ${state ?? 'gone'} with ${held} materials after ${outcome}`;
    }
    if (isImport) await deleteImportedKeyMaterial(this.#call, { KeyId: keyId });
    // A region gives one try to a wrapping key; here many are made.
    if (materials.parameters(parameters.importKey.id) === undefined) materials.insertParameters(parameters);
    return null;
  }
}

async function makeTarget(call: Call, algorithm: ImportWrappingAlgorithm): Promise<Target> {
  const isSymmetric = algorithm === 'RSAES_OAEP_SHA_256';
  const spec: { readonly KeySpec: KeySpec; readonly KeyUsage: KeyUsage } = isSymmetric
    ? { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' }
    : { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' };
  const keyId = (await makeExternalKey(call, spec)) as KeyId;
  const material = isSymmetric
    ? randomBytes(32)
    : generateKeyPairSync('ec', CURVE).privateKey.export({ type: 'pkcs8', format: 'der' });
  const { ImportToken, PublicKey } = await getParametersForImport(call, {
    KeyId: keyId,
    WrappingAlgorithm: algorithm,
    WrappingKeySpec: 'RSA_2048',
  });
  const parameters = call.region.materials.parameters(String(partsOf(ImportToken).payload['importKeyId']));
  if (parameters === undefined) throw new Error('the region does not keep its parameters');
  return { keyId, token: ImportToken, blob: wrapForImport(algorithm, PublicKey, material), parameters };
}

type Request = Record<string, unknown>;

function importRequest(keyId: string, token: Uint8Array, blob: Uint8Array): Request {
  return {
    KeyId: keyId,
    ImportToken: Buffer.from(token).toString('base64'),
    EncryptedKeyMaterial: Buffer.from(blob).toString('base64'),
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
  };
}

/** Requests that would be answered, imports most of all. */
function goodRequests({ keyId, token, blob }: Target, { region }: Call): readonly (readonly [string, Request])[] {
  const { ExpirationModel: _, ...asked } = importRequest(keyId, token, blob);
  const inADay = Math.floor(region.clock.nowMs() / 1000) + 86_400;
  const whole = { ...asked, ValidTo: inADay, KeyMaterialDescription: 'a.b-c', ImportType: 'EXISTING_KEY_MATERIAL' };
  return [
    ['ImportKeyMaterial', importRequest(keyId, token, blob)],
    ['ImportKeyMaterial', { ...asked, ValidTo: inADay, ExpirationModel: 'KEY_MATERIAL_EXPIRES' }],
    ['ImportKeyMaterial', whole],
    ['DeleteImportedKeyMaterial', { KeyId: keyId, KeyMaterialId: 'ab'.repeat(32) }],
    ['GetParametersForImport', { KeyId: keyId, WrappingAlgorithm: 'RSAES_OAEP_SHA_1', WrappingKeySpec: 'RSA_1024' }],
  ];
}

const MEMBERS = [
  'KeyId',
  'ImportToken',
  'EncryptedKeyMaterial',
  'ValidTo',
  'ExpirationModel',
  'ImportType',
  'KeyMaterialDescription',
  'KeyMaterialId',
  'WrappingAlgorithm',
  'WrappingKeySpec',
];

/** Values that no member has, and values that another member has. */
const VALUES: readonly unknown[] = [
  null,
  '',
  0,
  -1,
  1.5,
  1e300,
  2 ** 53,
  true,
  [],
  {},
  '\u0000',
  'ñ',
  'x'.repeat(7000),
  'A'.repeat(9000),
  '2026-11-21T21:00:00Z',
  'alias/mine',
  'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  'KEY_MATERIAL_EXPIRES',
  'NEW_KEY_MATERIAL',
  'RSAES_PKCS1_V1_5',
  'RSA_AES_KEY_WRAP_SHA_1',
  'SM2',
  'ab'.repeat(32),
  { $ref: 1 },
];

function mutatedRequest(
  good: readonly (readonly [string, Request])[],
  chance: Chance,
): { readonly operation: string; readonly body: Uint8Array } {
  const [operation, request] = chance.pick(good) ?? ['ImportKeyMaterial', {}];
  if (chance.below(5) === 0) return { operation, body: mutated(Buffer.from(encode(request)), chance) };
  const changed: Request = { ...request };
  for (let changes = 1 + chance.below(3); changes > 0; changes -= 1) {
    const name = chance.pick(chance.below(2) === 0 ? Object.keys(request) : MEMBERS) ?? 'KeyId';
    const value = changed[name];
    if (chance.below(4) === 0) delete changed[name];
    else if (typeof value === 'string' && value !== '' && chance.below(2) === 0) {
      changed[name] = Buffer.from(mutated(Buffer.from(value), chance)).toString('latin1');
    } else changed[name] = chance.pick(VALUES);
  }
  return { operation, body: encode(changed) };
}

function encode(request: Request): Uint8Array {
  return Buffer.from(JSON.stringify(request));
}

const operations = new Map(IMPORT_OPERATIONS);

async function runOperation(call: Call, name: string, body: Uint8Array): Promise<unknown> {
  const decode = operations.get(name);
  if (decode === undefined) throw new Error(`${name} is no operation of imports`);
  return decode(body).run(call);
}

/** An exception's name; in front of it `5` for one that blames the service, `?` for what is none of the service's words. */
function nameOf(error: unknown): string {
  if (!(error instanceof KmsError) && !(error instanceof AwsError)) return `? ${String(error)}`;
  return STATUS[error.code] >= 500 ? `5 ${error.code}` : error.code;
}
