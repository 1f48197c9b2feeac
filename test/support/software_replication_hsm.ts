import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  sign,
  type ECDH,
  type KeyObject,
} from 'node:crypto';
import { concat, equalOctets, toHex, u32be, utf8 } from '../../src/bytes.js';
import { HsmError, type HsmErrorCode } from '../../src/hsm/errors.js';
import type { MaterialBinding, StoredMaterial, WrappedMaterial } from '../../src/hsm/material.js';
import type {
  AgreementKey,
  AgreementRequest,
  ReplicationHsm,
  SessionKeys,
} from '../../src/replication/replication_hsm.js';
import { keyMaterialIdChallenge, keyMaterialIdOf } from '../../src/wire/key_material_id.js';
import { thumbprint, type PublicJwk } from '../../src/wire/p384.js';
import { REPLICATION_SUITES, type ReplicationSuite } from '../../src/wire/suite.js';

const KWP_IV = Buffer.from('a65959a6', 'hex');

function wrapKwp(key: Uint8Array, octets: Uint8Array): Uint8Array {
  const cipher = createCipheriv('id-aes256-wrap-pad', key, KWP_IV);
  return concat(cipher.update(octets), cipher.final());
}

function unwrapKwp(key: Uint8Array, blob: Uint8Array): Uint8Array | null {
  try {
    const decipher = createDecipheriv('id-aes256-wrap-pad', key, KWP_IV);
    return concat(decipher.update(blob), decipher.final());
  } catch {
    return null;
  }
}

/** Derives one key as the suite says, from Z and FixedInfo. */
function deriveKey(
  suite: ReplicationSuite,
  z: Uint8Array,
  info: Uint8Array,
  salt: Uint8Array,
  octets: number,
): Uint8Array {
  const sha384 = (...parts: Uint8Array[]): Buffer =>
    createHash('sha384')
      .update(concat(...parts))
      .digest();
  switch (suite) {
    case 'OSKDF-A256KWP':
      return sha384(u32be(1), z, info).subarray(0, octets);
    case 'HKDF384-A256KWP':
      return new Uint8Array(hkdfSync('sha384', z, salt, info, octets));
    case 'SP800108-A256KWP':
      return createHmac('sha384', z).update(u32be(1)).update(info).digest().subarray(0, octets);
    case 'X963-A256KWP':
      return sha384(z, u32be(1), info).subarray(0, octets);
    case 'CBCDERIVE-A256KWP': {
      const cipher = createCipheriv('aes-256-cbc', z.subarray(16), Buffer.alloc(16)).setAutoPadding(false);
      return concat(cipher.update(sha384(info)), cipher.final()).subarray(0, octets);
    }
  }
}

/** Z is the same on both sides: the second to ask is spared the scalar multiplication. */
const agreed = new Map<string, Uint8Array>();

function sharedSecret(ecdh: ECDH, point: Uint8Array, peerPoint: Uint8Array): Uint8Array {
  const name = [toHex(point), toHex(peerPoint)].sort().join();
  const known = agreed.get(name);
  if (known !== undefined) return known;
  const z = ecdh.computeSecret(peerPoint);
  if (agreed.size >= 4_096) agreed.clear();
  agreed.set(name, z);
  return z;
}

interface HeldAgreementKey {
  readonly ecdh: ECDH;
  readonly label: Uint8Array;
}

interface HeldSessionKeys {
  readonly rwk: Uint8Array;
  readonly kck: Uint8Array;
  readonly direction: 'wrap' | 'unwrap';
}

/** A fault that is used once: the call with that name fails, or its result is changed. */
export interface HsmFault {
  readonly call: keyof ReplicationHsm;
  readonly code?: HsmErrorCode;
  readonly change?: (result: unknown) => unknown;
}

/**
 * Token double for tests: the same contract as a region's HSM, with the real cryptography in this process.
 * Objects of a session are lost by {@link crash}; RSKs and the domain key stay.
 */
