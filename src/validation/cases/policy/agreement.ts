import { createECDH } from 'node:crypto';
import { equalOctets } from '../../../bytes.js';
import { CKA_EC_PARAMS, CKA_VALUE } from '../../../token/cryptoki.js';
import type { ObjectHandle } from '../../../token/object.js';
import { CURVES } from '../../../wire/curve.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { ecPairTemplates, secretTemplate, type SecretShape } from '../../key_template.js';
import { destroyPair, ecdh, generateTokenPair, makePeer } from '../../peer.js';
import { policyCheck } from './known_wrapping_key.js';

const MECHANISM = 'CKM_ECDH1_DERIVE';
const call = 'C_DeriveKey';
const hidden: SecretShape = { keyType: 'generic', usage: ['sign'], valueBytes: 48 };
const readable: SecretShape = { ...hidden, sensitive: false, extractable: true };
/** Field prime of P-384. @source NIST SP 800-186 section 3.2.1.4 */
const PRIME = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
/** Coefficient b of P-384: the curve is y² = x³ - 3x + b. @source NIST SP 800-186 section 3.2.1.4 */
const B = 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let [square, left] = [base % PRIME, exponent]; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}

/** x³ - 3x + b. */
function rightSide(x: bigint): bigint {
  return (((x * x * x - 3n * x + B) % PRIME) + PRIME) % PRIME;
}

/** Square root modulo a prime that is 3 modulo 4; null where there is none. */
function root(value: bigint): bigint | null {
  const found = power(value, (PRIME + 1n) / 4n);
  return (found * found) % PRIME === value ? found : null;
}

function coordinate(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(96, '0'), 'hex');
}

function fieldElement(context: CheckContext): bigint {
  return BigInt(`0x${Buffer.from(context.random.octets(48)).toString('hex')}`) % PRIME;
}

/** A point of the quadratic twist d·y² = x³ - 3x + b with d = -1, as who leaves y away, or out of account, would take it. */
function twistPoint(context: CheckContext): Uint8Array {
  for (;;) {
    const x = fieldElement(context);
    const y = root((PRIME - rightSide(x)) % PRIME);
    if (root(rightSide(x)) === null && y !== null) return Uint8Array.of(4, ...coordinate(x), ...coordinate(y));
  }
}

/** A point of order 2 of y² = x³ - 3x + b' for another b': an agreement with it tells the private key's lowest bit. */
function smallOrderPoint(context: CheckContext): Uint8Array {
  return Uint8Array.of(4, ...coordinate(fieldElement(context)), ...coordinate(0n));
}

/** Points that are none of P-384, each as an attacker chooses it. */
function hostilePoints(context: CheckContext): readonly (readonly [string, Uint8Array])[] {
  const { point } = makePeer(context);
  const offCurve = Uint8Array.from(point);
  offCurve[96] = (offCurve[96] ?? 0) ^ 1;
  const x = BigInt(`0x${Buffer.from(point.subarray(1, 49)).toString('hex')}`);
  const aboveField = x + PRIME < 2n ** 384n ? coordinate(x + PRIME) : Buffer.alloc(48, 0xff);
  const other = (curve: string): Uint8Array => createECDH(curve).generateKeys();
  return [
    ['a point that is not on the curve', offCurve],
    ['a point of order 2 of another curve', smallOrderPoint(context)],
    ['a point of the twist', twistPoint(context)],
    ['the point at infinity, one octet', Uint8Array.of(0)],
    ['the coordinates (0, 0)', Uint8Array.of(4, ...new Uint8Array(96))],
    ['an x above the field prime', Uint8Array.of(4, ...aboveField, ...point.subarray(49))],
    ['a point of P-256', other('prime256v1')],
    ['a point of P-521', other('secp521r1')],
    ['a point of brainpoolP384r1', other('brainpoolP384r1')],
  ];
}

