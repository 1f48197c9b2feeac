import { createECDH } from 'node:crypto';
import { equalOctets } from '../../../bytes.js';
import { CKM_ECDH1_DERIVE } from '../../../token/cryptoki.js';
import { mechanismName } from '../../../token/names.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import {
  agreeAndMac,
  destroyPair,
  expectedMac,
  generateTokenPair,
  makePeer,
  type SoftwarePeer,
  type TokenPair,
} from '../../peer.js';

const MECHANISM = mechanismName(CKM_ECDH1_DERIVE);
const common = { group: 'COR', isQuick: true, flows: ['replication'], timeLimitMs: 180_000 } as const;
/** Peers that are looked at before a rare form of point or secret is given up: one in 256 has it. */
const SEARCH_MAX = 6_000;

async function withPair(context: CheckContext, work: (pair: TokenPair) => Promise<void>): Promise<void> {
  context.need('ecKeyPairP384', 'ecdh1Null48', 'hmacSha384');
  const pair = await generateTokenPair(context);
  try {
    await work(pair);
  } finally {
    await destroyPair(context, pair);
  }
}

/** Whether the token agrees with a peer on what software computes; a refusal is thrown. */
async function isRight(context: CheckContext, pair: TokenPair, peer: SoftwarePeer): Promise<boolean> {
  const { result, outputs } = await context.run('agree', (job) => agreeAndMac(job, pair.privateKey, peer.point));
  return equalOctets(result.bytes(outputs), expectedMac(peer.agree(pair.point)));
}

/** Agrees with peers of a rare form, found by search. */
async function agreeWithRare(
  context: CheckContext,
  wanted: { readonly what: string; readonly isWanted: (peer: SoftwarePeer, pair: TokenPair) => boolean },
): Promise<void> {
  await withPair(context, async (pair) => {
    const count = context.isQuick ? 1 : 2;
    let found = 0;
    let wrong = 0;
    for (let tries = 0; tries < SEARCH_MAX && found < count; tries++) {
      const peer = makePeer(context);
      if (!wanted.isWanted(peer, pair)) continue;
      found += 1;
      if (!(await isRight(context, pair, peer))) wrong += 1;
    }
    context.expect(found === count && wrong === 0, {
      what: wanted.what,
      call: 'C_DeriveKey',
      mechanism: MECHANISM,
      expected: `${count} of ${count} as in software`,
      seen: `${found - wrong} of ${found}`,
    });
  });
}

function invalidPoints(context: CheckContext): readonly (readonly [string, Uint8Array])[] {
  const { point } = makePeer(context);
  const offCurve = Uint8Array.from(point);
  offCurve[96] = (offCurve[96] ?? 0) ^ 1;
  const tooLarge = Uint8Array.from(point).fill(0xff, 1, 49);
  const p256 = createECDH('prime256v1').generateKeys();
  return [
    ['a point that is not on the curve', offCurve],
    ['the point at infinity', Uint8Array.of(0)],
    ['the coordinates (0, 0)', Uint8Array.of(4, ...new Uint8Array(96))],
    ['x not below the field prime', tooLarge],
    ['a point of P-256', p256],
    ['a point without its last octet', point.subarray(0, 96)],
    ['a point with an octet behind it', Uint8Array.of(...point, 0)],
    ['an unknown form octet', Uint8Array.of(5, ...point.subarray(1))],
  ];
}

