import { utf8 } from '../../../bytes.js';
import { CKA_EXTRACTABLE, CKA_LABEL, CKA_SENSITIVE, CKA_VALUE } from '../../../token/cryptoki.js';
import { enforcementWords } from '../../../token/fact_words.js';
import type { EnforcementName } from '../../../token/profile.js';
import { template } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { VALIDATION_LABEL } from '../../object_watch.js';
import { victim } from './known_victim.js';

const common = { group: 'POL', isQuick: true, timeLimitMs: 20_000, severity: 'security' } as const;
const everyFlow = ['replication', 'signing', 'import', 'operations'] as const;

/** Expects that the probe found a refusal, where it could try. */
function expectEnforced(context: CheckContext, names: readonly EnforcementName[]): void {
  if (context.profile === null) context.skip('the probe did not complete');
  for (const name of names) {
    const found = context.profile?.enforcement[name];
    if (found === undefined) continue;
    if (found.enforced === null) context.record(enforcementWords[name], found.answer);
    else {
      context.expect(found.enforced, { what: enforcementWords[name], expected: 'refused', seen: found.answer });
    }
  }
}

/** Whether keys can be read, or made readable. */
export const readingPolicy: readonly Check[] = [
  {
    ...common,
    id: 'POL-03',
    flows: everyFlow,
    title: 'The value of a sensitive or unextractable key cannot be read',
    source: 'PKCS#11 v2.40 section 4.9; Bortolozzo, Centenaro, Focardi and Steel, CCS 2010 (A3, A4)',
    remedy: 'do not use the token for keys that must stay in it',
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
      expectEnforced(context, ['sensitiveValue', 'unextractableValue']);
    },
  },
  {
    ...common,
    id: 'POL-04',
    flows: everyFlow,
    title: 'A key does not become readable or extractable by a change or a copy',
    source: 'PKCS#11 v2.40 section 4.9, footnotes 11 and 12 of table 20; Bortolozzo and others, CCS 2010 (A5)',
    remedy: 'do not use the token for keys that must stay in it: every application with its PIN can take them out',
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
  {
    ...common,
    id: 'POL-18',
    flows: ['replication', 'signing', 'operations'],
    title: 'A key does only what its usage attributes allow',
    source: 'PKCS#11 v2.40 section 4.8 to 4.10 (CKA_ENCRYPT to CKA_DERIVE)',
    remedy: 'do not share the token with applications that could use keys of Keyferry for something else',
    run: async (context) => {
      expectEnforced(context, ['encryptFalse', 'decryptFalse', 'wrapFalse', 'unwrapFalse', 'signFalse', 'deriveFalse']);
    },
  },
  {
    ...common,
    id: 'POL-09',
    flows: ['replication', 'operations'],
    title: 'Only the security officer makes a key trusted, and an unwrapped key is as its unwrapping key says',
    source: 'PKCS#11 v2.40 section 4.9 (CKA_TRUSTED, CKA_UNWRAP_TEMPLATE)',
    remedy:
      'CKA_WRAP_WITH_TRUSTED protects nothing on this token: only Keyferry keeps other keys from wrapping backing keys',
    run: async (context) => {
      expectEnforced(context, ['trustedByUser', 'wrapWithTrusted', 'unwrapTemplateSensitive']);
    },
  },
];
