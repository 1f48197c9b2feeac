import { createECDH, createPublicKey, hkdfSync, verify, type KeyObject } from 'node:crypto';
import { utf8 } from '../../bytes.js';
import {
  CKA_CLASS,
  CKA_DERIVE,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VERIFY,
  CKD_NULL,
  CKD_SHA384_KDF,
  CKD_SHA384_KDF_SP800,
  CKK_EC,
  CKM_ECDH1_DERIVE,
  CKM_ECDSA,
  CKM_ECDSA_SHA384,
  CKM_EC_KEY_PAIR_GEN,
  CKM_HKDF_DERIVE,
  CKM_SHA384,
  CKM_SHA384_HMAC,
  CKM_SP800_108_COUNTER_KDF,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
} from '../cryptoki.js';
import type { Job, ObjectRef } from '../job.js';
import type { Mechanism } from '../mechanism.js';
import { notTried } from '../not_tried.js';
import type { ObjectHandle } from '../object.js';
import type { FactName } from '../profile.js';
import { template, type Template } from '../template.js';
import { cbcEncryptData, cbcEncryptDataResult, derivedTemplate, isDerived, useDerived } from './derivation.js';
import { knownOctets48, oneStepSha384, sha384, sp800108HmacSha384, x963Sha384 } from './known_key.js';
import { plain, probeLabel, secretKeyTemplate, type ProbeContext } from './probe_context.js';

/** DER of the object identifier of P-384 (1.3.132.0.34). */
const P384_PARAMS = Buffer.from('06052b81040022', 'hex');
const POINT_BYTES = 97;
const AES_256_BYTES = 32;
const Z_BYTES = 48;

/** What a pair of EC keys of a probe may be used for. */
export interface EcPairShape {
  readonly usage: 'sign' | 'derive' | 'none';
  readonly extractable?: boolean;
}

/** Templates of a P-384 pair of session objects: the public and the private half. */
export function ecPairTemplates(shape: EcPairShape): readonly [Template, Template] {
  return [
    template(
      [CKA_CLASS, CKO_PUBLIC_KEY],
      [CKA_KEY_TYPE, CKK_EC],
      [CKA_TOKEN, false],
      [CKA_LABEL, utf8(probeLabel)],
      [CKA_EC_PARAMS, P384_PARAMS],
      [CKA_VERIFY, shape.usage === 'sign'],
    ),
    template(
      [CKA_CLASS, CKO_PRIVATE_KEY],
      [CKA_KEY_TYPE, CKK_EC],
      [CKA_TOKEN, false],
      [CKA_PRIVATE, true],
      [CKA_LABEL, utf8(probeLabel)],
      [CKA_SENSITIVE, true],
      [CKA_EXTRACTABLE, shape.extractable ?? false],
      [CKA_SIGN, shape.usage === 'sign'],
      [CKA_DERIVE, shape.usage === 'derive'],
    ),
  ];
}

/** A P-384 pair in the token. */
export interface ProbePair {
  readonly privateKey: ObjectHandle;
  /** Uncompressed, 97 octets. */
  readonly point: Uint8Array;
}

/** Generates a P-384 pair that lives until the probe ends. */
export async function generateProbePair(context: ProbeContext, shape: EcPairShape): Promise<ProbePair> {
  const { result, outputs } = await context.run('ecKeyPairP384', (job) => {
    const pair = job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates(shape));
    const attributes = job.getAttributes(pair.publicKey, [CKA_EC_POINT]);
    return { attributes, privateKey: job.keep(pair.privateKey) };
  });
  const privateKey = context.keepUntilEnd(result.object(outputs.privateKey));
  const encoded = result.attributes(outputs.attributes).get(CKA_EC_POINT)?.octets ?? new Uint8Array();
  // DER OCTET STRING: 0x04, length 0x61, then the point, which itself starts with 0x04.
  const isDer = encoded.length === POINT_BYTES + 2 && encoded[0] === 0x04 && encoded[1] === POINT_BYTES;
  context.rules.ecPointEncoding = isDer ? 'der' : 'raw';
  return { privateKey, point: isDer ? encoded.subarray(2) : encoded };
}

/** A point of P-384 as a public key of Node. */
export function publicKeyOf(point: Uint8Array): KeyObject {
  const coordinate = (start: number): string => Buffer.from(point.subarray(start, start + 48)).toString('base64url');
  return createPublicKey({
    format: 'jwk',
    key: { kty: 'EC', crv: 'P-384', x: coordinate(1), y: coordinate(49) },
  });
}

