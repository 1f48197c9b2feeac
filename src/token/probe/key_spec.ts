import { createHash, diffieHellman, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { utf8 } from '../../bytes.js';
import { CURVES, type Curve, type CurveName } from '../../wire/curve.js';
import { curvePublicKey, pointOf } from '../../wire/public_key.js';
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
  CKK_EC,
  CKK_EC_EDWARDS,
  CKM_ECDH1_DERIVE,
  CKM_ECDSA,
  CKM_EC_EDWARDS_KEY_PAIR_GEN,
  CKM_EC_KEY_PAIR_GEN,
  CKM_EDDSA,
  CKM_GENERIC_SECRET_KEY_GEN,
  CKM_SHA224_HMAC,
  CKM_SHA512_HMAC,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
} from '../cryptoki.js';
import type { Job, JobResult, ObjectRef, Output } from '../job.js';
import type { FactName } from '../profile.js';
import { curveParameters, pointFromAttribute, publicKeyTemplate, type Ed25519Parameters } from '../public_key.js';
import { template, type Template } from '../template.js';
import { hmac, knownBlock, knownKey, knownOctets48 } from './known_key.js';
import { answerIn, isKnownAnswer, plain, probeLabel, secretKeyTemplate, type ProbeContext } from './probe_context.js';
import { probeRsaOperations } from './rsa_operations.js';
import type { ProbeRsaPair } from './rsa.js';
import { isSignature } from './signature.js';

const knownOctets64 = Buffer.concat([knownOctets48, knownOctets48.subarray(0, 16)]);

interface CurveProbe {
  readonly curve: Curve;
  readonly hash: string;
  readonly key: FactName;
  readonly agreement?: FactName;
}

const curveProbes: readonly CurveProbe[] = [
  { curve: CURVES['P-256'], hash: 'sha256', key: 'ecKeyP256', agreement: 'ecdhP256' },
  { curve: CURVES['P-384'], hash: 'sha384', key: 'ecKeyP384', agreement: 'ecdhP384' },
  { curve: CURVES['P-521'], hash: 'sha512', key: 'ecKeyP521', agreement: 'ecdhP521' },
  { curve: CURVES.secp256k1, hash: 'sha256', key: 'ecKeySecp256k1' },
];

/** Probes what keys of the specs of AWS KMS need, beyond what other probes find; after the EC and RSA wrapping probes. */
export async function probeKeySpecs(context: ProbeContext, pair: ProbeRsaPair | undefined): Promise<void> {
  await probeSecrets(context);
  await probeRsaOperations(context, pair);
  for (const probe of curveProbes) await probeCurve(context, probe);
  await probeEd25519(context);
}

async function probeSecrets(context: ProbeContext): Promise<void> {
  await context.fact('genericSecretKeyGen', CKM_GENERIC_SECRET_KEY_GEN, async () => {
    const shape = secretKeyTemplate({ keyType: 'generic', usage: ['sign'], valueBytes: 64 });
    const { result, outputs } = await context.run('genericSecretKeyGen', (job) =>
      job.sign(plain(CKM_SHA512_HMAC), job.generateKey(plain(CKM_GENERIC_SECRET_KEY_GEN), shape), knownBlock),
    );
    return result.bytes(outputs).length === 64;
  });
  const macs = [
    { name: 'hmacSha224', mechanism: CKM_SHA224_HMAC, hash: 'sha224' },
    { name: 'hmacSha512', mechanism: CKM_SHA512_HMAC, hash: 'sha512' },
  ] as const;
  for (const { name, mechanism, hash } of macs) {
    await context.factWithKnownKey(name, mechanism, async () => {
      const { result, outputs } = await context.run(name, (job) => {
        const key = context.knownKey(job, knownOctets64, { keyType: 'generic', usage: ['sign'] });
        return job.sign(plain(mechanism), key, knownBlock);
      });
      return isKnownAnswer(result.bytes(outputs), hmac(hash, knownOctets64, knownBlock));
    });
  }
}

