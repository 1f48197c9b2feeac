import { constants, createCipheriv, publicEncrypt, type KeyObject } from 'node:crypto';
import { concat } from '../../../bytes.js';
import { CKM_AES_CBC_PAD, CKM_AES_KEY_WRAP, CKM_RSA_PKCS } from '../../../token/cryptoki.js';
import type { Job } from '../../../token/job.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import { plain, withIv } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { secretTemplate, type SecretShape } from '../../key_template.js';
import { oaep } from '../../oaep_mechanism.js';
import { withRsaPair } from '../../rsa_pair.js';
import { encryptOaep, type OaepForm } from '../../software_oaep.js';
import { paddedInitial, wrapPadded, wrapWith } from '../../software_wrap.js';
import { policyCheck, wrappingKey } from './known_wrapping_key.js';

/** Rounds over all kinds of blobs in turn, so that whatever else the machine does falls on all kinds alike; the fastest of each counts. */
const ROUNDS = { quick: 15, full: 101 } as const;
const MODULUS_OCTETS = 256;
const WRONG = 'a blob that is wrong';

/** Blobs of one length that are wrong in different ways, and one that is right. */
interface OracleTrial {
  /** What tells it from another trial of the mechanism; empty where there is none. */
  readonly form?: string;
  readonly mechanism: Mechanism;
  readonly good: Uint8Array;
  /** By kind; another one in each round where `of` is a function. */
  readonly blobs: readonly (readonly [kind: string, of: Uint8Array | ((round: number) => Uint8Array)])[];
  readonly unwrap: (job: Job, blob: Uint8Array) => void;
}

/** Far more than the noise of a busy machine, and what a refusal without the private key's work shows. */
function isApart(fastestMs: number, slowestMs: number): boolean {
  return slowestMs > fastestMs * 1.5 + 0.3;
}

/** The shortest time of a kind of blob. */
interface KindTime {
  readonly kind: string;
  readonly ms: number;
}

/**
 * Kinds of blobs by the answers that they usually get. A token that goes on with made-up octets where the padding is wrong, as it
 * should, takes them for a key once in a while: that depends on the blob, and tells nothing.
 */
function kindsByAnswer(answers: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly string[]> {
  const kinds = new Map<string, string[]>();
  for (const [kind, given] of answers) {
    for (const name of new Set(given)) {
      if (given.filter((each) => each === name).length * 3 < given.length) continue;
      kinds.set(name, [...(kinds.get(name) ?? []), kind]);
    }
  }
  return kinds;
}

/** Gives the token every kind of blob in turn; one answer and about one time are expected. False where it does not take the good one. */
async function expectOneAnswer(context: CheckContext, trial: OracleTrial, isTimed: boolean): Promise<boolean> {
  const mechanism = mechanismName(trial.mechanism.type);
  const form = trial.form ?? '';
  const attempt = (blob: Uint8Array): ReturnType<typeof context.attempt<void, boolean>> =>
    context.attempt(
      'unwrap',
      (job) => trial.unwrap(job, blob),
      () => true,
    );
  const control = await attempt(trial.good);
  if (!control.ok) {
    context.record(`a blob that is right${form}`, answerOf(control), { call: control.call, mechanism });
    return false;
  }
  const answers = new Map<string, string[]>();
  const ask = async (rounds: number): Promise<readonly KindTime[]> => {
    const times = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      for (const [kind, of] of trial.blobs) {
        const blob = of instanceof Uint8Array ? of : of(round);
        const startedMs = performance.now();
        const { rvName } = await attempt(blob);
        times.set(kind, Math.min(times.get(kind) ?? Infinity, performance.now() - startedMs));
        answers.set(kind, [...(answers.get(kind) ?? []), rvName]);
      }
    }
    return [...times].map(([kind, ms]) => ({ kind, ms })).toSorted((a, b) => a.ms - b.ms);
  };
  const rounds = context.isQuick ? ROUNDS.quick : ROUNDS.full;
  const times = await ask(isTimed ? rounds : 1);
  const usual = kindsByAnswer(answers);
  context.expect(usual.size === 1 && !usual.has('CKR_OK'), {
    what: `the answers to blobs of one length that are wrong in different ways${form}`,
    call: 'C_UnwrapKey',
    mechanism,
    expected: 'one return value, and not CKR_OK',
    seen: [...usual].map(([name, kinds]) => `${name}: ${kinds.join(', ')}`).join('; '),
  });
  if (!isTimed) return true;
  // What else the machine does may slow one kind down once, and not the same one again.
  const isSlow = ({ ms }: KindTime, among: readonly KindTime[]): boolean => isApart(among[0]?.ms ?? 0, ms);
  const slow = times.filter((each) => isSlow(each, times)).map(({ kind }) => kind);
  const again = slow.length === 0 ? [] : await ask(rounds);
  const slowTwice = again.filter((each) => slow.includes(each.kind) && isSlow(each, again));
  context.expect(slowTwice.length === 0, {
    what: `how long the refusals take${form}, by kind of blob; leaks below the noise of this measurement are not seen`,
    call: 'C_UnwrapKey',
    mechanism,
    expected: 'about the same for all kinds',
    seen: times.map(({ kind, ms }) => `${ms.toFixed(2)} ms: ${kind}`).join('; '),
  });
  return true;
}

