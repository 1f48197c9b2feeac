import { createCipheriv, createHash, createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { equalOctets, utf8 } from '../../../bytes.js';
import {
  CKA_CLASS,
  CKA_EC_POINT,
  CKA_EC_PARAMS,
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
  CKA_VERIFY,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_RSA,
  CKM_AES_ECB,
  CKM_ECDSA,
  CKM_EC_EDWARDS_KEY_PAIR_GEN,
  CKM_EC_KEY_PAIR_GEN,
  CKM_EDDSA,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_SHA256_RSA_PKCS,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
} from '../../../token/cryptoki.js';
import type { AttributeValue } from '../../../token/job.js';
import { mechanismName } from '../../../token/names.js';
import { knownBlock, knownKey } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import { curveParameters, pointFromAttribute } from '../../../token/public_key.js';
import { template, type Template, type TemplateValue } from '../../../token/template.js';
import { CURVES, type Curve } from '../../../wire/curve.js';
import { curvePublicKey, rsaPublicKey } from '../../../wire/public_key.js';
import { answerOf, type Attempt, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate, secretTemplate } from '../../key_template.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { wrapPadded } from '../../software_wrap.js';
import { describeWrapped, pkcs8Octets } from '../../wrapped_pkcs8.js';

const MESSAGE = utf8('keyferry validation: a message to sign');
const kekFor = (use: 'wrap' | 'unwrap'): Template => knownSecretTemplate({ keyType: 'aes', usage: [use] }, knownKey);

/** AES keys of every length, in both directions. */
export async function wrapAesKeys(context: CheckContext, pad: number): Promise<void> {
  const mechanism = mechanismName(pad);
  for (const length of [16, 24, 32]) {
    const key = context.random.octets(length);
    const expected = wrapPadded(knownKey, key);
    const cipher = createCipheriv(`aes-${length * 8}-ecb`, key, null).setAutoPadding(false);
    const block = cipher.update(knownBlock);
    const wrapped = await context.attempt(
      'wrap',
      (job) => {
        const shape = { keyType: 'aes', usage: ['encrypt'], extractable: true } as const;
        return job.wrapKey(
          plain(pad),
          job.createObject(kekFor('wrap')),
          job.createObject(knownSecretTemplate(shape, key)),
        );
      },
      (result, made) => equalOctets(result.bytes(made), expected),
    );
    const unwrapped = await context.attempt(
      'unwrap',
      (job) => {
        const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'] });
        const copy = job.unwrapKey(plain(pad), job.createObject(kekFor('unwrap')), expected, shape);
        return job.encrypt(plain(CKM_AES_ECB), copy, knownBlock);
      },
      (result, made) => equalOctets(result.bytes(made), block),
    );
    for (const [call, tried] of [
      ['C_WrapKey', wrapped],
      ['C_UnwrapKey', unwrapped],
    ] as const) {
      context.expect(tried.ok && tried.value, {
        ...{ what: `an AES-${length * 8} key`, call, mechanism, expected: 'as in software' },
        seen: !tried.ok ? answerOf(tried) : tried.value ? 'as in software' : 'another key',
      });
    }
  }
  for (const length of [20, 33, 40]) {
    const tried = await context.attempt(
      'unwrap',
      (job) => {
        const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'] });
        job.unwrapKey(
          plain(pad),
          job.createObject(kekFor('unwrap')),
          wrapPadded(knownKey, context.random.octets(length)),
          shape,
        );
      },
      () => true,
    );
    context.expect(!tried.ok, {
      ...{ what: `${length} octets unwrapped as CKK_AES`, call: 'C_UnwrapKey', mechanism },
      expected: 'refused: no AES key is so long',
      seen: answerOf(tried),
    });
  }
}

/** A kind of private key: how the token makes one and signs with it, and how software does. */
interface PrivateKind {
  readonly name: string;
  readonly keyType: number;
  readonly generation: number;
  readonly publicAttributes: readonly (readonly [number, TemplateValue])[];
  readonly told: readonly number[];
  readonly readPublic: (told: ReadonlyMap<number, AttributeValue>) => KeyObject | null;
  readonly makeInSoftware: () => KeyObject;
  readonly signature: number;
  /** What is given to `C_Sign`. */
  readonly input: Uint8Array;
  readonly isSignature: (key: KeyObject, signature: Uint8Array) => boolean;
}

function ecKind(curve: Curve, hash: string): PrivateKind {
  return {
    ...{ name: `an EC key on ${curve.name}`, keyType: CKK_EC, generation: CKM_EC_KEY_PAIR_GEN, signature: CKM_ECDSA },
    publicAttributes: [[CKA_EC_PARAMS, curve.oid]],
    told: [CKA_EC_POINT],
    readPublic: (told) => {
      const point = pointFromAttribute(curve, told.get(CKA_EC_POINT));
      return point === null ? null : curvePublicKey(curve, point);
    },
    makeInSoftware: () => generateKeyPairSync('ec', { namedCurve: curve.name }).privateKey,
    input: createHash(hash).update(MESSAGE).digest(),
    isSignature: (key, signature) => verify(hash, MESSAGE, { key, dsaEncoding: 'ieee-p1363' }, signature),
  };
}

function edwardsKind(context: CheckContext): PrivateKind {
  const curve = CURVES.Ed25519;
  const parameters = curveParameters(curve, context.profile?.rules.ed25519Parameters ?? 'oid');
  return {
    ...{
      name: 'an Ed25519 key',
      keyType: CKK_EC_EDWARDS,
      generation: CKM_EC_EDWARDS_KEY_PAIR_GEN,
      signature: CKM_EDDSA,
    },
    publicAttributes: [[CKA_EC_PARAMS, parameters]],
    told: [CKA_EC_POINT],
    readPublic: (told) => {
      const point = pointFromAttribute(curve, told.get(CKA_EC_POINT));
      return point === null ? null : curvePublicKey(curve, point);
    },
    makeInSoftware: () => generateKeyPairSync('ed25519').privateKey,
    input: MESSAGE,
    isSignature: (key, signature) => verify(null, MESSAGE, key, signature),
  };
}

function rsaKind(bits: number): PrivateKind {
  return {
    ...{ name: `an RSA key of ${bits} bits`, keyType: CKK_RSA, generation: CKM_RSA_PKCS_KEY_PAIR_GEN },
    signature: CKM_SHA256_RSA_PKCS,
    publicAttributes: [
      [CKA_MODULUS_BITS, bits],
      [CKA_PUBLIC_EXPONENT, Uint8Array.of(1, 0, 1)],
    ],
    told: [CKA_MODULUS, CKA_PUBLIC_EXPONENT],
    readPublic: (told) => {
      const [modulus, exponent] = [told.get(CKA_MODULUS)?.octets, told.get(CKA_PUBLIC_EXPONENT)?.octets];
      return modulus === undefined || exponent === undefined ? null : rsaPublicKey({ modulus, exponent });
    },
    makeInSoftware: () => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey,
    input: MESSAGE,
    isSignature: (key, signature) => verify('sha256', MESSAGE, key, signature),
  };
}

function privateTemplate(kind: PrivateKind, use: 'sign' | 'wrapped', more: readonly number[]): Template {
  return template(
    [CKA_CLASS, CKO_PRIVATE_KEY],
    [CKA_KEY_TYPE, kind.keyType],
    [CKA_TOKEN, false],
    [CKA_PRIVATE, true],
    [CKA_LABEL, utf8(VALIDATION_LABEL)],
    [CKA_SENSITIVE, true],
    [CKA_EXTRACTABLE, use === 'wrapped'],
    [CKA_SIGN, true],
    ...more.map((attribute) => [attribute, new Uint8Array(1)] as const),
  );
}

/** A pair of the token's own, wrapped there and read in software. */
function wrapGenerated(
  context: CheckContext,
  pad: number,
  kind: PrivateKind,
  reference: KeyObject,
): Promise<Attempt<{ readonly seen: string; readonly octets: number }>> {
  return context.attempt(
    'generate and wrap',
    (job) => {
      const publicTemplate = template(
        [CKA_CLASS, CKO_PUBLIC_KEY],
        [CKA_KEY_TYPE, kind.keyType],
        [CKA_TOKEN, false],
        [CKA_LABEL, utf8(VALIDATION_LABEL)],
        [CKA_VERIFY, true],
        ...kind.publicAttributes,
      );
      const pair = job.generateKeyPair(plain(kind.generation), publicTemplate, privateTemplate(kind, 'wrapped', []));
      const told = job.getAttributes(pair.publicKey, kind.told);
      return { told, wrapped: job.wrapKey(plain(pad), job.createObject(kekFor('wrap')), pair.privateKey) };
    },
    (result, { told, wrapped }) => {
      const publicKey = kind.readPublic(result.attributes(told));
      const blob = result.bytes(wrapped);
      const seen = publicKey === null ? 'no public key is told' : describeWrapped(blob, publicKey, reference);
      return { seen, octets: pkcs8Octets(blob) };
    },
  );
}

/** Tries for an RSA key whose PKCS#8 has not by chance a length that no padding shows on. */
const RSA_TRIES = 4;

async function wrapsOwn(context: CheckContext, pad: number, kind: PrivateKind, reference: KeyObject): Promise<void> {
  let generated = await wrapGenerated(context, pad, kind, reference);
  for (let tries = 1; kind.keyType === CKK_RSA && tries < RSA_TRIES; tries += 1) {
    if (!generated.ok || generated.value.octets % 8 !== 0) break;
    generated = await wrapGenerated(context, pad, kind, reference);
  }
  const more = { what: `${kind.name} that the token made`, call: 'C_WrapKey', mechanism: mechanismName(pad) } as const;
  // Kinds of keys that a token does not have are no error of it; nor is a key that it never lets out.
  if (!generated.ok) return context.record(more.what, answerOf(generated), more);
  const { seen } = generated.value;
  context.expect(seen === 'PKCS#8 of the key', { ...more, expected: 'PKCS#8 of the key', seen });
}

async function unwrapsForeign(context: CheckContext, pad: number, kind: PrivateKind, key: KeyObject): Promise<void> {
  const blob = wrapPadded(knownKey, Uint8Array.from(key.export({ type: 'pkcs8', format: 'der' })));
  const more = kind.keyType === CKK_EC ? (context.profile?.rules.ecPrivateUnwrapAttributes ?? []) : [];
  const tried = await context.attempt(
    'unwrap and sign',
    (job) => {
      const copy = job.unwrapKey(
        plain(pad),
        job.createObject(kekFor('unwrap')),
        blob,
        privateTemplate(kind, 'sign', more),
      );
      return job.sign(plain(kind.signature), copy, kind.input);
    },
    (result, signature) => kind.isSignature(createPublicKey(key), result.bytes(signature)),
  );
  const place = { what: `${kind.name} from software`, call: 'C_UnwrapKey', mechanism: mechanismName(pad) } as const;
  if (!tried.ok) return context.record(place.what, answerOf(tried), place);
  context.expect(tried.value, {
    ...{ ...place, expected: 'a key that signs as the one in software' },
    seen: tried.value ? 'a key that signs as the one in software' : 'a key that signs otherwise',
  });
}

/** Private keys of every kind, in both directions: what the token wraps is read in software, what software wraps signs in the token. */
export async function wrapPrivateKeys(context: CheckContext, pad: number): Promise<void> {
  const kinds = [
    ecKind(CURVES['P-256'], 'sha256'),
    ecKind(CURVES['P-384'], 'sha384'),
    ecKind(CURVES['P-521'], 'sha512'),
    ecKind(CURVES.secp256k1, 'sha256'),
    edwardsKind(context),
    ...(context.isQuick ? [2048] : [2048, 3072, 4096]).map(rsaKind),
  ];
  for (const kind of kinds) {
    const reference = kind.makeInSoftware();
    await wrapsOwn(context, pad, kind, reference);
    await unwrapsForeign(context, pad, kind, reference);
  }
}