/** A generated pair whose private half is wrapped under the known key. */
interface WrappedPair {
  readonly wrapped: Uint8Array;
  readonly publicKey: KeyObject;
}

function privateTemplate(keyType: number, use: 'sign' | 'derive' | 'wrapped', more: readonly number[]): Template {
  return template(
    [CKA_CLASS, CKO_PRIVATE_KEY],
    [CKA_KEY_TYPE, keyType],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(probeLabel)],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, use === 'wrapped'],
    [CKA_SIGN, use === 'sign'],
    [CKA_DERIVE, use === 'derive'],
    ...more.map((attribute) => [attribute, new Uint8Array(1)] as const),
  );
}

async function generateWrapped(
  context: ProbeContext,
  options: {
    readonly curve: Curve;
    readonly generation: number;
    readonly keyType: number;
    readonly parameters: Uint8Array;
    readonly wrapping: number;
  },
): Promise<WrappedPair | string> {
  const { curve, keyType } = options;
  const { result, outputs } = await context.run('key pair', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['wrap'] });
    const pair = job.generateKeyPair(
      plain(options.generation),
      publicTemplate(keyType, options.parameters),
      privateTemplate(keyType, 'wrapped', []),
    );
    const attributes = job.getAttributes(pair.publicKey, [CKA_EC_POINT]);
    return { attributes, wrapped: job.wrapKey(plain(options.wrapping), kek, pair.privateKey) };
  });
  const publicKey = publicHalf(curve, result, outputs.attributes);
  return publicKey === null ? NO_POINT : { wrapped: result.bytes(outputs.wrapped), publicKey };
}

/**
 * Where the token wraps and unwraps EC private keys, those of a curve have to come through that: it makes, wraps, unwraps and uses them.
 * Where it does not, it only makes and uses them, and such keys can rest nowhere but in the token.
 */
async function probeCurve(context: ProbeContext, probe: CurveProbe): Promise<void> {
  const wrapping = context.rules.aesKeyWrapPadMechanism;
  if (wrapping === null) {
    // Nobody can be a region on such a token.
    context.lacks(probe.key, CKM_EC_KEY_PAIR_GEN, 'aesKeyWrapPad');
    if (probe.agreement !== undefined) context.lacks(probe.agreement, CKM_ECDH1_DERIVE, probe.key);
    return;
  }
  if (!context.works('ecPrivateWrap') || !context.works('ecPrivateUnwrap')) {
    await probeCurveUnwrapped(context, probe);
    return;
  }
  const { curve, key } = probe;
  let made: WrappedPair | undefined;
  await context.factWithKnownKey(key, CKM_EC_KEY_PAIR_GEN, async () => {
    const generation = CKM_EC_KEY_PAIR_GEN;
    const parameters = curve.oid;
    const pair = await generateWrapped(context, { curve, generation, keyType: CKK_EC, parameters, wrapping });
    if (typeof pair === 'string') return pair;
    const isGood = await signsAndVerifies(context, { pair, wrapping, hash: probe.hash });
    if (isGood === true) made = pair;
    return isGood;
  });
  if (probe.agreement === undefined) return;
  if (made === undefined) {
    context.lacks(probe.agreement, CKM_ECDH1_DERIVE, key);
    return;
  }
  const pair = made;
  await context.fact(probe.agreement, CKM_ECDH1_DERIVE, () => agrees(context, curve, pair, wrapping));
}

