import { createPrivateKey, createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { concat, utf8 } from '../../bytes.js';
import {
  CKA_CLASS,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_NSS_DB,
  CKA_PRIVATE,
  CKA_SENSITIVE,
  CKA_SIGN,
  CKA_TOKEN,
  CKA_VALUE_LEN,
  CKK_EC,
  CKM_AES_ECB,
  CKM_AES_KEY_WRAP,
  CKM_AES_KEY_WRAP_KWP,
  CKM_AES_KEY_WRAP_PAD,
  CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD,
  CKM_ECDSA,
  CKM_SHA256_HMAC,
  CKO_PRIVATE_KEY,
} from '../cryptoki.js';
import { mechanismName } from '../names.js';
import type { FactName } from '../profile.js';
import { template, type Template } from '../template.js';
import { generateProbePair, publicKeyOf } from './agreement.js';
import {
  aesEcb,
  aesKeyUnwrapPad,
  aesKeyWrap,
  aesKeyWrapPad,
  hmac,
  knownBlock,
  knownKey,
  knownOctets33,
  knownOctets48,
  sha384,
} from './known_key.js';
import { answerIn, isKnownAnswer, plain, probeLabel, secretKeyTemplate, type ProbeContext } from './probe_context.js';

/** The numbers under which RFC 5649 has been seen; which one it is here, the known answer tells. */
const wrapPadCandidates = [CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD];

const target32 = knownOctets48.subarray(0, 32);

/** Probes AES key wrap with and without padding, on known keys. */
export async function probeWrapping(context: ProbeContext): Promise<void> {
  await context.factWithKnownKey('aesKeyWrap', CKM_AES_KEY_WRAP, async () => {
    const expected = aesKeyWrap(knownKey, target32);
    return (
      isKnownAnswer(await wrapKnown(context, CKM_AES_KEY_WRAP, target32), expected) &&
      (await unwrapsAes(context, CKM_AES_KEY_WRAP, expected))
    );
  });
  await context.factWithKnownKey('aesKeyWrapPad', null, () => findWrapPad(context));
  const mechanism = context.rules.aesKeyWrapPadMechanism;
  const found = context.facts.get('aesKeyWrapPad');
  if (found !== undefined) context.facts.set('aesKeyWrapPad', { ...found, mechanism });
  if (mechanism === null) {
    context.lacks('aesKeyUnwrapPad', null, 'aesKeyWrapPad');
    return;
  }
  context.rules.wrapPadsOddLengths = await padsOddLengths(context, mechanism);
  await context.fact('aesKeyUnwrapPad', mechanism, async () => {
    await findUnwrapRules(context, mechanism);
    return (
      (await unwrapsAes(context, mechanism, aesKeyWrapPad(knownKey, target32))) && unwrapsOddLength(context, mechanism)
    );
  });
}

/** Wraps a known secret under the known key. */
async function wrapKnown(context: ProbeContext, mechanism: number, value: Uint8Array): Promise<Uint8Array> {
  const { result, outputs } = await context.run('wrap', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['wrap'] });
    const keyType = value.length === target32.length ? 'aes' : 'generic';
    const usage = keyType === 'aes' ? (['encrypt'] as const) : (['sign'] as const);
    const key = context.knownKey(job, value, { keyType, usage, extractable: true });
    return job.wrapKey(plain(mechanism), kek, key);
  });
  return result.bytes(outputs);
}

async function findWrapPad(context: ProbeContext): Promise<boolean | string> {
  const expected = aesKeyWrapPad(knownKey, target32);
  const answers: string[] = [];
  for (const candidate of wrapPadCandidates) {
    try {
      if (isKnownAnswer(await wrapKnown(context, candidate, target32), expected)) {
        context.rules.aesKeyWrapPadMechanism = candidate;
        return true;
      }
      answers.push(`${mechanismName(candidate)} is not RFC 5649`);
    } catch (error) {
      answers.push(`${mechanismName(candidate)}: ${answerIn(error)}`);
    }
  }
  return answers.join('; ');
}

