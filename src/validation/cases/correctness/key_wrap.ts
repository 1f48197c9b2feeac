import { equalOctets, fromHex } from '../../../bytes.js';
import { CKM_AES_KEY_WRAP } from '../../../token/cryptoki.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type Attempt, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate } from '../../key_template.js';
import { readMadeSecret } from '../../secret_reading.js';
import { paddedInitial, wrapPadded, wrapPlain, wrapWith } from '../../software_wrap.js';
import { keyWrapPadVectors, keyWrapVectors, type KeyWrapVector } from '../../vectors/key_wrap.js';
import { wrapAesKeys, wrapPrivateKeys } from './key_type_wrap.js';

const common = {
  group: 'COR',

  timeLimitMs: 30_000,
  flows: ['replication', 'import', 'operations'],
} as const;

/** Unwraps to a secret that may be read, because it is a test vector. */
function unwrapAndRead(
  context: CheckContext,
  mechanism: number,
  kek: Uint8Array,
  wrapped: Uint8Array,
): Promise<Attempt<Uint8Array>> {
  return readMadeSecret(context, 'unwrap', (job, shape) => {
    const key = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['unwrap'] }, kek));
    return job.unwrapKey(plain(mechanism), key, wrapped, shape);
  });
}

function wrapKnown(
  context: CheckContext,
  mechanism: number,
  kek: Uint8Array,
  secret: Uint8Array,
): Promise<Attempt<Uint8Array>> {
  return context.attempt(
    'wrap',
    (job) => {
      const key = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['wrap'] }, kek));
      const target = job.createObject(
        knownSecretTemplate({ keyType: 'generic', usage: ['sign'], extractable: true }, secret),
      );
      return job.wrapKey(plain(mechanism), key, target);
    },
    (result, wrapped) => result.bytes(wrapped),
  );
}

function seen(tried: Attempt<Uint8Array>, expected: Uint8Array): string {
  if (!tried.ok) return answerOf(tried);
  if (equalOctets(tried.value, expected)) return 'the known answer';
  return tried.value.length === expected.length ? 'other octets' : `${tried.value.length} octets`;
}

async function knownAnswers(
  context: CheckContext,
  mechanism: number,
  vectors: readonly KeyWrapVector[],
  directions: readonly ('wrap' | 'unwrap')[],
): Promise<void> {
  for (const vector of vectors) {
    const [kek, key, wrapped] = [fromHex(vector.kek), fromHex(vector.key), fromHex(vector.wrapped)];
    for (const direction of directions) {
      const tried =
        direction === 'wrap'
          ? await wrapKnown(context, mechanism, kek, key)
          : await unwrapAndRead(context, mechanism, kek, wrapped);
      const answer = seen(tried, direction === 'wrap' ? wrapped : key);
      context.expect(answer === 'the known answer', {
        what: `${direction}, ${vector.name}`,
        call: direction === 'wrap' ? 'C_WrapKey' : 'C_UnwrapKey',
        mechanism: mechanismName(mechanism),
        expected: 'the known answer',
        seen: answer,
      });
    }
  }
}

function padMechanism(context: CheckContext): number {
  context.need('createSecretKey', 'aesKeyWrapPad', 'aesKeyUnwrapPad');
  return context.profile?.rules.aesKeyWrapPadMechanism ?? 0;
}

type Blobs = readonly (readonly [string, Uint8Array])[];

/** Blobs that no correct wrapping with padding makes. */
function invalidPaddedBlobs(random: Uint8Array): Blobs {
  const key = random.subarray(0, 32);
  const good = wrapPadded(knownKey, key);
  const changed = (at: number): Uint8Array => good.map((octet, index) => (index === at ? octet ^ 1 : octet));
  const padding = (nonZero: number): Uint8Array =>
    Uint8Array.from({ length: 32 }, (_, at) => (at === nonZero ? 1 : at < 25 ? 0x5a : 0));
  const oneBlock = wrapPadded(knownKey, key.subarray(0, 7));
  return [
    ['a bit of the first octet changed', changed(0)],
    ['a bit in the middle changed', changed(20)],
    ['a bit of the last octet changed', changed(good.length - 1)],
    ['the initial value of RFC 3394', wrapPlain(knownKey, key)],
    ['an initial value of zeros', wrapWith(knownKey, new Uint8Array(8), key)],
    ['a length of zero', wrapWith(knownKey, paddedInitial(0), key)],
    ['a length above the octets', wrapWith(knownKey, paddedInitial(33), key)],
    ['a length that leaves more than 7 octets of padding', wrapWith(knownKey, paddedInitial(24), key)],
    ['a length of 2^31', wrapWith(knownKey, paddedInitial(0x8000_0000), key)],
    ['a length of 2^32 - 1', wrapWith(knownKey, paddedInitial(0xffff_ffff), key)],
    ['padding whose first octet is not zero', wrapWith(knownKey, paddedInitial(25), padding(25))],
    ['padding whose last octet is not zero', wrapWith(knownKey, paddedInitial(25), padding(31))],
    ['one block, with a length of zero', wrapWith(knownKey, paddedInitial(0), new Uint8Array(8))],
    ['one block, with a length of 9', wrapWith(knownKey, paddedInitial(9), key.subarray(0, 8))],
    ['one block, with padding that is not zero', wrapWith(knownKey, paddedInitial(7), key.subarray(0, 8).fill(1, 7))],
    ['one block, a bit changed', oneBlock.map((octet, at) => (at === 3 ? octet ^ 1 : octet))],
    ['8 octets taken off the end', good.subarray(0, 32)],
    ['one octet taken off the end', good.subarray(0, 39)],
    ['8 octets only', good.subarray(0, 8)],
    ['one octet only', good.subarray(0, 1)],
    ['8 octets more', Uint8Array.of(...good, ...random.subarray(32, 40))],
  ];
}

