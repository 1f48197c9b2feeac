import { fromHex } from '../bytes.js';
import type { HsmCapabilities } from './capability.js';
import type { ImportPayload } from './import_steps.js';
import { specInToken, wrappedOctets } from './key_spec.js';
import type { KeySpec } from './material.js';
import type { CurveName } from '../wire/curve.js';

/** Longest HMAC key that is imported, octets. @source AWS KMS Developer Guide, requirements for imported key material */
const HMAC_OCTETS_MAX = 128;

/**
 * Orders of the base points, big-endian, as long as a private value is written.
 *
 * @source SEC 2 version 2 sections 2.4.1, 2.4.2, 2.5.1, 2.6.1
 */
const orders: Readonly<Partial<Record<CurveName, Uint8Array>>> = {
  'P-256': fromHex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'),
  'P-384': fromHex('ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973'),
  'P-521': fromHex(
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d0' +
      '3bb5c9b8899c47aebb6fb71e91386409',
  ),
  secp256k1: fromHex('fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'),
};

/** What is wrapped for a key spec: a secret, or the PKCS#8 of a private key. */
export function importPayloadOf(keySpec: KeySpec): ImportPayload {
  const spec = specInToken(keySpec);
  switch (spec.kind) {
    case 'aes':
      return { minOctets: spec.secretOctets, maxOctets: spec.secretOctets, curve: null };
    case 'hmac':
      return { minOctets: spec.secretOctets, maxOctets: HMAC_OCTETS_MAX, curve: null };
    case 'rsa':
    case 'curve': {
      const order = spec.kind === 'curve' ? orders[spec.curve.name] : undefined;
      return {
        minOctets: spec.wrappedOctets.min - wrappedOctets(1) + 1,
        maxOctets: spec.wrappedOctets.max - wrappedOctets(0),
        curve: spec.kind === 'rsa' || order === undefined ? null : { parameters: spec.curve.oid, order },
      };
    }
  }
}

/** Why no material of a key spec can be imported into a token; undefined where it can. */
export function refusalOfPayload(keySpec: KeySpec, capabilities: HsmCapabilities): string | undefined {
  const spec = specInToken(keySpec);
  if (spec.kind === 'curve' && spec.curve.name === 'Ed25519') {
    return (
      'the public half of an unwrapped Ed25519 key cannot be told: the token has no CKA_EC_POINT of private keys, ' +
      'and Ed25519 keys agree on nothing from which it could be computed'
    );
  }
  return Object.values(spec.usages).some(({ needs }) =>
    needs.every((oneOf) => oneOf.some((fact) => capabilities.refusedFacts[fact] === undefined)),
  )
    ? undefined
    : `the token cannot hold ${keySpec} keys: ${Object.values(spec.usages)
        .flatMap(({ needs }) => needs.flat())
        .flatMap((fact) => capabilities.refusedFacts[fact] ?? [])
        .join('; ')}`;
}
