import { randomBytes } from 'node:crypto';
import { utf8 } from '../../../bytes.js';
import {
  CKA_ALLOWED_MECHANISMS,
  CKA_DERIVE_TEMPLATE,
  CKA_EXTRACTABLE,
  CKA_ID,
  CKA_LABEL,
  CKA_SENSITIVE,
  CKA_TOKEN,
  CKA_UNWRAP_TEMPLATE,
  CKA_WRAP_WITH_TRUSTED,
  CKM_AES_CBC,
  CKM_AES_GCM,
  CKM_AES_KEY_GEN,
} from '../../../token/cryptoki.js';
import { attributeName, mechanismName } from '../../../token/names.js';
import { plain } from '../../../token/probe/probe_context.js';
import { template, type TemplateValue } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { answerOf } from '../../check_context.js';
import { secretTemplate, type SecretShape } from '../../key_template.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { expectFacts, expectOneOf, needProfile } from './fact.js';

const quick = { group: 'CAP', timeLimitMs: 20_000, isQuick: true } as const;

function aesKey(shape: Partial<SecretShape>): ReturnType<typeof secretTemplate> {
  return secretTemplate({ keyType: 'aes', usage: [], valueBytes: 32, ...shape });
}

/** What wrapping, templates and copies the token has. */
export const wrappingCapability: readonly Check[] = [
  {
    ...quick,
    id: 'CAP-06',
    title: 'AES key wrap with padding (RFC 5649) under one of its numbers',
    severity: 'blocks',
    flows: ['replication', 'operations', 'import'],
    source: 'RFC 5649; PKCS#11 v3.0 current mechanisms section 2.14',
    remedy:
      'enable CKM_AES_KEY_WRAP_KWP; a mechanism that pads by PKCS#7 first is another one and cannot take its place',
    run: async (context) => {
      needProfile(context);
      const number = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
      context.record('the number that is RFC 5649 by known answer', number === null ? 'none' : mechanismName(number));
      expectFacts(context, ['aesKeyWrapPad', 'aesKeyUnwrapPad']);
    },
  },
  {
    ...quick,
    id: 'CAP-08',
    title: 'Unwrapping with RSA-OAEP',
    severity: 'strategy',
    flows: ['import'],
    source: 'RFC 8017 section 7.1; PKCS#11 v2.40 current mechanisms section 2.1.8',
    remedy: 'enable CKM_RSA_PKCS_OAEP with CKM_SHA256 and CKG_MGF1_SHA256 in C_UnwrapKey',
    run: async (context) => {
      context.need('rsaKeyPair2048');
      expectFacts(context, ['rsaOaepSha1Unwrap', 'rsaOaepSha256Unwrap']);
    },
  },
  {
    ...quick,
    id: 'CAP-09',
    title: 'C_WrapKey under AES-GCM',
    severity: 'information',
    flows: ['replication'],
    source: 'PKCS#11 v2.40 current mechanisms section 2.11.1',
    remedy: 'none is needed: no suite of Keyferry wraps under AES-GCM',
    run: async (context) => {
      context.needMechanism(CKM_AES_GCM, CKM_AES_KEY_GEN);
      const parameter = { kind: 'gcm', iv: randomBytes(12), aad: new Uint8Array(), tagBits: 128 } as const;
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
    ...quick,
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
    ...quick,
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
    ...quick,
    id: 'CAP-14',
    title: 'Objects can be copied and renamed',
    severity: 'information',
    flows: ['replication'],
    source: 'PKCS#11 v2.40 section 5.7 (C_CopyObject, C_SetAttributeValue)',
    remedy: 'none is needed: Keyferry makes keys with the label that they keep',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const id = context.random.octets(8);
      const changes = {
        C_CopyObject: template([CKA_LABEL, utf8(VALIDATION_LABEL)]),
        'C_SetAttributeValue of CKA_ID': template([CKA_ID, id]),
        'C_SetAttributeValue of CKA_LABEL': template([CKA_LABEL, utf8(VALIDATION_LABEL)]),
      };
      for (const [what, change] of Object.entries(changes)) {
        const tried = await context.attempt(
          what,
          (job) => {
            const key = job.generateKey(plain(CKM_AES_KEY_GEN), aesKey({ usage: ['encrypt'] }));
            if (what === 'C_CopyObject') job.copyObject(key, change);
            else job.setAttributes(key, change);
          },
          () => true,
        );
        context.record(what, answerOf(tried));
      }
    },
  },
  {
    ...quick,
    id: 'CAP-15',
    title: 'Attributes that bind what a key may be used for are taken',
    severity: 'information',
    flows: ['replication', 'operations'],
    source: 'PKCS#11 v2.40 sections 4.8 to 4.10; section 5.1: a call that fails changes nothing',
    remedy: 'none is needed: where an attribute is not taken, Keyferry alone keeps to what it would say',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const inner = { template: template([CKA_SENSITIVE, true], [CKA_EXTRACTABLE, false]) };
      const attributes: readonly (readonly [number, TemplateValue])[] = [
        [CKA_UNWRAP_TEMPLATE, inner],
        [CKA_DERIVE_TEMPLATE, inner],
        [CKA_ALLOWED_MECHANISMS, [CKM_AES_CBC]],
        [CKA_WRAP_WITH_TRUSTED, true],
      ];
      for (const attribute of attributes) {
        const usage = ['encrypt', 'unwrap', 'derive'] as const;
        const tried = await context.attempt(
          attributeName(attribute[0]),
          (job) => {
            job.generateKey(plain(CKM_AES_KEY_GEN), aesKey({ usage, extractable: true, more: [attribute] }));
          },
          () => true,
        );
        context.record(attributeName(attribute[0]), answerOf(tried), { call: 'C_GenerateKey' });
      }
    },
  },
  {
    ...quick,
    id: 'CAP-19',
    title: 'A key for each message, under AES-256-GCM',
    severity: 'blocks',
    flows: ['operations'],
    source: 'NIST SP 800-38D; docs/CIPHERTEXT.md',
    remedy: 'enable CKM_AES_GCM, and CKM_SP800_108_COUNTER_KDF or CKM_AES_CBC_ENCRYPT_DATA beside it',
    run: async (context) => {
      needProfile(context);
      expectFacts(context, ['aesGcm', 'random']);
      expectOneOf(context, 'a key of its own for each message', ['sp800108HmacSha256OnAes', 'aesCbcEncryptDataAes256']);
    },
  },
];
