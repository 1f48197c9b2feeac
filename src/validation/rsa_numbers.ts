import { checkPrimeSync } from 'node:crypto';
import {
  CKA_COEFFICIENT,
  CKA_EXPONENT_1,
  CKA_EXPONENT_2,
  CKA_MODULUS,
  CKA_PRIME_1,
  CKA_PRIME_2,
  CKA_PRIVATE_EXPONENT,
  CKA_PUBLIC_EXPONENT,
} from '../token/cryptoki.js';
import type { KeyUse } from '../hsm/key_shape.js';
import type { Template } from '../token/template.js';
import { rsaPairTemplates } from './key_template.js';
import type { SeededRandom } from './seeded_random.js';

/** The numbers of an RSA private key, also of one that is none. They are of test keys, and no secret. */
export interface RsaNumbers {
  readonly n: bigint;
  readonly e: bigint;
  readonly d: bigint;
  readonly p: bigint;
  readonly q: bigint;
  readonly dp: bigint;
  readonly dq: bigint;
  readonly qi: bigint;
}

const E = 65_537n;

/** The inverse of a number modulo another, or 0 where there is none. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [previous, current] = [modulus, ((value % modulus) + modulus) % modulus];
  let [coefficient, next] = [0n, 1n];
  while (current > 1n) {
    const quotient = previous / current;
    [previous, current] = [current, previous - quotient * current];
    [coefficient, next] = [next, coefficient - quotient * next];
  }
  return current === 1n ? ((next % modulus) + modulus) % modulus : 0n;
}

/** A prime of so many bits, its two highest set, with p - 1 prime to 65,537. */
function prime(random: SeededRandom, bits: number): bigint {
  for (;;) {
    const octets = random.octets(bits / 8);
    octets[0] = (octets[0] ?? 0) | 0xc0;
    octets[octets.length - 1] = (octets.at(-1) ?? 0) | 1;
    const candidate = BigInt(`0x${Buffer.from(octets).toString('hex')}`);
    if ((candidate - 1n) % E !== 0n && checkPrimeSync(candidate, { checks: 8 })) return candidate;
  }
}

/** What goes with two factors and a private exponent. */
export function crtNumbers(p: bigint, q: bigint, d: bigint): Pick<RsaNumbers, 'p' | 'q' | 'dp' | 'dq' | 'qi'> {
  const exponent = (factor: bigint): bigint => (factor > 1n ? d % (factor - 1n) : 0n);
  return { p, q, dp: exponent(p), dq: exponent(q), qi: inverse(q, p) };
}

/** Makes a key from seeded octets: the same seed gives the same key. */
export function makeRsaNumbers(random: SeededRandom, modulusBits: number): RsaNumbers {
  const p = prime(random, modulusBits / 2);
  let q = prime(random, modulusBits / 2);
  while (q === p) q = prime(random, modulusBits / 2);
  const d = inverse(E, (p - 1n) * (q - 1n));
  return { n: p * q, e: E, d, ...crtNumbers(p, q, d) };
}

/** Big-endian octets without leading zeros; one zero octet for zero. */
export function octetsOf(value: bigint): Uint8Array {
  const digits = value.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
}

/** Template for `C_CreateObject` of an RSA private key that is no secret: a published, a seeded or a wrong one. */
export function knownRsaTemplate(numbers: RsaNumbers, usage: readonly KeyUse[]): Template {
  const { n, e, d, p, q, dp, dq, qi } = numbers;
  const more = [
    [CKA_MODULUS, octetsOf(n)],
    [CKA_PUBLIC_EXPONENT, octetsOf(e)],
    [CKA_PRIVATE_EXPONENT, octetsOf(d)],
    [CKA_PRIME_1, octetsOf(p)],
    [CKA_PRIME_2, octetsOf(q)],
    [CKA_EXPONENT_1, octetsOf(dp)],
    [CKA_EXPONENT_2, octetsOf(dq)],
    [CKA_COEFFICIENT, octetsOf(qi)],
  ] as const;
  const [, privateHalf] = rsaPairTemplates({ usage, more }, n.toString(2).length);
  return privateHalf;
}
