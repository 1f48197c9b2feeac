import { constants, createPublicKey, publicEncrypt, verify, type KeyObject } from 'node:crypto';
import { concat, utf8 } from '../../bytes.js';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_ENCRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODULUS,
  CKA_MODULUS_BITS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_UNWRAP,
  CKA_WRAP,
  CKG_MGF1_SHA1,
  CKG_MGF1_SHA256,
  CKK_RSA,
  CKM_AES_ECB,
  CKM_ECDSA,
  CKM_RSA_AES_KEY_WRAP,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_PKCS_OAEP,
  CKM_RSA_X_509,
  CKM_SHA256,
  CKM_SHA256_RSA_PKCS,
  CKM_SHA_1,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
} from '../cryptoki.js';
import type { Mechanism } from '../mechanism.js';
import type { ObjectHandle } from '../object.js';
import type { FactName } from '../profile.js';
import { template, type Template } from '../template.js';
import { aesEcb, aesKeyWrapPad, knownBlock, knownKey, knownOctets48, sha384 } from './known_key.js';
import { isKnownAnswer, plain, probeLabel, secretKeyTemplate, type ProbeContext } from './probe_context.js';
import { foreignEcKey, unwrappedEcTemplate } from './wrapping.js';

const MODULUS_BITS = 2048;

/** An RSA pair in the token: the private half there, the public half as Node has it. */
export interface ProbeRsaPair {
  readonly privateKey: ObjectHandle;
  readonly publicKey: KeyObject;
}

const oaepHashes = {
  sha1: { hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1 },
  sha256: { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256 },
} as const;
type OaepHash = keyof typeof oaepHashes;

function oaep(hash: OaepHash): Mechanism {
  return { type: CKM_RSA_PKCS_OAEP, parameter: { kind: 'oaep', ...oaepHashes[hash], label: null } };
}

function encryptOaep(publicKey: KeyObject, oaepHash: OaepHash, plaintext: Uint8Array): Uint8Array {
  return publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, plaintext);
}

const publicTemplate: Template = template(
  [CKA_CLASS, CKO_PUBLIC_KEY],
  [CKA_KEY_TYPE, CKK_RSA],
  [CKA_TOKEN, false],
  [CKA_LABEL, utf8(probeLabel)],
  [CKA_MODULUS_BITS, MODULUS_BITS],
  [CKA_PUBLIC_EXPONENT, Buffer.from('010001', 'hex')],
  [CKA_ENCRYPT, true],
  [CKA_WRAP, true],
);

function privateTemplate(options: {
  readonly unwrap: boolean;
  readonly sign: boolean;
  readonly extractable: boolean;
}): Template {
  return template(
    [CKA_CLASS, CKO_PRIVATE_KEY],
    [CKA_KEY_TYPE, CKK_RSA],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(probeLabel)],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, options.extractable],
    [CKA_DECRYPT, options.unwrap],
    [CKA_UNWRAP, options.unwrap],
    [CKA_SIGN, options.sign],
  );
}

const factsOfRsa: readonly FactName[] = [
  'rsaOaepSha1Unwrap',
  'rsaOaepSha256Unwrap',
  'rsaRawDecrypt',
  'rsaAesKeyWrapSha1',
  'rsaAesKeyWrapSha256',
];

/**
 * Generates an RSA pair and probes the unwrapping of AES keys with it; where `C_CreateObject` takes no keys,
 * this is also how known keys come in from then on.
 */
export async function probeRsaUnwrapping(context: ProbeContext): Promise<ProbeRsaPair | undefined> {
  let pair: ProbeRsaPair | undefined;
  await context.fact('rsaKeyPair2048', CKM_RSA_PKCS_KEY_PAIR_GEN, async () => {
    pair = await generateRsaPair(context, 'transport');
    return pair.publicKey.asymmetricKeyDetails?.modulusLength === MODULUS_BITS;
  });
  if (pair === undefined) {
    for (const name of factsOfRsa) context.lacks(name, null, 'rsaKeyPair2048');
    return undefined;
  }
  const { privateKey, publicKey } = pair;
  const facts = { sha1: 'rsaOaepSha1Unwrap', sha256: 'rsaOaepSha256Unwrap' } as const;
  for (const hash of ['sha1', 'sha256'] as const) {
    const works = await context.fact(facts[hash], CKM_RSA_PKCS_OAEP, async () => {
      const wrapped = encryptOaep(publicKey, hash, knownKey);
      const { result, outputs } = await context.run(facts[hash], (job) => {
        const shape = secretKeyTemplate({ keyType: 'aes', usage: ['encrypt'] });
        return job.encrypt(plain(CKM_AES_ECB), job.unwrapKey(oaep(hash), privateKey, wrapped, shape), knownBlock);
      });
      return isKnownAnswer(result.bytes(outputs), aesEcb(knownKey, knownBlock));
    });
    if (works) {
      context.keyImport ??= (job, value, shape) =>
        job.unwrapKey(oaep(hash), privateKey, encryptOaep(publicKey, hash, value), shape);
    }
  }
  await context.fact('rsaRawDecrypt', CKM_RSA_X_509, async () => {
    const message = concat(new Uint8Array(1), knownOctets48, new Uint8Array(MODULUS_BITS / 8 - 49).fill(7));
    const ciphertext = publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, message);
    const { result, outputs } = await context.run('rsaRawDecrypt', (job) =>
      job.decrypt(plain(CKM_RSA_X_509), privateKey, ciphertext),
    );
    return isKnownAnswer(result.bytes(outputs), message);
  });
  return pair;
}

