import { equalOctets, utf8 } from '../../../bytes.js';
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
  CKM_AES_ECB,
  CKM_AES_KEY_GEN,
} from '../../../token/cryptoki.js';
import { attributeName } from '../../../token/names.js';
import { aesEcb, knownBlock, knownKey } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import { template, type TemplateValue } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { answerOf } from '../../check_context.js';
import { knownSecretTemplate, secretTemplate } from '../../key_template.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { expectNothingLeft } from '../../refusal_leftover.js';

const common = { group: 'CAP', timeLimitMs: 20_000 } as const;
/** Label of what was copied and renamed: it begins like that of every object of the suite, and the job destroys it. */
const OTHER_LABEL = utf8(`${VALIDATION_LABEL}, renamed`);

/** What attributes and copies the token has. */
export const objectCapability: readonly Check[] = [
  {
    ...common,
    id: 'CAP-14',
    title: 'Objects can be copied into the token and renamed, or are refused',
    severity: 'information',
    flows: ['replication'],
    source: 'PKCS#11 v2.40 section 5.7 (C_CopyObject, C_SetAttributeValue)',
    remedy:
      'make a copy that is the same key with the new attributes; Keyferry makes keys with the label that they keep',
    run: async (context) => {
      context.need('createSecretKey', 'aesEcb');
      const shape = knownSecretTemplate({ keyType: 'aes', usage: ['encrypt'] }, knownKey);
      for (const token of [false, true]) {
        const what = token ? 'a session key, copied into the token' : 'a session key, copied';
        const tried = await context.attempt(
          'copy',
          (job) => {
            const copy = job.copyObject(
              job.createObject(shape),
              template([CKA_TOKEN, token], [CKA_LABEL, utf8(VALIDATION_LABEL)]),
            );
            return {
              read: job.getAttributes(copy, [CKA_TOKEN]),
              made: job.encrypt(plain(CKM_AES_ECB), copy, knownBlock),
            };
          },
          (result, { read, made }) =>
            result.attributes(read).get(CKA_TOKEN)?.octets[0] === Number(token) &&
            equalOctets(result.bytes(made), aesEcb(knownKey, knownBlock)),
        );
        // A token that copies nothing is known by its refusal of the copy itself.
        const isRefused = !tried.ok && tried.call === 'C_CopyObject' && tried.rvName !== 'CKR_OK';
        context.expect(isRefused || (tried.ok && tried.value), {
          ...{ what, call: 'C_CopyObject', expected: 'the same key with CKA_TOKEN as asked for, or refused' },
          seen: !tried.ok ? answerOf(tried) : tried.value ? 'the same key' : 'another key, or another CKA_TOKEN',
        });
      }
      for (const [type, value] of [
        [CKA_ID, context.random.octets(8)],
        [CKA_LABEL, OTHER_LABEL],
      ] as const) {
        const tried = await context.attempt(
          'rename',
          (job) => {
            const key = job.createObject(shape);
            job.setAttributes(key, template([type, value]));
            return job.getAttributes(key, [type]);
          },
          (result, read) => equalOctets(result.attributes(read).get(type)?.octets ?? new Uint8Array(), value),
        );
        const isRefused = !tried.ok && tried.call === 'C_SetAttributeValue';
        context.expect(isRefused || (tried.ok && tried.value), {
          what: `${attributeName(type)}, changed`,
          call: 'C_SetAttributeValue',
          expected: 'the new value, or refused',
          seen: !tried.ok ? answerOf(tried) : tried.value ? 'the new value' : 'another value',
        });
      }
    },
  },
  {
    ...common,
    id: 'CAP-15',
    title: 'Attributes that bind what a key may be used for are taken and told again, or refused',
    severity: 'information',
    flows: ['replication', 'operations'],
    source: 'PKCS#11 v2.40 sections 4.8 to 4.10; section 5.1: a call that fails changes nothing',
    remedy: 'none is needed: where an attribute is not taken, Keyferry alone keeps to what it would say',
    run: async (context) => {
      context.needMechanism(CKM_AES_KEY_GEN);
      const inner = { template: template([CKA_SENSITIVE, true], [CKA_EXTRACTABLE, false]) };
      const mechanism = Buffer.alloc(8);
      mechanism.writeBigUInt64LE(BigInt(CKM_AES_CBC));
      // A template within a template is not read back: its values come as pointers.
      const attributes: readonly (readonly [number, TemplateValue, Uint8Array | null])[] = [
        [CKA_UNWRAP_TEMPLATE, inner, null],
        [CKA_DERIVE_TEMPLATE, inner, null],
        [CKA_ALLOWED_MECHANISMS, [CKM_AES_CBC], mechanism],
        [CKA_WRAP_WITH_TRUSTED, true, Uint8Array.of(1)],
      ];
      await expectNothingLeft(context, async () => {
        for (const [type, value, told] of attributes) {
          const usage = ['encrypt', 'unwrap', 'derive'] as const;
          const tried = await context.attempt(
            attributeName(type),
            (job) => {
              const shape = {
                keyType: 'aes',
                usage,
                valueBytes: 32,
                extractable: true,
                more: [[type, value]],
              } as const;
              const key = job.generateKey(plain(CKM_AES_KEY_GEN), secretTemplate(shape));
              return told === null ? null : job.getAttributes(key, [type]);
            },
            (result, read) => (read === null ? null : (result.attributes(read).get(type)?.octets ?? new Uint8Array())),
          );
          const isRefused = !tried.ok && tried.call === 'C_GenerateKey';
          const isTold = tried.ok && (told === null || (tried.value !== null && equalOctets(tried.value, told)));
          context.expect(isRefused || isTold, {
            ...{ what: attributeName(type), call: 'C_GenerateKey', expected: 'taken and told again, or refused' },
            seen: !tried.ok
              ? answerOf(tried)
              : told === null
                ? 'taken'
                : isTold
                  ? 'taken and told again'
                  : 'not told as it was given',
          });
        }
      });
    },
  },
];
