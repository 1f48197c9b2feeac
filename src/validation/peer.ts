import { createECDH, createHmac } from 'node:crypto';
import { utf8 } from '../bytes.js';
import { CKA_EC_POINT, CKD_NULL, CKM_ECDH1_DERIVE, CKM_EC_KEY_PAIR_GEN, CKM_SHA384_HMAC } from '../token/cryptoki.js';
import type { Job, ObjectOperand, Output } from '../token/job.js';
import type { Mechanism } from '../token/mechanism.js';
import type { ObjectHandle } from '../token/object.js';
import { plain } from '../token/probe/probe_context.js';
import { pointFromAttribute } from '../token/public_key.js';
import { CURVES } from '../wire/curve.js';
import type { CheckContext } from './check_context.js';
import { ecPairTemplates, secretTemplate } from './key_template.js';

const MESSAGE = utf8('keyferry validation');
/** Order of P-384 starts with so many ones that seeded octets are below it but for one in 2^192. */
const SCALAR_BYTES = 48;

/** A P-384 pair in software, from seeded octets. */
export interface SoftwarePeer {
  /** Uncompressed, 97 octets. */
  readonly point: Uint8Array;
  /** The shared secret with another point: the x coordinate, 48 octets. */
  readonly agree: (point: Uint8Array) => Uint8Array;
}

/** Makes a peer from the check's own random octets. */
export function makePeer(context: CheckContext): SoftwarePeer {
  return peerOf(context.random.octets(SCALAR_BYTES));
}

/** The peer with a private key, 48 octets. */
export function peerOf(privateValue: Uint8Array): SoftwarePeer {
  const ecdh = createECDH('secp384r1');
  ecdh.setPrivateKey(privateValue);
  return {
    point: Uint8Array.from(ecdh.getPublicKey()),
    agree: (point) => {
      const secret = ecdh.computeSecret(point);
      // OpenSSL gives the coordinate in full; the length is part of what is compared.
      return Uint8Array.from(Buffer.concat([Buffer.alloc(SCALAR_BYTES - secret.length), secret]));
    },
  };
}

/** A P-384 pair in the token, with its point. The handle is to be destroyed by {@link destroyPair}. */
export interface TokenPair {
  readonly privateKey: ObjectHandle;
  readonly publicKey: ObjectHandle;
  readonly point: Uint8Array;
}

/** Generates a pair that derives. */
export async function generateTokenPair(context: CheckContext): Promise<TokenPair> {
  const { result, outputs } = await context.run('agreement pair', (job) => {
    const pair = job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates({ usage: ['derive'] }));
    const attributes = job.getAttributes(pair.publicKey, [CKA_EC_POINT]);
    return { attributes, privateKey: job.keep(pair.privateKey), publicKey: job.keep(pair.publicKey) };
  });
  const point = pointFromAttribute(CURVES['P-384'], result.attributes(outputs.attributes).get(CKA_EC_POINT));
  const pair = {
    privateKey: result.object(outputs.privateKey),
    publicKey: result.object(outputs.publicKey),
    point: point ?? new Uint8Array(),
  };
  if (point === null) {
    await destroyPair(context, pair);
    context.skip('the token tells no public point of the pair that it made');
  }
  return pair;
}

/** Destroys both halves. */
export async function destroyPair(context: CheckContext, pair: TokenPair): Promise<void> {
  await context.run('destroy pair', (job) => {
    for (const handle of [pair.privateKey, pair.publicKey]) {
      job.attempt();
      job.destroyObject(handle);
    }
  });
}

/** Agrees with a software peer for some work; the pair in the token is destroyed afterwards. */
export async function withAgreement(
  context: CheckContext,
  work: (parts: { readonly pair: TokenPair; readonly peer: SoftwarePeer; readonly z: Uint8Array }) => Promise<void>,
): Promise<void> {
  const pair = await generateTokenPair(context);
  try {
    const peer = makePeer(context);
    await work({ pair, peer, z: peer.agree(pair.point) });
  } finally {
    await destroyPair(context, pair);
  }
}

/** `CKM_ECDH1_DERIVE` without key derivation function. */
export function ecdh(publicData: Uint8Array): Mechanism {
  return { type: CKM_ECDH1_DERIVE, parameter: { kind: 'ecdh1', kdf: CKD_NULL, sharedData: null, publicData } };
}

/** Agrees on the whole shared secret in the token and makes a MAC with it: nobody reads the secret. */
export function agreeAndMac(job: Job, privateKey: ObjectOperand, point: Uint8Array): Output<'bytes'> {
  const shape = secretTemplate({ keyType: 'generic', usage: ['sign'], valueBytes: SCALAR_BYTES });
  return job.sign(plain(CKM_SHA384_HMAC), job.deriveKey(ecdh(point), privateKey, shape), MESSAGE);
}

/** What {@link agreeAndMac} gives for a shared secret. */
export function expectedMac(secret: Uint8Array): Uint8Array {
  return createHmac('sha384', secret).update(MESSAGE).digest();
}
