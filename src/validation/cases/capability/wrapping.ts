import { createDecipheriv } from 'node:crypto';
import { concat, equalOctets } from '../../../bytes.js';
import {
  CKA_TOKEN,
  CKM_AES_GCM,
  CKM_AES_KEY_GEN,
  CKM_AES_KEY_WRAP,
  CKM_AES_KEY_WRAP_KWP,
  CKM_AES_KEY_WRAP_PAD,
  CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD,
} from '../../../token/cryptoki.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate, secretTemplate, type SecretShape } from '../../key_template.js';
import { padPkcs7, wrapPadded, wrapPlain } from '../../software_wrap.js';
import { expectFacts, expectOneOf, needProfile } from './fact.js';

const common = { group: 'CAP', timeLimitMs: 20_000 } as const;
/** Numbers under which a key wrap has been seen; what each is here, the known answer tells. */
const keyWrapNumbers = [
  CKM_AES_KEY_WRAP_KWP,
  CKM_AES_KEY_WRAP_PAD,
  CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD,
  CKM_AES_KEY_WRAP,
  0x210c,
  0x8000_2109,
  0x8000_210a,
];
/** What pkcs11js calls `CK_GCM_PARAMS` with `ulIvBits`. */
const CK_PARAMS_AES_GCM_V240 = 7;
const GCM_IV_OCTETS = 12;
const GCM_TAG_OCTETS = 16;

function aesKey(shape: Partial<SecretShape>): ReturnType<typeof secretTemplate> {
  return secretTemplate({ keyType: 'aes', usage: [], valueBytes: 32, ...shape });
}

/** Everything that a token may make of a secret of 20 octets and call a key wrap. */
function keyWrapForms(secret: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const filledUp = concat(secret, new Uint8Array(4));
  return [
    ['RFC 5649', wrapPadded(knownKey, secret)],
    ['RFC 5649 over the secret filled up with zeros', wrapPadded(knownKey, filledUp)],
    ['RFC 3394 over the secret filled up with zeros', wrapPlain(knownKey, filledUp)],
    ['RFC 3394 over PKCS#7 padding to 8 octets', wrapPlain(knownKey, padPkcs7(secret, 8))],
    ['RFC 3394 over PKCS#7 padding to 16 octets', wrapPlain(knownKey, padPkcs7(secret, 16))],
  ];
}

function opensWith(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array, plaintext: Uint8Array): boolean {
  try {
    const end = sealed.length - GCM_TAG_OCTETS;
    const decipher = createDecipheriv('aes-256-gcm', key, iv).setAuthTag(sealed.subarray(end));
    return equalOctets(concat(decipher.update(sealed.subarray(0, end)), decipher.final()), plaintext);
  } catch {
    return false;
  }
}

/** Which IV a token encrypts with: its caller's, or one that it makes and tells in one of two ways. */
async function findIvRule(context: CheckContext): Promise<string> {
  const { result, outputs } = await context.run('GCM key', (job) =>
    job.keep(job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['encrypt'] }, knownKey))),
  );
  const key = result.object(outputs);
  const handle = Buffer.alloc(8);
  handle.writeBigUInt64LE(key.value);
  const iv = Buffer.from(context.random.octets(GCM_IV_OCTETS));
  const given = Uint8Array.from(iv);
  const plaintext = context.random.octets(32);
  try {
    return await context.raw.withSession(context.slot.handle, (session) => {
      const parameter = {
        type: CK_PARAMS_AES_GCM_V240,
        iv,
        ivBits: iv.length * 8,
        aad: Buffer.alloc(0),
        tagBits: 8 * GCM_TAG_OCTETS,
      };
      const begun = context.raw.call('C_EncryptInit', (library) =>
        library.C_EncryptInit(session, { mechanism: CKM_AES_GCM, parameter }, handle),
      );
      if (begun.value === undefined && begun.rvName !== 'CKR_OK') return `C_EncryptInit returned ${begun.rvName}`;
      const made = context.raw.call('C_Encrypt', (library) =>
        library.C_Encrypt(session, Buffer.from(plaintext), Buffer.alloc(128)),
      );
      if (made.value === undefined) return `C_Encrypt returned ${made.rvName}`;
      const sealed = Uint8Array.from(made.value);
      const [front, rest] = [sealed.subarray(0, GCM_IV_OCTETS), sealed.subarray(GCM_IV_OCTETS)];
      if (opensWith(knownKey, given, sealed, plaintext)) return 'the caller’s IV';
      if (opensWith(knownKey, iv, sealed, plaintext)) return 'an IV of the token, written to pIv';
      if (opensWith(knownKey, front, rest, plaintext)) return 'an IV of the token, before the ciphertext';
      return 'an IV that nobody tells';
    });
  } finally {
    await context.run('destroy', (job) => job.destroyObject(key));
  }
}

