import { createCipheriv, createECDH, createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { concat, equalOctets, fromHex, toHex, u32be, utf8 } from '../bytes.js';
import { CKK_AES, CKM_SHA384_HMAC } from '../token/cryptoki.js';
import { Job } from '../token/job.js';
import type { ObjectHandle } from '../token/object.js';
import { aesCbc, aesKeyWrapPad } from '../token/probe/known_key.js';
import { DATA_SUITES, type DataSuite } from '../wire/ciphertext_blob.js';
import { refusalOfPoint, SCALAR_OCTETS } from '../wire/p384.js';
import type { ReplicationSuite } from '../wire/suite.js';
import { keyMaterialIdChallenge } from '../wire/key_material_id.js';
import { confirmationKeyShape, wrappingKeyShape, type EphemeralKey } from './agreement_key.js';
import type { HsmCapabilities } from './capability.js';
import { HsmError } from './errors.js';
import type { HsmJobs } from './job_runner.js';
import { answerChallenge, identifiedKeyShape } from './key_material_id.js';
import { assertShape, templateOf, type KeyShape } from './key_shape.js';
import {
  gcm,
  messageKey,
  messageKeyBlocks,
  assertMessageKey,
  messageKeyFixedInput,
  messageKeySteps,
  ownIvPlaceOf,
  readMessageKey,
  sealingGcm,
} from './message_key.js';
import { jwkOf } from './signing_key.js';
import { randomOctets } from './random_pool.js';
import { deriveAgreedKeys, EPHEMERAL_LABEL } from './strategy/agreement.js';
import { expectedKey } from './strategy/software_agreement.js';

/** A published test key: whatever is derived with it is no secret, so that software can compute the same. */
const testKey = createECDH('secp384r1');
testKey.setPrivateKey(createHash('sha384').update('keyferry agreement self-test').digest());
const TEST_POINT = Uint8Array.from(testKey.getPublicKey());

/** The base point G of P-384: what a private key d agrees with it is the x of d · G, and that is its own public half. */
const BASE_POINT = fromHex(
  '04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7' +
    '3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f',
);

const SALT = createHash('sha384').update('keyferry self-test salt').digest();
const MESSAGE = utf8('keyferry self-test');

function hmac384(key: Uint8Array, octets: Uint8Array): Uint8Array {
  return createHmac('sha384', key).update(octets).digest();
}

function sp800108(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  return createHmac('sha256', key)
    .update(concat(u32be(1), messageKeyFixedInput(nonce)))
    .digest();
}

function cbcData(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  return aesCbc(key, nonce, messageKeyBlocks());
}

const softwareMessageKey: Readonly<Record<DataSuite, (key: Uint8Array, nonce: Uint8Array) => Uint8Array>> = {
  'SP800108-GCM': sp800108,
  'CBCDATA-GCM': cbcData,
  'SP800108-GCM-TOKENIV': sp800108,
  'CBCDATA-GCM-TOKENIV': cbcData,
  'DIRECT-GCM': (key) => key,
};

function aesGcm(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
  return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/**
 * Checks this process's own SHA-384 and ECDSA verification, which every signature of the HSM is checked with.
 *
 * @source FIPS 180-4 example "abc"; RFC 6979 appendix A.2.6, P-384 with SHA-384, message "sample"
 */
export function softwareSelfTest(): string | null {
  const digest = toHex(createHash('sha384').update('abc').digest());
  if (digest !== 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7') {
    return 'SHA-384';
  }
  const point = fromHex(
    '04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13' +
      '8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720',
  );
  const signature = fromHex(
    '94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46' +
      '99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8',
  );
  const key = { key: createPublicKey({ key: { ...jwkOf(point) }, format: 'jwk' }), dsaEncoding: 'ieee-p1363' as const };
  const isGood = verify('sha384', utf8('sample'), key, signature);
  return isGood && !verify('sha384', utf8('sampel'), key, signature) ? null : 'ECDSA P-384 verification';
}

/** Known answers and consistency checks of a region's HSM. A failure stops the HSM. */
export class SelfTest {
  readonly #jobs: HsmJobs;
  readonly #capabilities: HsmCapabilities;

  constructor(jobs: HsmJobs, capabilities: HsmCapabilities) {
    this.#jobs = jobs;
    this.#capabilities = capabilities;
  }

  /**
   * What can be tested without any key: this process's digest and verification, and the random generator.
   *
   * @throws {@link HsmError} `ERR_HSM_SELF_TEST`
   */
  async withoutKeys(): Promise<void> {
    const software = softwareSelfTest();
    if (software !== null) throw this.#jobs.health.stop(`this process computes ${software} wrongly`);
    const first = await randomOctets(this.#jobs, 64);
    const second = await randomOctets(this.#jobs, 64);
    const isConstant = first.length !== 64 || new Set(first).size < 16 || equalOctets(first, second);
    if (isConstant) throw this.#jobs.health.stop('the token’s random generator repeats itself');
  }

  /**
   * Known answers of every strategy: derivation, key confirmation, key wrap in both directions, message keys and key material id,
   * compared with what software computes from the published test key.
   *
   * @param key - a fresh agreement key, `handle` its private half
   * @throws {@link HsmError} `ERR_HSM_SELF_TEST`
   */
  async knownAnswers(key: EphemeralKey, handle: ObjectHandle): Promise<void> {
    for (const suite of this.#capabilities.suites) await this.#knownAnswers(suite, key, handle);
  }

  /**
   * Pairwise consistency of a new agreement key: its public half is on the curve, and the token agrees with the base point on the x of
   * that public half. Software multiplies nothing: each replication makes two keys, and a multiplication takes longer than a signature.
   *
   * @throws {@link HsmError} `ERR_HSM_SELF_TEST`; `ERR_HSM_STRATEGY` where the token has no replication suite
   * @source NIST SP 800-56A r3 sections 5.6.2.1.4 and 5.6.2.3.3
   */
  async agreementKey(key: EphemeralKey, handle: ObjectHandle): Promise<void> {
    const [suite] = this.#capabilities.suites;
    if (suite === undefined) {
      throw new HsmError('ERR_HSM_STRATEGY', 'the token has no replication suite', {
        details: { missing: this.#capabilities.missing.map((missing) => `${missing.strategy}: ${missing.reason}`) },
      });
    }
    const shape = confirmationKeyShape(key.label);
    const fixedInfo = utf8('keyferry self-test KCK');
    const job = new Job('agreement key consistency', suite);
    const inputs = { peerPoint: BASE_POINT, salt: SALT };
    const outputs = deriveAgreedKeys(job, suite, handle, inputs, [{ shape, fixedInfo }], this.#capabilities);
    const [derived] = outputs.keys;
    if (derived === undefined) throw new TypeError('one key was asked for');
    const mac = job.sign({ type: CKM_SHA384_HMAC, parameter: { kind: 'none' } }, derived.key, MESSAGE);
    const result = await this.#jobs.run(job);
    const z = key.point.subarray(1, 1 + SCALAR_OCTETS);
    const expected = hmac384(expectedKey(suite, { z, salt: SALT, fixedInfo, octets: 48 }), MESSAGE);
    if (refusalOfPoint(key.point, 'point') !== null || !equalOctets(result.bytes(mac), expected)) {
      throw this.#jobs.health.stop('a new agreement key does not agree with its own public half', { suite });
    }
  }

  async #knownAnswers(suite: ReplicationSuite, key: EphemeralKey, handle: ObjectHandle): Promise<void> {
    const z = Uint8Array.from(testKey.computeSecret(key.point));
    const known = (label: string, octets: number): Uint8Array =>
      expectedKey(suite, { z, salt: SALT, fixedInfo: utf8(label), octets });
    const dataSuites = DATA_SUITES.filter((dataSuite) => this.#capabilities.dataSuites.includes(dataSuite));
    const base: Pick<KeyShape, 'keyType' | 'lengthOctets' | 'label' | 'id'> = {
      keyType: CKK_AES,
      lengthOctets: 32,
      label: EPHEMERAL_LABEL,
      id: key.label,
    };
    const agreed = [
      { shape: confirmationKeyShape(key.label), fixedInfo: utf8('KCK') },
      { shape: wrappingKeyShape(key.label, 'wrap', this.#capabilities), fixedInfo: utf8('wrap') },
      { shape: wrappingKeyShape(key.label, 'unwrap', this.#capabilities), fixedInfo: utf8('unwrap') },
      ...dataSuites.map((dataSuite) => {
        const { uses, allowedMechanisms } = messageKeySteps[dataSuite];
        return { shape: { ...base, uses, allowedMechanisms }, fixedInfo: utf8(dataSuite) };
      }),
    ];
    const job = new Job('known answers', suite);
    const inputs = { peerPoint: TEST_POINT, salt: SALT };
    const outputs = deriveAgreedKeys(job, suite, handle, inputs, agreed, this.#capabilities);
    const [confirming, wrapping, unwrapping, ...bases] = outputs.keys.map((output) => output.key);
    if (confirming === undefined || wrapping === undefined || unwrapping === undefined) {
      throw new TypeError('three keys were asked for');
    }
    const wrapMechanism = { type: this.#capabilities.keyWrapPad, parameter: { kind: 'none' } } as const;
    const mac = job.sign({ type: CKM_SHA384_HMAC, parameter: { kind: 'none' } }, confirming, MESSAGE);
    const foreign = createHash('sha256').update('keyferry self-test material').digest();
    const foreignBlob = aesKeyWrapPad(known('unwrap', 32), foreign);
    const [identified, target] = [identifiedKeyShape(), { ...base, uses: [], extractable: true }].map((shape) =>
      job.unwrapKey(wrapMechanism, unwrapping, foreignBlob, templateOf(shape, 'unwrap', this.#capabilities)),
    );
    if (identified === undefined || target === undefined) throw new TypeError('two keys were unwrapped');
    const answer = answerChallenge(job, identified, 'self-test');
    const wrapped = job.wrapKey(wrapMechanism, wrapping, target);
    const nonce = SALT.subarray(0, 16);
    const iv = SALT.subarray(16, 28);
    const checks = dataSuites.map((dataSuite, at) => {
      const backingKey = bases[at];
      if (backingKey === undefined) throw new TypeError('a key for each data suite was asked for');
      const encrypting = messageKey(job, dataSuite, backingKey, nonce, 'encrypt');
      const told = ownIvPlaceOf(dataSuite, this.#capabilities);
      const sealed = job.encrypt(sealingGcm(told, iv, MESSAGE), encrypting, foreign);
      const decrypting = messageKey(job, dataSuite, backingKey, nonce, 'decrypt');
      const derived =
        messageKeySteps[dataSuite].derivation === null
          ? []
          : ([
              ['encrypt', encrypting],
              ['decrypt', decrypting],
            ] as const);
      const reads = derived.map(([use, read]) => ({ use, attributes: readMessageKey(job, read) }));
      const softwareKey = softwareMessageKey[dataSuite](known(dataSuite, 32), nonce);
      const expected = aesGcm(softwareKey, iv, MESSAGE, foreign);
      const opened = job.decrypt(gcm(iv, MESSAGE), decrypting, expected);
      const answer = (octets: Uint8Array): Uint8Array =>
        told === null
          ? expected
          : concat(octets.subarray(0, iv.length), aesGcm(softwareKey, octets.subarray(0, iv.length), MESSAGE, foreign));
      return { dataSuite, reads, sealed, opened, answer };
    });
    const result = await this.#jobs.run(job);
    outputs.keys.forEach((output, at) => {
      const shape = agreed[at]?.shape;
      if (shape !== undefined) assertShape(result.attributes(output.attributes), shape, this.#capabilities);
    });
    const fail = (what: string): never => {
      throw this.#jobs.health.stop(`the token’s answer is not the known answer: ${what}`, { suite });
    };
    if (!equalOctets(result.bytes(mac), hmac384(known('KCK', 48), MESSAGE))) fail('key derivation, or HMAC-SHA-384');
    if (!equalOctets(result.bytes(wrapped), aesKeyWrapPad(known('wrap', 32), foreign))) fail('RFC 5649 wrap');
    const expectedAnswer = aesCbc(foreign, new Uint8Array(16), keyMaterialIdChallenge('self-test'));
    if (!equalOctets(result.bytes(answer), expectedAnswer)) fail('RFC 5649 unwrap, or AES-CBC');
    for (const check of checks) {
      const ciphertext = result.bytes(check.sealed);
      if (!equalOctets(ciphertext, check.answer(ciphertext))) fail(`${check.dataSuite} encryption`);
      if (!equalOctets(result.bytes(check.opened), foreign)) fail(`${check.dataSuite} decryption`);
      for (const { attributes, use } of check.reads) assertMessageKey(result.attributes(attributes), use);
    }
  }
}