/** Whether a token gives away private keys, or secrets, by agreement. */
export const agreementPolicy: readonly Check[] = [
  {
    ...policyCheck,
    id: 'POL-12',
    flows: ['replication', 'operations'],
    means: {
      replication:
        'a peer, or the proxy, could learn the agreement key; Keyferry’s own check of points stands before it',
      operations:
        'a caller of DeriveSharedSecret could learn the KMS key; Keyferry’s own check of points stands before it',
    },
    title: 'A point that an attacker chose outside the curve gives no key',
    source:
      'Biehl, Meyer and Müller, CRYPTO 2000; Antipa and others, PKC 2003; Jager, Schwenk and Somorovsky, ESORICS 2015; NIST SP 800-56A r3 section 5.6.2.3.3',
    attack:
      'whoever may name the other public key of an agreement sends points of small order and learns the private key, some bits with each answer',
    remedy:
      'check that a public point is on the curve before it is used. Keyferry checks every point itself before the token sees it, in replication and in DeriveSharedSecret; other applications of the token may not',
    run: async (context) => {
      context.need('ecKeyPairP384', 'ecdh1Null48');
      const pair = await generateTokenPair(context);
      try {
        for (const [what, point] of hostilePoints(context)) {
          const tried = await context.attempt(
            what,
            (job) => void job.deriveKey(ecdh(point), pair.privateKey, secretTemplate(hidden)),
            () => true,
          );
          const seen = tried.ok ? 'CKR_OK: a key' : answerOf(tried);
          context.expect(!tried.ok, { what, call, mechanism: MECHANISM, expected: 'refused', seen });
        }
      } finally {
        await destroyPair(context, pair);
      }
    },
  },
  {
    ...policyCheck,
    id: 'POL-13',
    severity: 'information',
    flows: ['replication'],
    means: {
      replication: 'a reflected message is no business of the token: the protocol refuses it',
    },
    title: 'What a token makes of its own public point',
    source: 'NIST SP 800-56A r3 section 5.6.2.3: nothing forbids it; a protocol must tell its two sides apart',
    attack: 'whoever reflects a message to its sender makes it agree with itself, where the protocol does not notice',
    remedy: 'none is needed in the token: Keyferry refuses its own point, and both regions sign whom they talk to',
    run: async (context) => {
      context.need('ecKeyPairP384', 'ecdh1Null48');
      const known = createECDH('secp384r1');
      known.setPrivateKey(context.random.octets(48));
      const point = Uint8Array.from(known.getPublicKey());
      const brought = await context.attempt(
        'known agreement key',
        (job) => {
          const [, shape] = ecPairTemplates({ usage: ['derive'] });
          const curve = { type: CKA_EC_PARAMS, value: CURVES['P-384'].oid };
          const key = job.createObject([...shape, curve, { type: CKA_VALUE, value: known.getPrivateKey() }]);
          return job.reveal(job.readSecret(job.deriveKey(ecdh(point), key, secretTemplate(readable))));
        },
        (result, value) => equalOctets(result.bytes(value), known.computeSecret(point)),
      );
      if (brought.ok) {
        context.expect(brought.value, {
          what: 'agreement of a key with its own point',
          ...{ call, mechanism: MECHANISM, expected: 'refused, or the secret as software computes it' },
          seen: brought.value ? 'CKR_OK: the shared secret' : 'CKR_OK: other octets',
        });
        return;
      }
      context.record('agreement of a known key with its own point', answerOf(brought), { call: brought.call });
      const pair = await generateTokenPair(context);
      try {
        const own = await context.attempt(
          'own point',
          (job) => void job.deriveKey(ecdh(pair.point), pair.privateKey, secretTemplate(hidden)),
          () => true,
        );
        context.record('agreement of a generated key with its own point', answerOf(own), { call });
      } finally {
        await destroyPair(context, pair);
      }
    },
  },
  {
    ...policyCheck,
    severity: 'information',
    id: 'POL-17',
    flows: ['replication'],
    means: {
      replication:
        'whoever has the PIN while a replication lasts reads what was agreed on; agreement keys are destroyed with it',
    },
    title: 'Whether a secret that is agreed on with a sensitive key can be asked for in clear',
    source: 'PKCS#11 v2.40 current mechanisms section 2.3.9: the template of C_DeriveKey says it',
    attack:
      'whoever can log in and use an agreement key reads the secrets that it agrees on; the standard allows that, so that CKA_DERIVE is as good as CKA_DECRYPT',
    remedy:
      'none is needed where nobody else has the PIN: Keyferry’s agreement keys live for one replication, and what it derives is sensitive. CKA_DERIVE_TEMPLATE forbids it where a token has that',
    run: async (context) => {
      context.need('ecKeyPairP384', 'ecdh1Null48');
      const pair = await generateTokenPair(context);
      try {
        await expectRightOrRefused(context, pair.privateKey, pair.point);
      } finally {
        await destroyPair(context, pair);
      }
    },
  },
];

async function expectRightOrRefused(context: CheckContext, key: ObjectHandle, ownPoint: Uint8Array): Promise<void> {
  const peer = makePeer(context);
  const tried = await context.attempt(
    'readable secret',
    (job) => job.reveal(job.readSecret(job.deriveKey(ecdh(peer.point), key, secretTemplate(readable)))),
    (result, value) => equalOctets(result.bytes(value), peer.agree(ownPoint)),
  );
  context.expect(!tried.ok || tried.value, {
    what: 'a shared secret with CKA_SENSITIVE false',
    ...{ call, mechanism: MECHANISM, expected: 'refused, or the shared secret as software computes it' },
    seen: tried.ok ? (tried.value ? 'CKR_OK: the shared secret' : 'CKR_OK: other octets') : answerOf(tried),
  });
}