async function probeCurveUnwrapped(context: ProbeContext, { curve, hash, key, agreement }: CurveProbe): Promise<void> {
  await context.fact(key, CKM_EC_KEY_PAIR_GEN, async () => {
    const digest = createHash(hash).update(knownBlock).digest();
    const { result, outputs } = await context.run('sign', (job) => {
      const pair = addPair(job, curve, 'sign');
      return { attributes: pair.attributes, signature: job.sign(plain(CKM_ECDSA), pair.privateKey, digest) };
    });
    const publicKey = publicHalf(curve, result, outputs.attributes);
    if (publicKey === null) return NO_POINT;
    const signature = result.bytes(outputs.signature);
    if (!isSignature(publicKey, hash, knownBlock, signature)) return 'a signature that does not verify';
    return verifiesInToken(context, { publicKey, mechanism: CKM_ECDSA, data: digest, signature });
  });
  if (agreement === undefined) return;
  if (!context.works(key)) {
    context.lacks(agreement, CKM_ECDH1_DERIVE, key);
    return;
  }
  await context.fact(agreement, CKM_ECDH1_DERIVE, async () => {
    const peer = generateKeyPairSync('ec', { namedCurve: curve.name });
    const { result, outputs } = await context.run('agree', (job) => {
      const pair = addPair(job, curve, 'derive');
      return { attributes: pair.attributes, secret: revealAgreement(job, pair.privateKey, curve, peer.publicKey) };
    });
    const publicKey = publicHalf(curve, result, outputs.attributes);
    if (publicKey === null) return NO_POINT;
    return isKnownAnswer(result.bytes(outputs.secret), diffieHellman({ privateKey: peer.privateKey, publicKey }));
  });
}

const NO_POINT = 'the token told no public point';

/** Makes a pair whose private half is for one use and cannot be wrapped. */
function addPair(
  job: Job,
  curve: Curve,
  use: 'sign' | 'derive',
): { readonly privateKey: ObjectRef; readonly attributes: Output<'attributes'> } {
  const publicHalf = publicTemplate(CKK_EC, curve.oid);
  const pair = job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), publicHalf, privateTemplate(CKK_EC, use, []));
  return { privateKey: pair.privateKey, attributes: job.getAttributes(pair.publicKey, [CKA_EC_POINT]) };
}

function publicTemplate(keyType: number, parameters: Uint8Array): Template {
  return template(
    [CKA_CLASS, CKO_PUBLIC_KEY],
    [CKA_KEY_TYPE, keyType],
    [CKA_TOKEN, false],
    [CKA_LABEL, utf8(probeLabel)],
    [CKA_EC_PARAMS, parameters],
    [CKA_VERIFY, true],
  );
}

function publicHalf(curve: Curve, result: JobResult, attributes: Output<'attributes'>): KeyObject | null {
  const point = pointFromAttribute(curve, result.attributes(attributes).get(CKA_EC_POINT));
  return point === null ? null : curvePublicKey(curve, point);
}

/** Signs with the unwrapped private half; software and a public key that comes from outside both verify, and refuse another digest. */
async function signsAndVerifies(
  context: ProbeContext,
  { pair, wrapping, hash }: { readonly pair: WrappedPair; readonly wrapping: number; readonly hash: string },
): Promise<boolean | string> {
  const digest = createHash(hash).update(knownBlock).digest();
  const { result, outputs } = await context.run('sign', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
    const shape = privateTemplate(CKK_EC, 'sign', context.rules.ecPrivateUnwrapAttributes);
    return job.sign(plain(CKM_ECDSA), job.unwrapKey(plain(wrapping), kek, pair.wrapped, shape), digest);
  });
  const signature = result.bytes(outputs);
  if (!isSignature(pair.publicKey, hash, knownBlock, signature)) return 'a signature that does not verify';
  return verifiesInToken(context, { publicKey: pair.publicKey, mechanism: CKM_ECDSA, data: digest, signature });
}

async function verifiesInToken(
  context: ProbeContext,
  check: {
    readonly publicKey: KeyObject;
    readonly mechanism: number;
    readonly data: Uint8Array;
    readonly signature: Uint8Array;
    readonly ed25519?: Ed25519Parameters;
  },
): Promise<boolean | string> {
  const other = Uint8Array.from(check.data);
  other[0] = (other[0] ?? 0) ^ 1;
  const { result, outputs } = await context.run('verify', (job) => {
    const key = job.createObject([
      ...publicKeyTemplate(check.publicKey, 'verify', check.ed25519),
      { type: CKA_LABEL, value: utf8(probeLabel) },
    ]);
    job.verify(plain(check.mechanism), key, check.data, check.signature);
    const refused = job.attempt();
    job.verify(plain(check.mechanism), key, other, check.signature);
    return refused;
  });
  return result.rv(outputs) === 0 ? 'C_Verify takes the signature of other data' : true;
}