export class SoftwareReplicationHsm implements ReplicationHsm {
  readonly suites: readonly ReplicationSuite[];
  readonly dataSuites: readonly string[] = ['SP800108-GCM', 'CBCDATA-GCM', 'DIRECT-GCM'];
  readonly fingerprint = 'software double for tests';
  readonly faults: HsmFault[] = [];
  /** Calls by method, for tests that count them. */
  readonly calls = new Map<string, number>();
  /**
   * Pairs that are used again after {@link restartPairs}, for simulations that begin anew thousands of times; null where every pair is
   * made when it is asked for.
   */
  #pairs: ECDH[] | null = null;
  #nextPair = 0;
  /** Told of each signature that was made. */
  onSigned: ((octets: Uint8Array, signature: Uint8Array) => void) | undefined;
  readonly #rsks = new Map<string, KeyObject>();
  readonly #domainKey = randomBytes(32);
  readonly #agreementKeys = new Map<AgreementKey, HeldAgreementKey>();
  readonly #sessionKeys = new Map<SessionKeys, HeldSessionKeys>();

  constructor(suites: readonly ReplicationSuite[] = REPLICATION_SUITES) {
    this.suites = suites;
  }

  #enter<Result>(call: keyof ReplicationHsm, run: () => Result): Result {
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
    const index = this.faults.findIndex((fault) => fault.call === call);
    const fault = index < 0 ? undefined : this.faults.splice(index, 1)[0];
    if (fault?.code !== undefined) throw new HsmError(fault.code, `${call} was made to fail`);
    const result = run();
    return fault?.change === undefined ? result : (fault.change(result) as Result);
  }

  /** Makes an RSK and returns its public half. */
  makeRsk(): { readonly kid: string; readonly jwk: PublicJwk } {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    const jwk: PublicJwk = { kty: 'EC', crv: 'P-384', x, y };
    const kid = thumbprint(jwk);
    this.#rsks.set(kid, privateKey);
    return { kid, jwk };
  }

  /** The pairs of the last simulation are used again, from the first. Within one simulation no pair comes twice. */
  restartPairs(): void {
    this.#pairs ??= [];
    this.#nextPair = 0;
  }

  #makePair(): ECDH {
    const known = this.#pairs?.[this.#nextPair];
    this.#nextPair += 1;
    if (known !== undefined) return known;
    const ecdh = createECDH('secp384r1');
    ecdh.generateKeys();
    this.#pairs?.push(ecdh);
    return ecdh;
  }

  /** The process ends: session objects are gone. */
  crash(): void {
    this.#agreementKeys.clear();
    this.#sessionKeys.clear();
  }

  /** Ephemeral objects that are held now. */
  get heldObjects(): number {
    return this.#agreementKeys.size + this.#sessionKeys.size;
  }

  /** Makes a backing key and returns it as it rests in a database. */
  createMaterial(binding: Omit<MaterialBinding, 'materialId'>): StoredMaterial {
    const octets = randomBytes(32);
    return this.#store(octets, { ...binding, materialId: this.#materialId(octets, binding.keyId) });
  }

  /** The material itself, for tests that compare regions. */
  reveal(material: StoredMaterial): Uint8Array {
    return unwrapKwp(this.#domainKey, material.exportedKeyToken) ?? new Uint8Array();
  }

  #materialId(octets: Uint8Array, keyId: string): string {
    const cipher = createCipheriv('aes-256-cbc', octets, Buffer.alloc(16)).setAutoPadding(false);
    return keyMaterialIdOf(concat(cipher.update(keyMaterialIdChallenge(keyId)), cipher.final()));
  }

  #store(octets: Uint8Array, binding: MaterialBinding): StoredMaterial {
    const exportedKeyToken = wrapKwp(this.#domainKey, octets);
    const recordMac = createHmac('sha256', this.#domainKey)
      .update(concat(utf8(JSON.stringify(binding)), exportedKeyToken))
      .digest();
    return {
      binding,
      exportedKeyToken,
      domainKeyId: toHex(createHash('sha256').update(this.#domainKey).digest()).slice(0, 16),
      publicKey: null,
      recordMac,
    };
  }

  async random(octets: number): Promise<Uint8Array> {
    return this.#enter('random', () => randomBytes(octets));
  }

  async sign(kid: string, octets: Uint8Array): Promise<Uint8Array> {
    return this.#enter('sign', () => {
      const key = this.#rsks.get(kid);
      if (key === undefined) throw new HsmError('ERR_HSM_KEY_NOT_FOUND', `no RSK ${kid}`);
      const signature = sign('sha384', octets, { key, dsaEncoding: 'ieee-p1363' });
      this.onSigned?.(octets, signature);
      return signature;
    });
  }

  async generateAgreementKey(label: Uint8Array): Promise<AgreementKey> {
    return this.#enter('generateAgreementKey', () => {
      const ecdh = this.#makePair();
      const point = ecdh.getPublicKey();
      const key: AgreementKey = { point, label };
      this.#agreementKeys.set(key, { ecdh, label });
      return key;
    });
  }

  async agree(request: AgreementRequest): Promise<SessionKeys> {
    return this.#enter('agree', () => {
      const held = this.#agreementKeys.get(request.key);
      if (held === undefined) throw new HsmError('ERR_HSM_SESSION_LOST', 'the agreement key is gone');
      if (!equalOctets(held.label, request.key.label))
        throw new HsmError('ERR_HSM_AGREEMENT_KEY', 'the object is another key');
      const z = sharedSecret(held.ecdh, request.key.point, request.peerPoint);
      const { suite, salt, fixedInfo, direction } = request;
      const keys: SessionKeys = { suite };
      this.#sessionKeys.set(keys, {
        rwk: deriveKey(suite, z, fixedInfo.rwk, salt, 32),
        kck: deriveKey(suite, z, fixedInfo.kck, salt, 48),
        direction,
      });
      return keys;
    });
  }

  #session(keys: SessionKeys, direction?: 'wrap' | 'unwrap'): HeldSessionKeys {
    const held = this.#sessionKeys.get(keys);
    if (held === undefined) throw new HsmError('ERR_HSM_SESSION_LOST', 'the session keys are gone');
    if (direction !== undefined && held.direction !== direction)
      throw new HsmError('ERR_HSM_POLICY_REFUSED', 'RWK has another usage');
    return held;
  }

  async wrap(keys: SessionKeys, material: StoredMaterial): Promise<WrappedMaterial> {
    return this.#enter('wrap', () => {
      const { rwk } = this.#session(keys, 'wrap');
      if (!material.binding.multiRegion)
        throw new HsmError('ERR_HSM_POLICY_REFUSED', 'not the material of a multi-Region key');
      const octets = unwrapKwp(this.#domainKey, material.exportedKeyToken);
      if (octets === null) throw new HsmError('ERR_HSM_RECORD', 'not of this domain key');
      const { materialId } = material.binding;
      return {
        materialId,
        class: 'CKO_SECRET_KEY',
        keyType: 'CKK_AES',
        lengthOctets: octets.length,
        publicKey: null,
        blob: wrapKwp(rwk, octets),
      };
    });
  }

  async confirm(keys: SessionKeys, octets: Uint8Array): Promise<Uint8Array> {
    return this.#enter('confirm', () => createHmac('sha384', this.#session(keys).kck).update(octets).digest());
  }

  async unwrap(keys: SessionKeys, wrapped: WrappedMaterial, binding: MaterialBinding): Promise<StoredMaterial> {
    return this.#enter('unwrap', () => {
      const { rwk } = this.#session(keys, 'unwrap');
      const octets = unwrapKwp(rwk, wrapped.blob);
      if (octets === null) throw new HsmError('ERR_HSM_UNWRAP', 'the material does not unwrap');
      if (octets.length !== 32 || wrapped.lengthOctets !== 32) throw new HsmError('ERR_HSM_TYPE', 'not an AES-256 key');
      if (this.#materialId(octets, binding.keyId) !== binding.materialId)
        throw new HsmError('ERR_HSM_MATERIAL_ID', 'another material');
      return this.#store(octets, binding);
    });
  }

  async release(...objects: readonly (AgreementKey | SessionKeys)[]): Promise<void> {
    return this.#enter('release', () => {
      for (const object of objects) {
        this.#agreementKeys.delete(object as AgreementKey);
        this.#sessionKeys.delete(object as SessionKeys);
      }
    });
  }

  async ephemeralCount(): Promise<number> {
    return this.heldObjects;
  }
}