const aes: SecretShape = { keyType: 'aes', usage: ['encrypt'] };

/** Blocks of RSA PKCS#1 v1.5, block type 2 (RFC 8017 section 7.2.1): what stands first, where the padding ends, how long the key is. */
function pkcs1Trial(key: KeyObject): Pick<OracleTrial, 'good' | 'blobs'> {
  const block =
    (first: readonly number[], separatorAt: number, keyOctets: number) =>
    (round: number): Uint8Array => {
      const octets = new Uint8Array(MODULUS_OCTETS).fill(1 + (round % 255));
      octets.set(first);
      if (separatorAt > 0) octets[separatorAt] = 0;
      if (keyOctets > 0) octets[MODULUS_OCTETS - 1 - keyOctets] = 0;
      return encrypted(key, octets);
    };
  return {
    good: block([0, 2], 0, 32)(0),
    blobs: [
      ['no block type 2', block([0, 1], 0, 32)],
      ['no separator', block([0, 2], 0, 0)],
      ['a separator within the first 8 octets of padding', block([0, 2], 5, 32)],
      ['a key of 31 octets', block([0, 2], 0, 31)],
    ],
  };
}

function oaepTrial(
  key: KeyObject,
  hash: 'sha1' | 'sha256',
  seed: Uint8Array,
): Pick<OracleTrial, 'form' | 'good' | 'blobs'> {
  const octets = new Uint8Array(32).fill(0x5a);
  const block = (wrong: Partial<OaepForm> = {}, message = octets): Uint8Array =>
    encryptOaep(key, message, { hash, mgf: hash, ...wrong }, seed);
  return {
    form: `, with ${hash.toUpperCase()}`,
    good: block(),
    blobs: [
      ['a first octet that is not zero', block({ firstOctet: 1 })],
      ['the hash of another label', block({ label: Uint8Array.of(1) })],
      ['no separator', block({ separator: 0 }, new Uint8Array(32))],
      ['padding that is not zero', block({ paddingOctet: 2 })],
      ['a key of 31 octets', block({}, octets.subarray(1))],
    ],
  };
}

function encrypted(key: KeyObject, block: Uint8Array): Uint8Array {
  return publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block);
}

function flipped(blob: Uint8Array): Uint8Array {
  return blob.map((octet, at) => (at === 20 ? octet ^ 1 : octet));
}

function keyWrapTrials(context: CheckContext): readonly OracleTrial[] {
  const octets = context.random.octets(32);
  const generic = secretTemplate({ keyType: 'generic', usage: ['sign'] });
  const trial = (
    mechanism: Mechanism,
    shape: typeof generic,
    rest: Pick<OracleTrial, 'good' | 'blobs'>,
  ): OracleTrial => ({
    mechanism,
    ...rest,
    unwrap: (job, blob) => void job.unwrapKey(mechanism, wrappingKey(job, { usage: ['unwrap'] }), blob, shape),
  });
  const initial = new Uint8Array(8).fill(0xa6);
  const good = wrapWith(knownKey, initial, octets);
  const keyWrap = trial(plain(CKM_AES_KEY_WRAP), generic, {
    good,
    blobs: [
      ['a bit changed', flipped(good)],
      ['another initial value', wrapWith(knownKey, new Uint8Array(8).fill(0xa7), octets)],
      ['the initial value of RFC 5649', wrapWith(knownKey, paddedInitial(32), octets)],
    ],
  });
  const padMechanism = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
  if (padMechanism === null) return [keyWrap, cbcPadTrial(trial, octets)];
  const padded = trial(plain(padMechanism), generic, {
    good: wrapPadded(knownKey, octets),
    blobs: [
      ['a bit changed', flipped(wrapPadded(knownKey, octets))],
      ['a length of zero', wrapWith(knownKey, paddedInitial(0), octets)],
      ['a length that is too large', wrapWith(knownKey, paddedInitial(40), octets)],
      ['padding that is not zero', wrapWith(knownKey, paddedInitial(29), new Uint8Array(32).fill(0x5a))],
    ],
  });
  return [padded, keyWrap, cbcPadTrial(trial, octets)];
}

