import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { toBase64Url, utf8 } from '../bytes.js';
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_ID,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_TOKEN,
  CKA_VERIFY,
  CKK_EC,
  CKM_ECDSA,
  CKM_EC_KEY_PAIR_GEN,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
} from '../token/cryptoki.js';
import { Job } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { template } from '../token/template.js';
import { verifyEs384OnThreadPool } from '../wire/jws.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { assertShape, readBack, templateOf, type KeyShape } from './key_shape.js';
import { P384_PARAMETERS, pointFrom } from './p384_point.js';
import { findTokenKeys, nextKeyId, pendingLabel, Remembered, type KeyLabel, type TokenKey } from './token_keys.js';

/** Public half of a signing key as a JWK; exactly the members that its thumbprint covers. */
export interface SigningKeyJwk {
  readonly kty: 'EC';
  readonly crv: 'P-384';
  readonly x: string;
  readonly y: string;
}

/** A signing key of this token. */
export interface SigningKeyInfo {
  /** base64url of the SHA-384 JWK thumbprint. */
  readonly kid: string;
  readonly jwk: SigningKeyJwk;
}

interface SigningKey extends SigningKeyInfo {
  readonly token: TokenKey;
  readonly publicHandle: ObjectHandle;
  readonly publicKey: KeyObject;
}

/**
 * The kid of a P-384 public key.
 *
 * @returns base64url of SHA-384 over the JWK's required members in lexicographic order
 * @source RFC 7638 section 3
 */
export function kidOf(jwk: SigningKeyJwk): string {
  const members = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y });
  return toBase64Url(createHash('sha384').update(members).digest());
}

/** JWK of an uncompressed P-384 point, 97 octets. */
export function jwkOf(point: Uint8Array): SigningKeyJwk {
  return { kty: 'EC', crv: 'P-384', x: toBase64Url(point.subarray(1, 49)), y: toBase64Url(point.subarray(49)) };
}

function privateShape(id: Uint8Array, label: string, signMechanism: number): KeyShape {
  return { keyType: CKK_EC, uses: ['sign'], label, id, onToken: true, allowedMechanisms: [signMechanism] };
}

/** ECDSA P-384 keys under one label: a region's replication signing keys, or the partition authority's key. */
export class SigningKeys {
  readonly #jobs: HsmJobs;
  readonly #capabilities: HsmCapabilities;
  readonly #label: KeyLabel;
  readonly #keys: Remembered<ReadonlyMap<string, SigningKey>>;

  constructor(jobs: HsmJobs, capabilities: HsmCapabilities, label: KeyLabel) {
    this.#jobs = jobs;
    this.#capabilities = capabilities;
    this.#label = label;
    this.#keys = new Remembered(jobs, () => this.#find());
  }

  /** The keys in the token, the newest first. Which of them may be used, the roster says. */
  list(): Promise<readonly SigningKeyInfo[]> {
    return this.#jobs.healing(async () => [...(await this.#keys.get()).values()].map(({ kid, jwk }) => ({ kid, jwk })));
  }