/** `CKM_ECDH1_DERIVE` with a peer's point. */
export function ecdh1(kdf: number, sharedData: Uint8Array | null, publicData: Uint8Array): Mechanism {
  return { type: CKM_ECDH1_DERIVE, parameter: { kind: 'ecdh1', kdf, sharedData, publicData } };
}

/** Probes EC keys: signatures and key agreement with every derivation that a suite needs. */
export async function probeAgreement(context: ProbeContext): Promise<void> {
  let agreement: ProbePair | undefined;
  await context.fact('ecKeyPairP384', CKM_EC_KEY_PAIR_GEN, async () => {
    agreement = await generateProbePair(context, { usage: 'derive' });
    if (agreement.point.length !== POINT_BYTES || agreement.point[0] !== 0x04)
      return 'the public point is not uncompressed';
    publicKeyOf(agreement.point);
    return true;
  });
  await probeSignatures(context);
  const names: readonly FactName[] = [
    'ecdh1Null48',
    'ecdh1NullAes256',
    'ecdh1NullAes256Trailing',
    'ecdh1X963Sha384',
    'ecdh1Sp800Sha384',
    'hkdfSha384',
    'sp800108HmacSha384OnZ',
    'cbcDerive',
  ];
  if (agreement === undefined || !context.works('ecKeyPairP384')) {
    for (const name of names) context.lacks(name, CKM_ECDH1_DERIVE, 'ecKeyPairP384');
    return;
  }
  const peer = createECDH('secp384r1');
  const peerPoint = peer.generateKeys();
  await probeDerivationsOfZ(context, agreement.privateKey, peerPoint, peer.computeSecret(agreement.point));
}

async function probeSignatures(context: ProbeContext): Promise<void> {
  const signatures: readonly (readonly [FactName, number, Uint8Array])[] = [
    ['ecdsa', CKM_ECDSA, sha384(knownOctets48)],
    ['ecdsaSha384', CKM_ECDSA_SHA384, knownOctets48],
  ];
  if (!context.works('ecKeyPairP384')) {
    for (const [name, type] of signatures) context.lacks(name, type, 'ecKeyPairP384');
    return;
  }
  const signing = await generateProbePair(context, { usage: 'sign' });
  for (const [name, type, input] of signatures) {
    await context.fact(name, type, async () => {
      const { result, outputs } = await context.run(name, (job) => job.sign(plain(type), signing.privateKey, input));
      const key = { key: publicKeyOf(signing.point), dsaEncoding: 'ieee-p1363' as const };
      return verify('sha384', knownOctets48, key, result.bytes(outputs));
    });
  }
}

