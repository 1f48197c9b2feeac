import { createCipheriv, createDecipheriv, createECDH, createHmac, randomBytes } from 'node:crypto';
import { expectedKey } from '../../src/hsm/strategy/software_agreement.js';
import type { MaterialBinding, StoredMaterial, WrappedMaterial } from '../../src/hsm/material.js';
import type {
  AgreementKey,
  AgreementRequest,
  ReplicationHsm,
  SessionKeys,
} from '../../src/replication/replication_hsm.js';
import { keyMaterialIdChallenge, keyMaterialIdOf } from '../../src/wire/key_material_id.js';
import type { ReplicationSuite } from '../../src/wire/suite.js';

/** Initial value of AES key wrap with padding, before the length of the key. */
const KWP_PREFIX = Buffer.from('a65959a6', 'hex');

/** RFC 5649 in software. */
export function wrapKwp(wrappingKey: Uint8Array, key: Uint8Array): Buffer {
  const cipher = createCipheriv('id-aes256-wrap-pad', wrappingKey, KWP_PREFIX);
  return Buffer.concat([cipher.update(key), cipher.final()]);
}

/** The wrapping function of RFC 3394 over whole blocks, with any 8 octets as initial value. */
export function wrapWithInitialValue(wrappingKey: Uint8Array, initialValue: Uint8Array, blocks: Uint8Array): Buffer {
  const cipher = createCipheriv('id-aes256-wrap', wrappingKey, initialValue);
  return Buffer.concat([cipher.update(blocks), cipher.final()]);
}

/** What unwraps, or null. */
export function unwrapKwp(wrappingKey: Uint8Array, blob: Uint8Array): Buffer | null {
  try {
    const decipher = createDecipheriv('id-aes256-wrap-pad', wrappingKey, KWP_PREFIX);
    return Buffer.concat([decipher.update(blob), decipher.final()]);
  } catch {
    return null;
  }
}

/** Key material id of some octets. */
export function materialIdOf(octets: Uint8Array, keyId: string): string {
  const cipher = createCipheriv('aes-256-cbc', octets, Buffer.alloc(16)).setAutoPadding(false);
  return keyMaterialIdOf(Buffer.concat([cipher.update(keyMaterialIdChallenge(keyId)), cipher.final()]));
}

/** Every secret of one agreement, as somebody sees them who made it outside a token. */
export interface Revealed {
  readonly privateKey: Buffer;
  readonly z: Buffer;
  readonly rwk: Buffer;
  readonly kck: Buffer;
}

/** Where a compromised region does something else than the protocol says; each is used until it is taken away. */
export interface Deviations {
  /** Private scalar of the next agreement keys, 48 octets. */
  privateKey?: Uint8Array;
  /** The blob of a material. */
  blob?: (revealed: Revealed, octets: Uint8Array) => Uint8Array;
  /** FixedInfo of RWK; that of KCK stays right, so that the key confirmation is good. */
  wrappingInfo?: (fixedInfo: Uint8Array) => Uint8Array;
  /** A key confirmation; undefined for the right one. */
  confirmation?: (revealed: Revealed, octets: Uint8Array) => Uint8Array | undefined;
}

/**
 * The HSM of a region whose software the adversary owns: its RSK signs in the real token, and everything ephemeral is outside, known
 * and deviating where a test says so. Without deviations it follows the protocol to the letter.
 */
export class CompromisedHsm implements ReplicationHsm {
  readonly suites: readonly ReplicationSuite[];
  readonly dataSuites: readonly string[];
  readonly fingerprint: string;
  /** Replaced by tests. */
  deviations: Deviations = {};
  /** All agreements so far. */
  readonly revealed: Revealed[] = [];
  /** Material that it knows, by key material id. */
  readonly materials = new Map<string, Buffer>();
  readonly #real: ReplicationHsm;
  readonly #scalars = new Map<AgreementKey, Buffer>();
  readonly #sessions = new Map<SessionKeys, Revealed>();