async function padsOddLengths(context: ProbeContext, mechanism: number): Promise<boolean | null> {
  try {
    const wrapped = await wrapKnown(context, mechanism, knownOctets33);
    if (isKnownAnswer(wrapped, aesKeyWrapPad(knownKey, knownOctets33))) return false;
    const filledUp = concat(knownOctets33, new Uint8Array(7));
    return isKnownAnswer(wrapped, aesKeyWrapPad(knownKey, filledUp)) ? true : null;
  } catch (error) {
    answerIn(error);
    return null;
  }
}

/** Template of a key unwrapped by a probe, with `CKA_VALUE_LEN` where this token must have it. */
function unwrappedTemplate(context: ProbeContext, keyType: 'aes' | 'generic', octets: number): Template {
  return secretKeyTemplate({
    keyType,
    usage: keyType === 'aes' ? ['encrypt'] : ['sign'],
    ...(context.rules.unwrapValueLength === 'required' ? { valueBytes: octets } : {}),
  });
}

async function findUnwrapRules(context: ProbeContext, mechanism: number): Promise<void> {
  const wrapped = aesKeyWrapPad(knownKey, target32);
  const { result, outputs } = await context.run('unwrapRules', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
    const bare = job.attempt();
    const key = job.unwrapKey(
      plain(mechanism),
      kek,
      wrapped,
      secretKeyTemplate({ keyType: 'aes', usage: ['encrypt'] }),
    );
    const read = job.attempt();
    const attributes = job.getAttributes(key, [CKA_VALUE_LEN]);
    const sized = job.attempt();
    job.unwrapKey(
      plain(mechanism),
      kek,
      wrapped,
      secretKeyTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: target32.length }),
    );
    return { bare, read, attributes, sized };
  });
  const takesBare = result.rv(outputs.bare) === 0;
  const takesSized = result.rv(outputs.sized) === 0;
  context.rules.unwrapValueLength = takesBare ? (takesSized ? 'optional' : 'refused') : takesSized ? 'required' : null;
  if (takesBare && result.rv(outputs.read) === 0) {
    const length = result.attributes(outputs.attributes).get(CKA_VALUE_LEN)?.octets;
    context.rules.valueLengthAfterUnwrap =
      length?.length === 8 && Buffer.from(length).readBigUInt64LE() === BigInt(target32.length);
  }
}

async function unwrapsAes(context: ProbeContext, mechanism: number, wrapped: Uint8Array): Promise<boolean> {
  const { result, outputs } = await context.run('unwrap', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
    const key = job.unwrapKey(plain(mechanism), kek, wrapped, unwrappedTemplate(context, 'aes', target32.length));
    return job.encrypt(plain(CKM_AES_ECB), key, knownBlock);
  });
  return isKnownAnswer(result.bytes(outputs), aesEcb(target32, knownBlock));
}

async function unwrapsOddLength(context: ProbeContext, mechanism: number): Promise<boolean> {
  const { result, outputs } = await context.run('unwrapOdd', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
    const wrapped = aesKeyWrapPad(knownKey, knownOctets33);
    const key = job.unwrapKey(
      plain(mechanism),
      kek,
      wrapped,
      unwrappedTemplate(context, 'generic', knownOctets33.length),
    );
    return job.sign(plain(CKM_SHA256_HMAC), key, knownBlock);
  });
  return isKnownAnswer(result.bytes(outputs), hmac('sha256', knownOctets33, knownBlock));
}

/** Probes whether a key that was derived by key agreement can wrap and unwrap: what an RWK is for. */
export async function probeDerivedWrapping(context: ProbeContext): Promise<void> {
  const mechanism = context.rules.aesKeyWrapPadMechanism;
  const agreed = context.agreedKey;
  const names: readonly FactName[] = ['derivedKeyWraps', 'derivedKeyUnwraps'];
  if (mechanism === null || agreed === undefined) {
    for (const name of names) context.lacks(name, mechanism, mechanism === null ? 'aesKeyWrapPad' : 'ecdh1Null48');
    return;
  }
  const expected = aesKeyWrapPad(agreed.expected, target32);
  await context.factWithKnownKey('derivedKeyWraps', mechanism, async () => {
    const { result, outputs } = await context.run('derivedKeyWraps', (job) => {
      const kek = agreed.derive(job, secretKeyTemplate({ keyType: 'aes', usage: ['wrap'], valueBytes: 32 }));
      const key = context.knownKey(job, target32, { keyType: 'aes', usage: ['encrypt'], extractable: true });
      return job.wrapKey(plain(mechanism), kek, key);
    });
    return isKnownAnswer(result.bytes(outputs), expected);
  });
  await context.fact('derivedKeyUnwraps', mechanism, async () => {
    const { result, outputs } = await context.run('derivedKeyUnwraps', (job) => {
      const kek = agreed.derive(job, secretKeyTemplate({ keyType: 'aes', usage: ['unwrap'], valueBytes: 32 }));
      const key = job.unwrapKey(plain(mechanism), kek, expected, unwrappedTemplate(context, 'aes', target32.length));
      return job.encrypt(plain(CKM_AES_ECB), key, knownBlock);
    });
    return isKnownAnswer(result.bytes(outputs), aesEcb(target32, knownBlock));
  });
}