/** What wrapping the token has. */
export const wrappingCapability: readonly Check[] = [
  {
    ...common,
    id: 'CAP-06',
    title: 'AES key wrap with padding (RFC 5649) under one of its numbers',
    severity: 'blocks',
    flows: ['replication', 'operations', 'import'],
    source: 'RFC 5649; PKCS#11 v3.0 current mechanisms section 2.14',
    remedy:
      'enable CKM_AES_KEY_WRAP_KWP; a mechanism that pads by PKCS#7 first is another one and cannot take its place',
    run: async (context) => {
      const listed = new Set(context.slot.mechanisms().map(({ type }) => type));
      if (!context.works('createSecretKey') && !keyWrapNumbers.some((number) => listed.has(number))) {
        const names = keyWrapNumbers.map(mechanismName).join(', ');
        context.expect(false, {
          what: 'a number for AES key wrap',
          expected: `one of ${names}`,
          seen: 'none is listed',
        });
        return;
      }
      context.need('createSecretKey');
      const secret = context.random.octets(20);
      const right: string[] = [];
      for (const number of keyWrapNumbers) {
        const tried = await context.attempt(
          'wrap',
          (job) => {
            const kek = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['wrap'] }, knownKey));
            const shape = { keyType: 'generic', usage: ['sign'], extractable: true } as const;
            return job.wrapKey(plain(number), kek, job.createObject(knownSecretTemplate(shape, secret)));
          },
          (result, wrapped) => result.bytes(wrapped),
        );
        const form = tried.ok
          ? keyWrapForms(secret).find(([, wrapped]) => equalOctets(tried.value, wrapped))
          : undefined;
        const seen = tried.ok ? (form?.[0] ?? `${tried.value.length} octets of another form`) : answerOf(tried);
        const name = mechanismName(number);
        context.record(`${name} of a secret of 20 octets`, seen, { call: 'C_WrapKey', mechanism: name });
        if (form?.[0].startsWith('RFC 5649') === true) right.push(name);
      }
      context.expect(right.length > 0, {
        ...{ what: 'the number that is RFC 5649 by known answer', call: 'C_WrapKey', expected: 'one' },
        seen: right.length === 0 ? 'none' : right.join(', '),
      });
      expectFacts(context, ['aesKeyWrapPad', 'aesKeyUnwrapPad']);
    },
  },
  {
    ...common,
    id: 'CAP-09',
    title: 'Whose IV AES-GCM encrypts with, and C_WrapKey under AES-GCM',
    severity: 'information',
    flows: ['replication', 'operations'],
    source: 'PKCS#11 v2.40 current mechanisms section 2.11.1; v3.0 section 5.8; NIST SP 800-38D section 8.2',
    remedy: 'tell the IV that a ciphertext was made with: in pIv, or before the ciphertext',
    run: async (context) => {
      context.needMechanism(CKM_AES_GCM, CKM_AES_KEY_GEN);
      context.need('createSecretKey');
      const rule = await findIvRule(context);
      context.expect(rule !== 'an IV that nobody tells', {
        ...{ what: 'the IV of a ciphertext', call: 'C_Encrypt', mechanism: 'CKM_AES_GCM' },
        expected: 'the caller’s, or one that the token tells',
        seen: rule,
      });
      const parameter = { kind: 'gcm', iv: context.random.octets(12), aad: new Uint8Array(), tagBits: 128 } as const;
      const tried = await context.attempt(
        'GCM wrap',
        (job) => {
          const key = job.generateKey(plain(CKM_AES_KEY_GEN), aesKey({ usage: ['wrap'] }));
          const target = job.generateKey(plain(CKM_AES_KEY_GEN), aesKey({ extractable: true }));
          return job.wrapKey({ type: CKM_AES_GCM, parameter }, key, target);
        },
        (result, wrapped) => result.bytes(wrapped).length,
      );
      const seen = tried.ok ? `CKR_OK, ${tried.value} octets for a key of 32` : answerOf(tried);
      context.record('a key wrapped under AES-GCM', seen, { call: 'C_WrapKey', mechanism: 'CKM_AES_GCM' });
    },
  },
  {
    ...common,
    id: 'CAP-11',
    title: 'Keys of a session can be made, wrap and be wrapped',
    severity: 'blocks',
    flows: ['replication', 'operations'],
    source: 'PKCS#11 v2.40 section 5.7 (CKA_TOKEN false)',
    remedy:
      'allow session objects of keys: a region keeps wrapped keys outside the token and loads them into a session',
    run: async (context) => {
      context.need('ecKeyPairP384', 'aesKeyWrapPad');
      context.needMechanism(CKM_AES_KEY_GEN);
      const number = context.profile?.rules.aesKeyWrapPadMechanism ?? 0;
      const tried = await context.attempt(
        'session keys',
        (job) => {
          const key = job.generateKey(plain(CKM_AES_KEY_GEN), aesKey({ usage: ['wrap', 'unwrap'] }));
          const target = job.generateKey(plain(CKM_AES_KEY_GEN), aesKey({ usage: ['encrypt'], extractable: true }));
          return { wrapped: job.wrapKey(plain(number), key, target), token: job.getAttributes(target, [CKA_TOKEN]) };
        },
        (result, { wrapped, token }) => ({
          octets: result.bytes(wrapped).length,
          isSession: result.attributes(token).get(CKA_TOKEN)?.octets[0] === 0,
        }),
      );
      const isGood = tried.ok && tried.value.octets === 40 && tried.value.isSession;
      context.expect(isGood, {
        what: 'AES-256 session key, wrapped under another one',
        call: 'C_WrapKey',
        mechanism: mechanismName(number),
        expected: '40 octets, and the key has CKA_TOKEN false',
        seen: tried.ok ? `${tried.value.octets} octets, CKA_TOKEN ${!tried.value.isSession}` : answerOf(tried),
      });
    },
  },
  {
    ...common,
    id: 'CAP-13',
    title: 'Private keys that are sensitive and extractable can be wrapped and unwrapped',
    severity: 'strategy',
    flows: ['replication'],
    source: 'PKCS#11 v2.40 section 5.13; RFC 5208',
    remedy: 'allow private keys to be wrapped: a policy of the partition often forbids it by default',
    run: async (context) => {
      context.need('aesKeyWrapPad');
      expectFacts(context, ['ecPrivateWrap', 'ecPrivateUnwrap', 'rsaPrivateWrap', 'rsaPrivateUnwrap']);
    },
  },
  {
    ...common,
    id: 'CAP-19',
    title: 'A key for each message, under AES-256-GCM',
    severity: 'blocks',
    flows: ['operations'],
    source: 'NIST SP 800-38D; docs/CIPHERTEXT.md',
    remedy: 'enable CKM_AES_GCM, and CKM_SP800_108_COUNTER_KDF or CKM_AES_CBC_ENCRYPT_DATA beside it',
    run: async (context) => {
      needProfile(context);
      expectFacts(context, ['aesGcmAnyIv', 'random']);
      context.record('whose IV AES-GCM encrypts with', context.profile?.rules.gcmIv ?? 'none is known');
      expectOneOf(context, 'a key of its own for each message', ['sp800108HmacSha256OnAes', 'aesCbcEncryptDataAes256']);
    },
  },
];