/** Blobs under CBC with the padding of PKCS#7: what Vaudenay's attack tells apart. The key is AES, so that other lengths are wrong too. */
function cbcPadTrial(
  trial: (
    mechanism: Mechanism,
    shape: ReturnType<typeof secretTemplate>,
    rest: Pick<OracleTrial, 'good' | 'blobs'>,
  ) => OracleTrial,
  octets: Uint8Array,
): OracleTrial {
  const iv = new Uint8Array(16);
  const sealed = (end: readonly number[], length = 48): Uint8Array => {
    const cipher = createCipheriv('aes-256-cbc', knownKey, iv).setAutoPadding(false);
    const plaintext = new Uint8Array(length).fill(0x5a);
    plaintext.set(octets);
    plaintext.set(end, length - end.length);
    return concat(cipher.update(plaintext), cipher.final());
  };
  const sixteen = Array.from({ length: 16 }, () => 16);
  return trial(withIv(CKM_AES_CBC_PAD, iv), secretTemplate(aes), {
    good: sealed(sixteen),
    blobs: [
      ['padding of 0', sealed([0])],
      ['padding of 17', sealed([17])],
      ['padding whose octets differ', sealed([1, 2, 3, 4])],
      ['right padding behind a key of 47 octets', sealed([1])],
    ],
  });
}

/** Whether a token that refuses a wrapped key tells why. */
export const unwrapOraclePolicy: readonly Check[] = [
  {
    ...policyCheck,
    timeLimitMs: 60_000,
    id: 'POL-14',
    flows: ['import'],
    means: {
      import:
        'whoever may import could decrypt what somebody else has sent; Keyferry does not import by CKM_RSA_PKCS, and gives one answer',
    },
    title: 'A refused RSA blob does not tell why it was refused, by its answer or by its time',
    source:
      'Bleichenbacher, CRYPTO 1998; Manger, CRYPTO 2001; Bardou and others, CRYPTO 2012; RFC 8017 sections 7.1.2 and 7.2.2',
    attack:
      'whoever may send blobs to be unwrapped, and sees which of them are refused how, decrypts a blob of somebody else that he has recorded, by some thousand questions',
    remedy:
      'give one return value and take one time for every blob that is wrong, and turn CKM_RSA_PKCS off for unwrapping by policy. Keyferry imports ' +
      'by RSAES-OAEP and RSA_AES_KEY_WRAP only, and gives its callers one answer',
    run: async (context) => {
      await withRsaPair(context, ['unwrap'], async ({ privateKey, publicKey }) => {
        const unwrapBy =
          (mechanism: Mechanism) =>
          (job: Job, blob: Uint8Array): void =>
            void job.unwrapKey(mechanism, privateKey, blob, secretTemplate(aes));
        const trials: readonly (readonly [Mechanism, Pick<OracleTrial, 'good' | 'blobs'>])[] = [
          [plain(CKM_RSA_PKCS), pkcs1Trial(publicKey)],
          [oaep('sha1'), oaepTrial(publicKey, 'sha1', context.random.octets(20))],
          [oaep('sha256'), oaepTrial(publicKey, 'sha256', context.random.octets(32))],
        ];
        let taken = 0;
        for (const [mechanism, rest] of trials) {
          if (await expectOneAnswer(context, { mechanism, ...rest, unwrap: unwrapBy(mechanism) }, true)) taken += 1;
        }
        if (taken === 0) context.skip('the token unwraps no AES key under an RSA key');
      });
    },
  },
  {
    ...policyCheck,
    id: 'POL-15',
    flows: ['replication', 'import'],
    means: {
      replication: 'a peer could tell refusals apart; Keyferry checks signature and MAC before the token sees a blob',
      import: 'whoever may import could tell refusals apart; Keyferry gives one answer',
    },
    title: 'A refused blob of AES key wrap or CBC does not tell why it was refused',
    source: 'RFC 3394 section 2.2.3; RFC 5649 section 3; Vaudenay, EUROCRYPT 2002; Bardou and others, CRYPTO 2012',
    attack:
      'whoever may send blobs to be unwrapped learns from the kind of refusal how the padding of a recorded blob went, and with it the key, octet by octet (CBC with padding) or its length (key wrap)',
    remedy:
      'give one return value, and turn unwrapping by CKM_AES_CBC_PAD off by policy; Keyferry unwraps by RFC 3394 and RFC 5649 only, checks what is signed around a blob before the token sees it, and gives one answer',
    run: async (context) => {
      context.need('createSecretKey');
      let taken = 0;
      for (const trial of keyWrapTrials(context)) {
        if (await expectOneAnswer(context, trial, false)) taken += 1;
      }
      if (taken === 0) context.skip('the token unwraps under no AES mechanism');
      const { mechanism, good, unwrap } = keyWrapTrials(context)[0] ?? context.skip('there is no blob to try');
      const shorter = await context.attempt(
        WRONG,
        (job) => unwrap(job, good.subarray(0, -1)),
        () => true,
      );
      // A length is seen by whoever sends the blob: another answer to it tells nothing.
      context.record('a blob whose length is no multiple of 8', answerOf(shorter), {
        call: 'C_UnwrapKey',
        mechanism: mechanismName(mechanism.type),
      });
    },
  },
];