/** Blobs that no correct wrapping without padding makes. */
function invalidPlainBlobs(random: Uint8Array): Blobs {
  const key = random.subarray(0, 32);
  const good = wrapPlain(knownKey, key);
  return [
    ['a bit changed', good.map((octet, at) => (at === 20 ? octet ^ 1 : octet))],
    ['the initial value of RFC 5649', wrapPadded(knownKey, key)],
    ['an initial value of zeros', wrapWith(knownKey, new Uint8Array(8), key)],
    ['8 octets taken off the end', good.subarray(0, 32)],
    ['one octet taken off the end', good.subarray(0, 39)],
    ['16 octets only', good.subarray(0, 16)],
    ['8 octets only', good.subarray(0, 8)],
  ];
}

async function expectRefusals(context: CheckContext, mechanism: number, blobs: Blobs): Promise<void> {
  for (const [what, blob] of blobs) {
    const tried = await unwrapAndRead(context, mechanism, knownKey, blob);
    context.expect(!tried.ok && tried.call === 'C_UnwrapKey', {
      what,
      call: 'C_UnwrapKey',
      mechanism: mechanismName(mechanism),
      expected: 'refused, best with CKR_WRAPPED_KEY_INVALID or CKR_WRAPPED_KEY_LEN_RANGE',
      seen: tried.ok ? `a secret of ${tried.value.length} octets` : answerOf(tried),
    });
  }
}

/** AES key wrap, without and with padding. */
export const keyWrapCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-07',
    title: 'AES key wrap gives the published answers, and refuses what no wrapping makes',
    severity: 'blocks',
    source: 'RFC 3394 section 4; RFC 5649 sections 3 and 6',
    remedy: 'correct the key wrap; check the initial value, the length and the padding before a key is made',
    run: async (context) => {
      const pad = padMechanism(context);
      if (context.works('aesKeyWrap'))
        await knownAnswers(context, CKM_AES_KEY_WRAP, keyWrapVectors, ['wrap', 'unwrap']);
      else context.record('RFC 3394', 'the token does not do it', { mechanism: mechanismName(CKM_AES_KEY_WRAP) });
      await knownAnswers(context, pad, keyWrapPadVectors, ['unwrap']);
      await expectRefusals(context, pad, invalidPaddedBlobs(context.random.octets(40)));
      if (context.works('aesKeyWrap'))
        await expectRefusals(context, CKM_AES_KEY_WRAP, invalidPlainBlobs(context.random.octets(32)));
    },
  },
  {
    ...common,
    timeLimitMs: 180_000,
    id: 'COR-08',
    title: 'What the token wraps is RFC 5649 of the key, of every type and length, and back',
    severity: 'strategy',
    source: 'RFC 5649 sections 3 and 6; RFC 5208; RFC 5915; RFC 8017 appendix A.1.2; RFC 8410',
    remedy: 'put the true length into the initial value; Keyferry carries the length of secrets beside them until then',
    run: async (context) => {
      const pad = padMechanism(context);
      await knownAnswers(context, pad, keyWrapPadVectors.slice(0, 1), ['wrap']);
      const lengths = context.isQuick
        ? [16, 32, 33, 64]
        : [1, 7, 8, 9, 14, 16, 20, 24, 28, 31, 32, 33, 48, 63, 64, 65, 127, 128];
      for (const length of lengths) {
        const secret = context.random.octets(length);
        const expected = wrapPadded(knownKey, secret);
        const wrapped = await wrapKnown(context, pad, knownKey, secret);
        const answer = seen(wrapped, expected);
        context.expect(answer === 'the known answer', {
          what: `a random secret of ${length} octets, wrapped in the token`,
          call: 'C_WrapKey',
          mechanism: mechanismName(pad),
          expected: 'what software makes of it',
          seen: answer === 'the known answer' ? 'what software makes of it' : answer,
        });
        const back = await unwrapAndRead(context, pad, knownKey, expected);
        const unwrapped = seen(back, secret);
        context.expect(unwrapped === 'the known answer', {
          what: `a random secret of ${length} octets, wrapped in software`,
          call: 'C_UnwrapKey',
          mechanism: mechanismName(pad),
          expected: 'the secret',
          seen: unwrapped === 'the known answer' ? 'the secret' : unwrapped,
        });
      }
      await wrapAesKeys(context, pad);
      await wrapPrivateKeys(context, pad);
    },
  },
];