async function agrees(context: ProbeContext, curve: Curve, pair: WrappedPair, wrapping: number): Promise<boolean> {
  const peer = generateKeyPairSync('ec', { namedCurve: curve.name });
  const { result, outputs } = await context.run('agree', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
    const shape = privateTemplate(CKK_EC, 'derive', context.rules.ecPrivateUnwrapAttributes);
    const key = job.unwrapKey(plain(wrapping), kek, pair.wrapped, shape);
    return revealAgreement(job, key, curve, peer.publicKey);
  });
  const expected = diffieHellman({ privateKey: peer.privateKey, publicKey: pair.publicKey });
  return isKnownAnswer(result.bytes(outputs), expected);
}

/** ECDH to a secret that can be read. */
function revealAgreement(job: Job, key: ObjectRef, curve: Curve, peer: KeyObject): Output<'bytes'> {
  const secretShape = secretKeyTemplate({
    keyType: 'generic',
    usage: [],
    sensitive: false,
    extractable: true,
    valueBytes: curve.coordinateOctets,
  });
  const publicData = pointOf(peer);
  const parameter = { kind: 'ecdh1', kdf: CKD_NULL, sharedData: null, publicData } as const;
  return job.reveal(job.readSecret(job.deriveKey({ type: CKM_ECDH1_DERIVE, parameter }, key, secretShape)));
}

/** Probes Ed25519 under both forms of its parameters. */
async function probeEd25519(context: ProbeContext): Promise<void> {
  const wrapping = context.rules.aesKeyWrapPadMechanism;
  if (wrapping === null) {
    context.lacks('edKeyEd25519', CKM_EC_EDWARDS_KEY_PAIR_GEN, 'aesKeyWrapPad');
    return;
  }
  await context.factWithKnownKey('edKeyEd25519', CKM_EC_EDWARDS_KEY_PAIR_GEN, async () => {
    const answers: string[] = [];
    for (const form of ['oid', 'name'] as const) {
      try {
        const outcome = await ed25519Works(context, form, wrapping);
        if (outcome === true) {
          context.rules.ed25519Parameters = form;
          return true;
        }
        answers.push(`${form}: ${outcome === false ? 'another result' : outcome}`);
      } catch (error) {
        answers.push(`${form}: ${answerIn(error)}`);
      }
    }
    return answers.join('; ');
  });
}

async function ed25519Works(
  context: ProbeContext,
  form: Ed25519Parameters,
  wrapping: number,
): Promise<boolean | string> {
  const curve = CURVES['Ed25519' satisfies CurveName];
  const pair = await generateWrapped(context, {
    curve,
    generation: CKM_EC_EDWARDS_KEY_PAIR_GEN,
    keyType: CKK_EC_EDWARDS,
    parameters: curveParameters(curve, form),
    wrapping,
  });
  if (typeof pair === 'string') return pair;
  const message = randomBytes(40);
  const { result, outputs } = await context.run('sign', (job) => {
    const kek = context.knownKey(job, knownKey, { keyType: 'aes', usage: ['unwrap'] });
    const shape = privateTemplate(CKK_EC_EDWARDS, 'sign', context.rules.ecPrivateUnwrapAttributes);
    return job.sign(plain(CKM_EDDSA), job.unwrapKey(plain(wrapping), kek, pair.wrapped, shape), message);
  });
  const signature = result.bytes(outputs);
  if (!isSignature(pair.publicKey, null, message, signature)) return 'a signature that does not verify';
  return verifiesInToken(context, {
    publicKey: pair.publicKey,
    mechanism: CKM_EDDSA,
    data: message,
    signature,
    ed25519: form,
  });
}