async function probeDerivationsOfZ(
  context: ProbeContext,
  privateKey: ObjectHandle,
  peerPoint: Uint8Array,
  z: Uint8Array,
): Promise<void> {
  const info = utf8('keyferry probe: fixed information');
  const derive = async (name: string, mechanism: Mechanism, octets: number): Promise<Uint8Array> => {
    const { result, outputs } = await context.run(name, (job) =>
      useDerived(job, job.deriveKey(mechanism, privateKey, derivedTemplate(octets)), octets),
    );
    return result.bytes(outputs);
  };
  const withNull = ecdh1(CKD_NULL, null, peerPoint);

  await context.fact('ecdh1Null48', CKM_ECDH1_DERIVE, async () =>
    isDerived(await derive('ecdh1Null48', withNull, Z_BYTES), z),
  );
  await context.fact('ecdh1NullAes256', CKM_ECDH1_DERIVE, async () => {
    const used = await derive('ecdh1NullAes256', withNull, AES_256_BYTES);
    const isTrailing = isDerived(used, z.subarray(Z_BYTES - AES_256_BYTES));
    const isLeading = isDerived(used, z.subarray(0, AES_256_BYTES));
    context.rules.ecdh1Truncation = isTrailing ? 'trailing' : isLeading ? 'leading' : 'other';
    return isTrailing || isLeading;
  });
  await context.fact('ecdh1NullAes256Trailing', CKM_ECDH1_DERIVE, async () => {
    const kept = context.rules.ecdh1Truncation;
    if (kept === 'trailing') return true;
    return kept === null ? notTried('ecdh1NullAes256') : `a shorter key keeps the ${kept} octets`;
  });

  // Each derivation of a suite must give the wrapping key (AES-256) and the key confirmation key (48 octets).
  const both = async (name: string, mechanism: Mechanism, expected: Uint8Array): Promise<boolean> =>
    isDerived(await derive(name, mechanism, AES_256_BYTES), expected.subarray(0, AES_256_BYTES)) &&
    isDerived(await derive(name, mechanism, Z_BYTES), expected);
  await context.fact('ecdh1X963Sha384', CKM_ECDH1_DERIVE, () =>
    both('ecdh1X963Sha384', ecdh1(CKD_SHA384_KDF, info, peerPoint), x963Sha384(z, info)),
  );
  await context.fact('ecdh1Sp800Sha384', CKM_ECDH1_DERIVE, () =>
    both('ecdh1Sp800Sha384', ecdh1(CKD_SHA384_KDF_SP800, info, peerPoint), oneStepSha384(z, info)),
  );

  const salt = knownOctets48;
  const deriveTwice = async (name: string, first: Template, second: Mechanism, octets: number): Promise<Uint8Array> => {
    const { result, outputs } = await context.run(name, (job: Job) => {
      const middle = job.deriveKey(withNull, privateKey, first);
      return useDerived(job, job.deriveKey(second, middle, derivedTemplate(octets)), octets);
    });
    return result.bytes(outputs);
  };
  const hkdf: Mechanism = {
    type: CKM_HKDF_DERIVE,
    parameter: { kind: 'hkdf', extract: true, expand: true, prf: CKM_SHA384, salt, info },
  };
  const secretZ = secretKeyTemplate({ keyType: 'generic', usage: ['derive'], valueBytes: Z_BYTES });
  await context.fact('hkdfSha384', CKM_HKDF_DERIVE, async () => {
    for (const octets of [AES_256_BYTES, Z_BYTES]) {
      const expected = new Uint8Array(hkdfSync('sha384', z, salt, info, octets));
      if (!isDerived(await deriveTwice('hkdfSha384', secretZ, hkdf, octets), expected)) return false;
    }
    return true;
  });

  const counter: Mechanism = {
    type: CKM_SP800_108_COUNTER_KDF,
    parameter: { kind: 'sp800-108-counter', prf: CKM_SHA384_HMAC, fixedInput: info },
  };
  const counterResult = sp800108HmacSha384(z, info);
  await context.fact('sp800108HmacSha384OnZ', CKM_SP800_108_COUNTER_KDF, async () => {
    for (const octets of [AES_256_BYTES, Z_BYTES]) {
      const used = await deriveTwice('sp800108HmacSha384OnZ', secretZ, counter, octets);
      if (!isDerived(used, counterResult.subarray(0, octets))) return false;
    }
    return true;
  });

  const keyZ = secretKeyTemplate({ keyType: 'aes', usage: ['derive'], valueBytes: AES_256_BYTES });
  const trailing = z.subarray(Z_BYTES - AES_256_BYTES);
  await context.fact('cbcDerive', CKM_ECDH1_DERIVE, async () => {
    for (const octets of [AES_256_BYTES, Z_BYTES]) {
      const data = knownOctets48.subarray(0, octets);
      const used = await deriveTwice('cbcDerive', keyZ, cbcEncryptData(data), octets);
      if (!isDerived(used, cbcEncryptDataResult(trailing, data))) return false;
    }
    return true;
  });

  const dataOfKey = knownOctets48.subarray(0, AES_256_BYTES);
  const ways: readonly (readonly [FactName, (job: Job, shape: Template) => ObjectRef, Uint8Array])[] = [
    [
      'ecdh1Sp800Sha384',
      (job, shape) => job.deriveKey(ecdh1(CKD_SHA384_KDF_SP800, info, peerPoint), privateKey, shape),
      oneStepSha384(z, info),
    ],
    [
      'hkdfSha384',
      (job, shape) => job.deriveKey(hkdf, job.deriveKey(withNull, privateKey, secretZ), shape),
      new Uint8Array(hkdfSync('sha384', z, salt, info, AES_256_BYTES)),
    ],
    [
      'sp800108HmacSha384OnZ',
      (job, shape) => job.deriveKey(counter, job.deriveKey(withNull, privateKey, secretZ), shape),
      counterResult,
    ],
    [
      'ecdh1X963Sha384',
      (job, shape) => job.deriveKey(ecdh1(CKD_SHA384_KDF, info, peerPoint), privateKey, shape),
      x963Sha384(z, info),
    ],
    [
      'cbcDerive',
      (job, shape) => job.deriveKey(cbcEncryptData(dataOfKey), job.deriveKey(withNull, privateKey, keyZ), shape),
      cbcEncryptDataResult(trailing, dataOfKey),
    ],
  ];
  const way = ways.find(([name]) => context.works(name));
  if (way !== undefined) context.agreedKey = { derive: way[1], expected: way[2].subarray(0, AES_256_BYTES) };
}