  /**
   * Makes a new key. It is signed with and verified before it gets its name: a key that was only half made is swept away later.
   *
   */
  async generate(): Promise<SigningKeyInfo> {
    const id = nextKeyId(await findTokenKeys(this.#jobs, CKO_PRIVATE_KEY, this.#label));
    const pending = pendingLabel(this.#label);
    const shape = privateShape(id, pending, this.#capabilities.signMechanism);
    const job = new Job('generate signing key', 'EC P-384');
    const { publicKey, privateKey } = job.generateKeyPair(
      { type: CKM_EC_KEY_PAIR_GEN, parameter: { kind: 'none' } },
      template(
        [CKA_CLASS, CKO_PUBLIC_KEY],
        [CKA_KEY_TYPE, CKK_EC],
        [CKA_TOKEN, true],
        [CKA_PRIVATE, false],
        [CKA_VERIFY, true],
        [CKA_EC_PARAMS, P384_PARAMETERS],
        [CKA_LABEL, utf8(pending)],
        [CKA_ID, id],
      ),
      templateOf(shape, 'generate', this.#capabilities),
    );
    const attributes = readBack(job, privateKey, shape, this.#capabilities);
    const point = job.getAttributes(publicKey, [CKA_EC_POINT]);
    const keptPublic = job.keep(publicKey);
    const keptPrivate = job.keep(privateKey);
    const result = await this.#jobs.run(job);
    const privateHandle = result.object(keptPrivate);
    const publicHandle = result.object(keptPublic);
    try {
      assertShape(result.attributes(attributes), shape, this.#capabilities);
      const jwk = jwkOf(pointFrom(result.attributes(point).get(CKA_EC_POINT)));
      const publicKeyObject = createPublicKey({ key: { ...jwk }, format: 'jwk' });
      await this.#signWith(privateHandle, publicKeyObject, utf8('keyferry pairwise consistency'));
      await this.#name(publicHandle, privateHandle);
      this.#keys.forget();
      return { kid: kidOf(jwk), jwk };
    } catch (error) {
      await this.#jobs.destroy(privateHandle, 'destroy signing key').catch(() => undefined);
      await this.#jobs.destroy(publicHandle, 'destroy signing key').catch(() => undefined);
      throw error;
    }
  }

  /**
   * Signs octets in the token.
   *
   * @returns r || s, 96 octets, verified in software
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND`; `ERR_HSM_SELF_TEST` for a signature that does not verify, and the HSM stops
   * @source RFC 7518 section 3.4 (ES384)
   */
  sign(kid: string, octets: Uint8Array): Promise<Uint8Array> {
    return this.#jobs.healing(async () => {
      const key = (await this.#keys.get()).get(kid);
      if (key === undefined) {
        throw new HsmError('ERR_HSM_KEY_NOT_FOUND', `the token holds no signing key ${kid}`, { details: { kid } });
      }
      return this.#signWith(key.token.handle, key.publicKey, octets);
    });
  }

  /** Signs and verifies with every key, so that a damaged key is known before it is needed. */
  async selfTest(): Promise<void> {
    for (const key of (await this.#keys.get()).values()) {
      await this.#signWith(key.token.handle, key.publicKey, utf8('keyferry pairwise consistency'));
    }
  }

  /**
   * Destroys a key and checks that it is gone.
   *
   * @throws {@link HsmError} `ERR_HSM_KEY_NOT_FOUND`, `ERR_HSM_NOT_DESTROYED`
   */
  async destroy(kid: string): Promise<void> {
    const key = (await this.#keys.get()).get(kid);
    if (key === undefined) {
      throw new HsmError('ERR_HSM_KEY_NOT_FOUND', `the token holds no signing key ${kid}`, { details: { kid } });
    }
    this.#keys.forget();
    await this.#jobs.destroy(key.token.handle, 'destroy signing key');
    await this.#jobs.destroy(key.publicHandle, 'destroy signing key');
  }

  /** Destroys what an interrupted {@link generate} left: keys without their name, and public halves without a private one. */
  async sweep(): Promise<void> {
    const pending = pendingLabel(this.#label);
    for (const key of await findTokenKeys(this.#jobs, CKO_PRIVATE_KEY, pending)) {
      await this.#jobs.destroy(key.handle, 'sweep signing key');
    }
    for (const key of await findTokenKeys(this.#jobs, CKO_PUBLIC_KEY, pending)) {
      await this.#jobs.destroy(key.handle, 'sweep signing key');
    }
    const whole = new Set((await findTokenKeys(this.#jobs, CKO_PRIVATE_KEY, this.#label)).map((key) => key.idHex));
    for (const key of await findTokenKeys(this.#jobs, CKO_PUBLIC_KEY, this.#label)) {
      if (!whole.has(key.idHex)) await this.#jobs.destroy(key.handle, 'sweep signing key');
    }
    this.#keys.forget();
  }

  /** The commit: the public half first, so that a private key with its name always has one. */
  async #name(publicHandle: ObjectHandle, privateHandle: ObjectHandle): Promise<void> {
    for (const handle of [publicHandle, privateHandle]) {
      const job = new Job('name signing key', this.#label);
      job.setAttributes(handle, template([CKA_LABEL, utf8(this.#label)]));
      await this.#jobs.run(job);
    }
  }

  async #signWith(handle: ObjectHandle, publicKey: KeyObject, octets: Uint8Array): Promise<Uint8Array> {
    const { signMechanism } = this.#capabilities;
    // HAZARD: CKM_ECDSA takes input of any length and signs its first octets; only whole digests may reach it.
    const data = signMechanism === CKM_ECDSA ? createHash('sha384').update(octets).digest() : octets;
    const job = new Job('sign', 'ES384');
    const output = job.sign({ type: signMechanism, parameter: { kind: 'none' } }, handle, data);
    const signature = (await this.#jobs.run(job)).bytes(output);
    const isGood = signature.length === 96 && (await verifyEs384OnThreadPool(publicKey, octets, signature));
    if (!isGood)
      throw this.#jobs.health.stop('the token made a signature that does not verify', { label: this.#label });
    return signature;
  }

  async #find(): Promise<ReadonlyMap<string, SigningKey>> {
    const publicKeys = await findTokenKeys(this.#jobs, CKO_PUBLIC_KEY, this.#label);
    const keys = new Map<string, SigningKey>();
    for (const token of await findTokenKeys(this.#jobs, CKO_PRIVATE_KEY, this.#label)) {
      const publicHalf = publicKeys.find((candidate) => candidate.idHex === token.idHex);
      if (publicHalf === undefined) continue;
      const job = new Job('read signing key', this.#label);
      const attributes = job.getAttributes(publicHalf.handle, [CKA_EC_POINT]);
      const jwk = jwkOf(pointFrom((await this.#jobs.run(job)).attributes(attributes).get(CKA_EC_POINT)));
      const publicKey = createPublicKey({ key: { ...jwk }, format: 'jwk' });
      keys.set(kidOf(jwk), { kid: kidOf(jwk), jwk, token, publicHandle: publicHalf.handle, publicKey });
    }
    return keys;
  }
}
