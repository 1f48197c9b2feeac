import { utf8 } from '../../../bytes.js';
import { CKA_EXTRACTABLE, CKA_LABEL, CKA_SENSITIVE, CKA_VALUE } from '../../../token/cryptoki.js';
import { template } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { answerOf } from '../../check_context.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { victim } from './known_victim.js';
import { policyCheck } from './known_wrapping_key.js';

const everyFlow = ['replication', 'signing', 'import', 'operations'] as const;

/** Whether keys can be read, or made readable. */
export const readingPolicy: readonly Check[] = [
  {
    ...policyCheck,
    id: 'POL-03',
    flows: everyFlow,
    means: {
      replication: 'agreed keys and replicated keys can be read',
      signing: 'the replication signing key can be read, and the region impersonated',
      import: 'imported material can be read as soon as it is in',
      operations: 'domain keys can be read, and with them everything that is stored',
    },
    title: 'The value of a sensitive or unextractable key cannot be read',
    source: 'PKCS#11 v2.40 section 4.9; Bortolozzo, Centenaro, Focardi and Steel, CCS 2010 (A3, A4)',
    attack: 'whoever can log in reads keys by one call: the token keeps nothing secret from its users',
    remedy:
      'do not use the token for keys that must stay in it. Keyferry makes every key that it keeps sensitive, reads each one back, and refuses to go on with one whose value can be read',
    run: async (context) => {
      context.need('createSecretKey');
      const shapes = {
        'CKA_SENSITIVE true, CKA_EXTRACTABLE true': { sensitive: true, extractable: true },
        'CKA_SENSITIVE true, CKA_EXTRACTABLE false': { sensitive: true, extractable: false },
        'CKA_SENSITIVE false, CKA_EXTRACTABLE false': { sensitive: false, extractable: false },
      };
      for (const [what, shape] of Object.entries(shapes)) {
        const tried = await context.attempt(
          'read',
          (job) => job.getAttributes(victim(job, shape), [CKA_VALUE]),
          (result, value) => result.attributes(value).get(CKA_VALUE)?.state ?? 'unavailable',
        );
        const seen = tried.ok ? tried.value : answerOf(tried);
        // `unavailable` is a token that says CKR_ATTRIBUTE_TYPE_INVALID, or refuses to make such a key at all: nothing was read.
        context.expect(!tried.ok || tried.value !== 'readable-secret', {
          what,
          call: 'C_GetAttributeValue',
          expected: 'CKR_ATTRIBUTE_SENSITIVE',
          seen:
            seen === 'readable-secret'
              ? 'CKA_VALUE can be read'
              : seen === 'sensitive'
                ? 'CKR_ATTRIBUTE_SENSITIVE'
                : seen,
        });
      }
    },
  },
  {
    ...policyCheck,
    id: 'POL-04',
    flows: everyFlow,
    means: {
      replication: 'a key that is meant for one region becomes one that can be taken to another',
      signing: 'the replication signing key can be copied out',
      import: 'import keys can be copied out, and what was sent under them be read',
      operations: 'domain keys can be copied out: everything that is stored under them is lost',
    },
    title: 'A key does not become readable or extractable by a change or a copy',
    source: 'PKCS#11 v2.40 section 4.9, footnotes 11 and 12 of table 20; Bortolozzo and others, CCS 2010 (A5)',
    attack:
      'whoever can log in makes a copy of a key, or changes the key itself, so that it can be read or wrapped, and takes it out',
    remedy:
      'make CKA_SENSITIVE and CKA_EXTRACTABLE one-way in changes and in copies; until then the token protects keys against nobody who has the PIN, and Keyferry needs one of its own',
    run: async (context) => {
      context.need('createSecretKey');
      const changes = [
        { what: 'CKA_SENSITIVE true to false', attribute: CKA_SENSITIVE, value: false },
        { what: 'CKA_EXTRACTABLE false to true', attribute: CKA_EXTRACTABLE, value: true },
      ];
      for (const { what, attribute, value } of changes) {
        for (const call of ['C_SetAttributeValue', 'C_CopyObject'] as const) {
          const tried = await context.attempt(
            what,
            (job) => {
              const key = victim(job, { extractable: false });
              const change = template([attribute, value], [CKA_LABEL, utf8(VALIDATION_LABEL)]);
              if (call === 'C_CopyObject') return job.getAttributes(job.copyObject(key, change), [attribute]);
              job.setAttributes(key, template([attribute, value]));
              return job.getAttributes(key, [attribute]);
            },
            (result, read) => (result.attributes(read).get(attribute)?.octets[0] !== 0) === value,
          );
          const isChanged = tried.ok && tried.value;
          context.expect(!isChanged, {
            what,
            call,
            expected: 'CKR_ATTRIBUTE_READ_ONLY',
            seen: isChanged ? 'changed' : tried.ok ? 'CKR_OK, and the attribute is as before' : answerOf(tried),
          });
        }
      }
    },
  },
];
