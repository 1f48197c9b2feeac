import {
  CKA_ALWAYS_SENSITIVE,
  CKA_CHECK_VALUE,
  CKA_EXTRACTABLE,
  CKA_LOCAL,
  CKA_NEVER_EXTRACTABLE,
  CKA_SENSITIVE,
  CKM_AES_KEY_GEN,
} from '../../../token/cryptoki.js';
import type { AttributeValue, Job, ObjectRef } from '../../../token/job.js';
import { attributeName } from '../../../token/names.js';
import { aesEcb, knownKey, knownOctets48 } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf } from '../../check_context.js';
import { knownSecretTemplate, secretTemplate } from '../../key_template.js';
import { wrapPadded } from '../../software_wrap.js';

const common = { group: 'COR', isQuick: true, timeLimitMs: 20_000 } as const;
const history = [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_SENSITIVE, CKA_EXTRACTABLE] as const;

function bool(attribute: AttributeValue | undefined): boolean | null {
  return attribute?.state === 'value' && attribute.octets.length === 1 ? attribute.octets[0] !== 0 : null;
}

function text(value: boolean | null): string {
  return value === null ? 'not told' : String(value);
}

/** What a key says about itself. */
export const attributeCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-15',
    title: 'A key tells where it comes from, and what it has been',
    severity: 'strategy',
    flows: ['replication', 'operations'],
    source: 'PKCS#11 v2.40 section 4.9, table 20: CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE',
    remedy: 'set the attributes as the standard says: Keyferry reads a key’s attributes back after it was unwrapped',
    run: async (context) => {
      context.need('createSecretKey', 'aesKeyUnwrapPad');
      context.needMechanism(CKM_AES_KEY_GEN);
      const mechanism = context.profile?.rules.aesKeyWrapPadMechanism ?? 0;
      const wrapped = wrapPadded(knownKey, knownOctets48.subarray(0, 32));
      const origins: Readonly<Record<string, { readonly local: boolean; readonly make: (job: Job) => ObjectRef }>> = {
        C_GenerateKey: {
          local: true,
          make: (job) =>
            job.generateKey(
              plain(CKM_AES_KEY_GEN),
              secretTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32 }),
            ),
        },
        C_UnwrapKey: {
          local: false,
          make: (job) => {
            const kek = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['unwrap'] }, knownKey));
            const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'] });
            return job.unwrapKey(plain(mechanism), kek, wrapped, shape);
          },
        },
        C_CreateObject: {
          local: false,
          make: (job) => job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['encrypt'] }, knownKey)),
        },
      };
      for (const [call, { local, make }] of Object.entries(origins)) {
        const tried = await context.attempt(
          call,
          (job) => job.getAttributes(make(job), history),
          (result, read) => result.attributes(read),
        );
        if (!tried.ok) {
          context.expect(false, { what: 'a key that is made', call, expected: 'CKR_OK', seen: answerOf(tried) });
          continue;
        }
        const expected = new Map<number, boolean>([
          [CKA_LOCAL, local],
          [CKA_ALWAYS_SENSITIVE, local],
          [CKA_NEVER_EXTRACTABLE, local],
          [CKA_SENSITIVE, true],
          [CKA_EXTRACTABLE, false],
        ]);
        for (const [attribute, value] of expected) {
          const seen = bool(tried.value.get(attribute));
          context.expect(seen === value, {
            what: `${attributeName(attribute)} of a key that is sensitive and not extractable`,
            call,
            expected: text(value),
            seen: text(seen),
          });
        }
      }
    },
  },
  {
    ...common,
    id: 'COR-17',
    title: 'CKA_CHECK_VALUE is what the standard says, or absent',
    severity: 'information',
    flows: ['replication'],
    source: 'PKCS#11 v2.40 section 4.8.1 (CKA_CHECK_VALUE): the first three octets of one block of zeros, encrypted',
    remedy: 'none is needed: Keyferry identifies key material by a MAC of its own',
    run: async (context) => {
      context.need('createSecretKey');
      const { result, outputs } = await context.run('check value', (job) => {
        const shape = { keyType: 'aes', usage: ['encrypt'] } as const;
        return job.getAttributes(job.createObject(knownSecretTemplate(shape, knownKey)), [CKA_CHECK_VALUE]);
      });
      const found = result.attributes(outputs).get(CKA_CHECK_VALUE);
      const value = found?.state === 'value' ? Buffer.from(found.octets).toString('hex') : '';
      const expected = Buffer.from(aesEcb(knownKey, new Uint8Array(16)).subarray(0, 3)).toString('hex');
      context.expect(value === '' || value === expected, {
        what: 'CKA_CHECK_VALUE of the published AES-256 key of NIST SP 800-38B',
        call: 'C_GetAttributeValue',
        expected: `${expected}, or absent`,
        seen: value === '' ? 'absent' : value,
      });
    },
  },
];