/** Template of an EC private key unwrapped by a probe. */
export function unwrappedEcTemplate(extraAttributes: readonly number[]): Template {
  return template(
    [CKA_CLASS, CKO_PRIVATE_KEY],
    [CKA_KEY_TYPE, CKK_EC],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(probeLabel)],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, false],
    [CKA_SIGN, true],
    ...extraAttributes.map((attribute) => [attribute, new Uint8Array(1)] as const),
  );
}

/** A P-384 key of Node, in PKCS#8 with its public key: what other implementations wrap. */
export function foreignEcKey(): { readonly pkcs8: Uint8Array; readonly publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  return { pkcs8: privateKey.export({ format: 'der', type: 'pkcs8' }), publicKey };
}

/** Probes EC private keys under RFC 5649. */
export async function probeEcPrivateWrapping(context: ProbeContext): Promise<void> {
  const mechanism = context.rules.aesKeyWrapPadMechanism;
  if (mechanism === null || !context.works('ecKeyPairP384')) {
    const needed = mechanism === null ? 'aesKeyWrapPad' : 'ecKeyPairP384';
    context.lacks('ecPrivateUnwrap', mechanism, needed);
    context.lacks('ecPrivateWrap', mechanism, needed);
    return;
  }
  const signsWith = async (wrapped: Uint8Array, publicKey: KeyObject): Promise<boolean> => {
    const { result, outputs } = await context.run('ecPrivateUnwrap', (job) => {
      const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
      const key = job.unwrapKey(
        plain(mechanism),
        kek,
        wrapped,
        unwrappedEcTemplate(context.rules.ecPrivateUnwrapAttributes),
      );
      return job.sign(plain(CKM_ECDSA), key, sha384(knownBlock));
    });
    return verify('sha384', knownBlock, { key: publicKey, dsaEncoding: 'ieee-p1363' }, result.bytes(outputs));
  };
  await context.factWithKnownKey('ecPrivateUnwrap', mechanism, async () => {
    const foreign = foreignEcKey();
    const wrapped = aesKeyWrapPad(knownKey, foreign.pkcs8);
    try {
      return await signsWith(wrapped, foreign.publicKey);
    } catch (error) {
      answerIn(error);
      context.rules.ecPrivateUnwrapAttributes = [CKA_NSS_DB];
      try {
        return await signsWith(wrapped, foreign.publicKey);
      } catch (second) {
        answerIn(second);
        context.rules.ecPrivateUnwrapAttributes = [];
        throw error;
      }
    }
  });
  await context.factWithKnownKey('ecPrivateWrap', mechanism, async () => {
    const pair = await generateProbePair(context, { usage: 'sign', extractable: true });
    const { result, outputs } = await context.run('ecPrivateWrap', (job) => {
      const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['wrap'] });
      return job.wrapKey(plain(mechanism), kek, pair.privateKey);
    });
    const [wrapped, publicKey] = [result.bytes(outputs), publicKeyOf(pair.point)];
    // A token that unwraps no private keys may wrap them all the same, for another one.
    return context.works('ecPrivateUnwrap') ? signsWith(wrapped, publicKey) : isPrivateHalf(wrapped, publicKey);
  });
}

/** Whether octets are the private half of a probe's pair, wrapped under the known key. */
function isPrivateHalf(wrapped: Uint8Array, publicKey: KeyObject): boolean {
  const key = Buffer.from(aesKeyUnwrapPad(knownKey, wrapped));
  return createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })).equals(publicKey);
}
