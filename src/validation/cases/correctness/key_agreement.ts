import { createPrivateKey } from 'node:crypto';
import { equalOctets, fromHex } from '../../../bytes.js';
import { CKM_ECDH1_DERIVE } from '../../../token/cryptoki.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { tryDerivation } from '../../derivation.js';
import { ecPairTemplates, knownSecretTemplate } from '../../key_template.js';
import {
  agreeAndMac,
  destroyPair,
  ecdh,
  expectedMac,
  generateTokenPair,
  makePeer,
  peerOf,
  type SoftwarePeer,
  type TokenPair,
} from '../../peer.js';
import {
  addPoints,
  BASE_POINT,
  multiplyPoint,
  readPoint,
  scalarOctets,
  toNumber,
  type AffinePoint,
} from '../../software_p384.js';
import { wrapPadded } from '../../software_wrap.js';
import { eccCdhVector } from '../../vectors/derivation.js';
import { invalidPoints } from './invalid_point.js';

const MECHANISM = mechanismName(CKM_ECDH1_DERIVE);
const common = { group: 'COR', flows: ['replication'], timeLimitMs: 180_000 } as const;
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

/**
 * Agrees with peers of a rare form, found by search among the multiples of a point: each is the sum of the one before and that point.
 *
 * @param wanted - what a peer's multiple of the point must be like
 */
async function agreeWithRare(
  context: CheckContext,
  wanted: {
    readonly what: string;
    readonly of: (pair: TokenPair) => AffinePoint;
    readonly isWanted: (multiple: AffinePoint) => boolean;
  },
): Promise<void> {
  await withPair(context, async (pair) => {
    const count = context.isQuick ? 1 : 4;
    const point = wanted.of(pair);
    let scalar = toNumber(context.random.octets(47)) + 1n;
    let multiple = multiplyPoint(point, scalar);
    let found = 0;
    let wrong = 0;
    for (let tries = 0; tries < SEARCH_MAX && found < count; tries++) {
      if (wanted.isWanted(multiple)) {
        found += 1;
        if (!(await isRight(context, pair, peerOf(scalarOctets(scalar))))) wrong += 1;
      }
      scalar += 1n;
      multiple = addPoints(multiple, point);
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

/** The published example, with its private key brought into the token under a known key. */
async function agreeWithPublished(context: CheckContext): Promise<void> {
  const { privateValue, point, peer, secret } = eccCdhVector;
  const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
  const what = 'the published ECC CDH example for P-384, count 0';
  if (pad === null) return context.record(what, 'the token unwraps no private key');
  const encoded = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
  const key = {
    kty: 'EC',
    crv: 'P-384',
    d: encoded(privateValue),
    x: encoded(point.slice(2, 98)),
    y: encoded(point.slice(98)),
  };
  const pkcs8 = createPrivateKey({ format: 'jwk', key }).export({ type: 'pkcs8', format: 'der' });
  const more = context.profile?.rules.ecPrivateUnwrapAttributes ?? [];
  const tried = await context.attempt(
    'published agreement',
    (job) => {
      const kek = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['unwrap'] }, knownKey));
      const [, shape] = ecPairTemplates({
        usage: ['derive'],
        more: more.map((type) => [type, new Uint8Array(1)] as const),
      });
      const unwrapped = job.unwrapKey(plain(pad), kek, wrapPadded(knownKey, Uint8Array.from(pkcs8)), shape);
      return agreeAndMac(job, unwrapped, fromHex(peer));
    },
    (result, mac) => equalOctets(result.bytes(mac), expectedMac(fromHex(secret))),
  );
  if (!tried.ok && tried.call !== 'C_DeriveKey') return context.record(what, answerOf(tried));
  context.expect(tried.ok && tried.value, {
    ...{ what, call: 'C_DeriveKey', mechanism: MECHANISM, expected: 'the published secret' },
    seen: !tried.ok ? answerOf(tried) : tried.value ? 'the published secret' : 'another secret',
  });
}

/** Two pairs of the token agree with each other, each with its private half. */
async function agreeInside(context: CheckContext): Promise<void> {
  await withPair(context, (first) =>
    withPair(context, async (second) => {
      const { result, outputs } = await context.run('agree inside', (job) => [
        agreeAndMac(job, first.privateKey, second.point),
        agreeAndMac(job, second.privateKey, first.point),
      ]);
      const [one, other] = outputs.map((output) => result.bytes(output));
      const isSame = one !== undefined && other !== undefined && equalOctets(one, other);
      context.expect(isSame, {
        ...{ what: 'two pairs of the token, in both directions', call: 'C_DeriveKey', mechanism: MECHANISM },
        expected: 'the same secret',
        seen: isSame ? 'the same secret' : 'two secrets',
      });
    }),
  );
}

/** ECDH on P-384 against software. */
export const agreementCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-01',
    title: 'ECDH on P-384 gives what software computes',
    severity: 'blocks',
    source: 'NIST SP 800-56A r3 section 5.7.1.2 and the ECC CDH vectors of NIST CAVP; SEC 1 section 3.3.1',
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
      await agreeWithPublished(context);
      await agreeInside(context);
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
        of: (pair) => readPoint(pair.point),
        isWanted: ({ x }) => x >> 376n === 0n,
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
      await withPair(context, async (pair) => {
        const peer = makePeer(context);
        const secret = peer.agree(pair.point);
        const seen: string[] = [];
        for (const length of [16, 32, 47]) {
          const forms = { trailing: secret.subarray(secret.length - length), leading: secret.subarray(0, length) };
          let answer = '';
          for (const [form, expected] of Object.entries(forms)) {
            const outcome = await tryDerivation(context, ecdh(peer.point), () => pair.privateKey, expected);
            if (outcome.isRight) answer = form;
            else if (answer === '') answer = outcome.isDone ? 'other' : outcome.seen;
            if (outcome.isRight || !outcome.isDone) break;
          }
          // A length that a token does not derive is no error of it.
          const isRefused = answer.startsWith('C_');
          if (!isRefused) seen.push(answer);
          context.expect(isRefused || answer === 'trailing', {
            what: `octets that a secret of ${length} octets keeps of one of 48`,
            call: 'C_DeriveKey',
            mechanism: MECHANISM,
            expected: 'trailing, or refused',
            seen: answer,
          });
        }
        if (seen.length === 0) context.skip('the token derives no shorter secret without key derivation function');
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
        of: () => BASE_POINT,
        isWanted: ({ x }) => x >> 376n === 0x5fn,
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