  constructor(real: ReplicationHsm, suites: readonly ReplicationSuite[] = real.suites) {
    this.#real = real;
    this.suites = suites;
    this.dataSuites = real.dataSuites;
    this.fingerprint = real.fingerprint;
  }

  /** Notes material that it can wrap, and gives it the form in which a database would hold it. */
  know(octets: Buffer, binding: Omit<MaterialBinding, 'materialId'>): StoredMaterial {
    const materialId = materialIdOf(octets, binding.keyId);
    this.materials.set(materialId, octets);
    return {
      binding: { ...binding, materialId },
      exportedKeyToken: randomBytes(40),
      domainKeyId: '00',
      recordMac: randomBytes(32),
    };
  }

  random(octets: number): Promise<Uint8Array> {
    return this.#real.random(octets);
  }

  sign(kid: string, octets: Uint8Array): Promise<Uint8Array> {
    return this.#real.sign(kid, octets);
  }

  async generateAgreementKey(label: Uint8Array): Promise<AgreementKey> {
    const ecdh = createECDH('secp384r1');
    if (this.deviations.privateKey === undefined) ecdh.generateKeys();
    else ecdh.setPrivateKey(this.deviations.privateKey);
    const key: AgreementKey = { point: Uint8Array.from(ecdh.getPublicKey()), label };
    this.#scalars.set(key, ecdh.getPrivateKey());
    return key;
  }

  async agree(request: AgreementRequest): Promise<SessionKeys> {
    const { key, peerPoint, suite, salt, fixedInfo } = request;
    const ecdh = createECDH('secp384r1');
    const privateKey = this.#scalars.get(key) ?? Buffer.alloc(0);
    ecdh.setPrivateKey(privateKey);
    const z = ecdh.computeSecret(peerPoint);
    const rwkInfo = this.deviations.wrappingInfo?.(fixedInfo.rwk) ?? fixedInfo.rwk;
    const revealed: Revealed = {
      privateKey,
      z,
      rwk: Buffer.from(expectedKey(suite, { z, salt, fixedInfo: rwkInfo, octets: 32 })),
      kck: Buffer.from(expectedKey(suite, { z, salt, fixedInfo: fixedInfo.kck, octets: 48 })),
    };
    this.revealed.push(revealed);
    const keys: SessionKeys = { suite };
    this.#sessions.set(keys, revealed);
    return keys;
  }

  async wrap(keys: SessionKeys, material: StoredMaterial): Promise<WrappedMaterial> {
    const revealed = this.#session(keys);
    const { materialId } = material.binding;
    const octets = this.materials.get(materialId);
    if (octets === undefined) throw new Error(`the compromised region does not know material ${materialId}`);
    const blob = this.deviations.blob?.(revealed, octets) ?? wrapKwp(revealed.rwk, octets);
    return { materialId, class: 'CKO_SECRET_KEY', keyType: 'CKK_AES', lengthOctets: 32, blob };
  }

  async confirm(keys: SessionKeys, octets: Uint8Array): Promise<Uint8Array> {
    const revealed = this.#session(keys);
    return (
      this.deviations.confirmation?.(revealed, octets) ?? createHmac('sha384', revealed.kck).update(octets).digest()
    );
  }

  async unwrap(keys: SessionKeys, wrapped: WrappedMaterial, binding: MaterialBinding): Promise<StoredMaterial> {
    const octets = unwrapKwp(this.#session(keys).rwk, wrapped.blob);
    if (octets === null) throw new Error('the compromised region cannot unwrap what it was sent');
    const { materialId: _ignored, ...known } = binding;
    return this.know(octets, known);
  }

  async release(...objects: readonly (AgreementKey | SessionKeys)[]): Promise<void> {
    for (const object of objects) {
      this.#scalars.delete(object as AgreementKey);
      this.#sessions.delete(object as SessionKeys);
    }
  }

  ephemeralCount(): Promise<number> {
    return this.#real.ephemeralCount();
  }

  #session(keys: SessionKeys): Revealed {
    const revealed = this.#sessions.get(keys);
    if (revealed === undefined) throw new Error('the agreement is gone');
    return revealed;
  }
}