/** Makes a pair that stays until the end of the probe, for one use; `transport` is to unwrap, to decrypt and to be wrapped. */
export async function generateRsaPair(
  context: ProbeContext,
  use: 'transport' | 'sign' | 'decrypt',
): Promise<ProbeRsaPair> {
  const { result, outputs } = await context.run('rsaKeyPair2048', (job) => {
    const pair = job.generateKeyPair(
      plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
      publicTemplate,
      privateTemplate({ unwrap: use !== 'sign', sign: use === 'sign', extractable: use === 'transport' }),
    );
    const attributes = job.getAttributes(pair.publicKey, [CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
    return { attributes, privateKey: job.keep(pair.privateKey) };
  });
  const privateKey = context.keepUntilEnd(result.object(outputs.privateKey));
  const attributes = result.attributes(outputs.attributes);
  const base64url = (type: number): string => Buffer.from(attributes.get(type)?.octets ?? []).toString('base64url');
  const publicKey = createPublicKey({
    format: 'jwk',
    key: { kty: 'RSA', n: base64url(CKA_MODULUS), e: base64url(CKA_PUBLIC_EXPONENT) },
  });
  return { privateKey, publicKey };
}

/** Probes `CKM_RSA_AES_KEY_WRAP` and RSA private keys under RFC 5649; after the EC probes, whose rules it uses. */
export async function probeRsaKeyTransport(context: ProbeContext, pair: ProbeRsaPair | undefined): Promise<void> {
  await probeRsaPrivateWrapping(context, pair);
  if (pair === undefined) return;
  const facts = { sha1: 'rsaAesKeyWrapSha1', sha256: 'rsaAesKeyWrapSha256' } as const;
  const foreign = foreignEcKey();
  for (const hash of ['sha1', 'sha256'] as const) {
    await context.fact(facts[hash], CKM_RSA_AES_KEY_WRAP, async () => {
      const wrapped = concat(encryptOaep(pair.publicKey, hash, knownKey), aesKeyWrapPad(knownKey, foreign.pkcs8));
      const mechanism: Mechanism = {
        type: CKM_RSA_AES_KEY_WRAP,
        parameter: { kind: 'rsa-aes-key-wrap', aesKeyBits: 256, ...oaepHashes[hash] },
      };
      const shape = unwrappedEcTemplate(context.rules.ecPrivateUnwrapAttributes);
      const { result, outputs } = await context.run(facts[hash], (job) =>
        job.sign(plain(CKM_ECDSA), job.unwrapKey(mechanism, pair.privateKey, wrapped, shape), sha384(knownBlock)),
      );
      const key = { key: foreign.publicKey, dsaEncoding: 'ieee-p1363' as const };
      return verify('sha384', knownBlock, key, result.bytes(outputs));
    });
  }
}

async function probeRsaPrivateWrapping(context: ProbeContext, pair: ProbeRsaPair | undefined): Promise<void> {
  const mechanism = context.rules.aesKeyWrapPadMechanism;
  if (mechanism === null || pair === undefined) {
    const needed = mechanism === null ? 'aesKeyWrapPad' : 'rsaKeyPair2048';
    context.lacks('rsaPrivateWrap', mechanism, needed);
    context.lacks('rsaPrivateUnwrap', mechanism, needed);
    return;
  }
  let wrapped: Uint8Array | undefined;
  await context.factWithKnownKey('rsaPrivateWrap', mechanism, async () => {
    const { result, outputs } = await context.run('rsaPrivateWrap', (job) => {
      const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['wrap'] });
      return job.wrapKey(plain(mechanism), kek, pair.privateKey);
    });
    wrapped = result.bytes(outputs);
    // PKCS#8 of an RSA-2048 key with its CRT parameters is at least 1,150 octets; the unwrap below proves the rest.
    return wrapped.length > 1150 ? true : 'the wrapped octets are too few for an RSA private key';
  });
  const own = wrapped;
  if (own === undefined) {
    context.lacks('rsaPrivateUnwrap', mechanism, 'rsaPrivateWrap');
    return;
  }
  await context.factWithKnownKey('rsaPrivateUnwrap', mechanism, async () => {
    const { result, outputs } = await context.run('rsaPrivateUnwrap', (job) => {
      const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
      const shape = privateTemplate({ unwrap: false, sign: true, extractable: false });
      return job.sign(plain(CKM_SHA256_RSA_PKCS), job.unwrapKey(plain(mechanism), kek, own, shape), knownBlock);
    });
    return verify('sha256', knownBlock, pair.publicKey, result.bytes(outputs));
  });
}