/** ECDH on P-384 against software. */
export const agreementCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-01',
    title: 'ECDH on P-384 gives what software computes',
    severity: 'blocks',
    source: 'NIST SP 800-56A r3 section 5.7.1.2; SEC 1 section 3.3.1',
    remedy: 'correct the agreement: keys that two tokens derive are not the same',
    run: async (context) => {
      const [pairs, peersEach] = context.isQuick ? [2, 5] : [20, 10];
      let wrong = 0;
      for (let at = 0; at < pairs; at++) {
        await withPair(context, async (pair) => {
          for (let peer = 0; peer < peersEach; peer++) {
            if (!(await isRight(context, pair, makePeer(context)))) wrong += 1;
          }
        });
      }
      context.expect(wrong === 0, {
        what: `${pairs} pairs of the token with ${peersEach} random peers each, compared by a MAC under the secret`,
        call: 'C_DeriveKey',
        mechanism: MECHANISM,
        expected: 'all as in software',
        seen: wrong === 0 ? 'all as in software' : `${wrong} of ${pairs * peersEach} differ`,
      });
    },
  },
  {
    ...common,
    id: 'COR-02',
    title: 'A shared secret that starts with a zero octet keeps it',
    severity: 'blocks',
    source: 'NIST SP 800-56A r3 appendix C.2; SEC 1 section 2.3.5',
    remedy: 'keep leading zero octets: one derived key in 256 differs between tokens otherwise',
    run: (context) =>
      agreeWithRare(context, {
        what: 'secrets whose first octet is zero',
        isWanted: (peer, pair) => peer.agree(pair.point)[0] === 0,
      }),
  },
  {
    ...common,
    id: 'COR-03',
    title: 'A shorter derived key keeps the trailing octets of the secret',
    severity: 'strategy',
    source: 'PKCS#11 v2.40 current mechanisms section 2.3.9: octets are taken off the leading end',
    remedy: 'the suite CBCDERIVE-A256KWP needs trailing octets; use one with a key derivation function',
    run: async (context) => {
      context.need('ecKeyPairP384');
      const truncation = context.profile?.rules.ecdh1Truncation ?? null;
      if (truncation === null) return context.skip('the token derives no AES-256 key without key derivation function');
      context.expect(truncation === 'trailing', {
        what: 'octets that an AES-256 key from a 48-octet secret has',
        call: 'C_DeriveKey',
        mechanism: MECHANISM,
        expected: 'trailing',
        seen: truncation,
      });
    },
  },
  {
    ...common,
    id: 'COR-04',
    title: 'A bare point that looks like a DER OCTET STRING is taken as the point that it is',
    severity: 'blocks',
    source: 'PKCS#11 v2.40 current mechanisms section 2.3.9 (pPublicData)',
    remedy: 'tell the two forms apart by their length, not by their first octets',
    run: (context) =>
      agreeWithRare(context, {
        what: 'points that start with 04 5F, which is also the header of 95 octets in DER',
        isWanted: ({ point }) => point[1] === 0x5f,
      }),
  },
  {
    ...common,
    id: 'COR-05',
    title: 'Points that are none of P-384 give no key',
    severity: 'security',
    source:
      'NIST SP 800-56A r3 section 5.6.2.3; Biehl, Meyer and Müller, CRYPTO 2000; Jager, Schwenk and Somorovsky, ESORICS 2015',
    remedy: 'validate public points; until then nothing but a validating caller may use the token for agreement',
    run: async (context) => {
      await withPair(context, async (pair) => {
        for (const [what, point] of invalidPoints(context)) {
          const tried = await context.attempt(
            'invalid point',
            (job) => agreeAndMac(job, pair.privateKey, point),
            () => true,
          );
          context.expect(!tried.ok && tried.call === 'C_DeriveKey', {
            what,
            call: 'C_DeriveKey',
            mechanism: MECHANISM,
            expected: 'refused',
            seen: answerOf(tried),
          });
        }
        const { point } = makePeer(context);
        const parity = (point[96] ?? 0) & 1;
        const forms: readonly (readonly [string, Uint8Array])[] = [
          ['a compressed point', Uint8Array.of(2 + parity, ...point.subarray(1, 49))],
          ['a hybrid point', Uint8Array.of(6 + parity, ...point.subarray(1))],
        ];
        for (const [what, form] of forms) {
          const tried = await context.attempt(
            what,
            (job) => agreeAndMac(job, pair.privateKey, form),
            () => true,
          );
          context.record(what, answerOf(tried), { call: 'C_DeriveKey', mechanism: MECHANISM });
        }
      });
    },
  },
];
