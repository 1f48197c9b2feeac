import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_EXTRACTABLE,
  CKA_KEY_TYPE,
  CKA_SENSITIVE,
  CKA_UNWRAP_TEMPLATE,
  CKA_VALUE,
  CKA_WRAP,
  CKK_AES,
  CKO_SECRET_KEY,
} from '../../../token/cryptoki.js';
import type { Job, ObjectRef } from '../../../token/job.js';
import { mechanismName } from '../../../token/names.js';
import { plain } from '../../../token/probe/probe_context.js';
import { template, type Template } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { secretTemplate, type SecretShape } from '../../key_template.js';
import { policyCheck, wrapMechanism, wrappedByKnownKey, wrappingKey } from './known_wrapping_key.js';

const hidden: SecretShape = { keyType: 'aes', usage: ['encrypt'] };
const readable: SecretShape = { ...hidden, sensitive: false, extractable: true };

/** An unwrapping key, and one that says what everything that is unwrapped under it must be. */
function unwrappingKey(job: Job, binding: Template | null): ObjectRef {
  const more = binding === null ? [] : ([[CKA_UNWRAP_TEMPLATE, { template: binding }]] as const);
  return wrappingKey(job, { usage: ['unwrap'], more });
}

/** Unwraps the victim's blob under a template that should not be allowed, and says whether the key that comes is as bad as asked for. */
async function expectNotAs(
  context: CheckContext,
  trial: {
    readonly what: string;
    readonly expected: string;
    readonly binding: Template | null;
    /** What its owner unwraps it as, before the attacker does. */
    readonly before?: SecretShape;
    readonly shape: SecretShape;
    readonly seen: string;
    /** The attribute that tells; the value that is bad. */
    readonly bad: (attributes: ReadonlyMap<number, { readonly state: string; readonly octets: Uint8Array }>) => boolean;
  },
): Promise<void> {
  const mechanism = wrapMechanism(context);
  const wrapped = wrappedByKnownKey(mechanism);
  const unwrap = (job: Job, key: ObjectRef, shape: SecretShape): ObjectRef =>
    job.unwrapKey(plain(mechanism), key, wrapped, secretTemplate(shape));
  const tried = await context.attempt(
    trial.what,
    (job) => {
      const key = unwrappingKey(job, trial.binding);
      if (trial.before !== undefined) unwrap(job, key, trial.before);
      return job.getAttributes(unwrap(job, key, trial.shape), [CKA_VALUE, CKA_KEY_TYPE, CKA_WRAP, CKA_DECRYPT]);
    },
    (result, read) => trial.bad(result.attributes(read)),
  );
  const isBad = tried.ok && tried.value;
  context.expect(!isBad, {
    what: trial.what,
    call: tried.ok ? 'C_UnwrapKey' : tried.call,
    mechanism: mechanismName(mechanism),
    expected: trial.expected,
    seen: isBad ? `CKR_OK: ${trial.seen}` : tried.ok ? 'CKR_OK, and a key that is not as asked for' : answerOf(tried),
  });
}

const isReadable = (attributes: ReadonlyMap<number, { readonly state: string }>): boolean =>
  attributes.get(CKA_VALUE)?.state === 'readable-secret';
const always = (): boolean => true;

/** Whether the token takes the attribute at all; says so where it does not. */
async function takesUnwrapTemplate(context: CheckContext, binding: Template): Promise<boolean> {
  const mechanism = wrapMechanism(context);
  const control = await context.attempt(
    'unwrap as the template says',
    (job) => {
      const key = unwrappingKey(job, binding);
      job.unwrapKey(plain(mechanism), key, wrappedByKnownKey(mechanism), secretTemplate(hidden));
    },
    () => true,
  );
  if (!control.ok) context.record('a key with CKA_UNWRAP_TEMPLATE', answerOf(control), { call: control.call });
  return control.ok;
}

/** What a wrapped key may come back as. */
export const unwrapTemplatePolicy: readonly Check[] = [
  {
    ...policyCheck,
    id: 'POL-06',
    flows: ['replication'],
    means: {
      replication:
        'what was recorded of a replication, or of a region’s database, is unwrapped as readable by whoever has the PIN',
    },
    title: 'A wrapped key does not come back readable, or able to do more than before',
    source: 'Delaune, Kremer and Steel, CSF 2008; PKCS#11 v2.40 section 4.9 (CKA_UNWRAP_TEMPLATE)',
    attack:
      'whoever can log in and has a wrapped key, from a backup, a database or the network, unwraps it as one whose value can be read, or that wraps and decrypts: the blob does not say what its key was',
    remedy:
      'give unwrapping keys a CKA_UNWRAP_TEMPLATE with CKA_SENSITIVE true where the token keeps to it, as Keyferry does for the domain key of ' +
      'single-Region keys; multi-Region keys are in the hands of whoever holds the PIN, on every token, as SECURITY.md says',
    run: async (context) => {
      const bound = template([CKA_SENSITIVE, true], [CKA_EXTRACTABLE, false]);
      await expectNotAs(context, {
        what: 'a blob unwrapped with CKA_SENSITIVE false and CKA_EXTRACTABLE true',
        expected: 'refused, or a key that cannot be read',
        ...{ binding: null, shape: readable, seen: 'CKA_VALUE can be read', bad: isReadable },
      });
      await expectNotAs(context, {
        what: 'the blob of a key with CKA_ENCRYPT unwrapped with CKA_WRAP and CKA_DECRYPT',
        expected: 'refused, or a key without them',
        ...{ binding: null, shape: { ...hidden, usage: ['wrap', 'decrypt'] } },
        seen: 'a key that wraps and decrypts',
        bad: (found) => found.get(CKA_WRAP)?.octets[0] === 1 && found.get(CKA_DECRYPT)?.octets[0] === 1,
      });
      if (!(await takesUnwrapTemplate(context, bound))) return;
      await expectNotAs(context, {
        what: 'a blob unwrapped with CKA_SENSITIVE false under a key whose CKA_UNWRAP_TEMPLATE says true',
        expected: 'CKR_TEMPLATE_INCONSISTENT',
        ...{ binding: bound, shape: readable, seen: 'CKA_VALUE can be read', bad: isReadable },
      });
    },
  },
  {
    ...policyCheck,
    id: 'POL-07',
    flows: ['replication'],
    means: {
      replication: 'a replicated key is used in two ways; Keyferry itself unwraps it only as what was signed for',
    },
    title: 'A wrapped key does not come back as a key of another type or use',
    source: 'Delaune, Kremer and Steel, CSF 2008; Cachin and Chandran, CSF 2009; Clulow, CHES 2003 (key conjuring)',
    attack:
      'whoever can log in uses one key in two ways that were never meant to meet: an AES key as an HMAC key, a key that only encrypts as one that decrypts. What one use gives away undoes the other',
    remedy:
      'bind type and use in what is wrapped, or by CKA_UNWRAP_TEMPLATE. A blob of RFC 5649 says nothing about its key: Keyferry ' +
      'signs type and use beside each blob that leaves the region, and keeps them under a MAC beside each one that it stores',
    run: async (context) => {
      const bound = template([CKA_CLASS, CKO_SECRET_KEY], [CKA_KEY_TYPE, CKK_AES]);
      const asMac: SecretShape = { keyType: 'generic', usage: ['sign'] };
      await expectNotAs(context, {
        what: 'one blob unwrapped as CKK_AES that encrypts and as CKK_GENERIC_SECRET that signs',
        expected: 'the second is refused',
        ...{ binding: null, before: hidden, shape: asMac, seen: 'both', bad: always },
      });
      await expectNotAs(context, {
        what: 'one blob unwrapped as a key that signs and as CKK_AES that decrypts',
        expected: 'the second is refused',
        ...{ binding: null, before: asMac, shape: { ...hidden, usage: ['decrypt'] }, seen: 'both', bad: always },
      });
      if (!(await takesUnwrapTemplate(context, bound))) return;
      await expectNotAs(context, {
        what: 'a blob unwrapped as CKK_GENERIC_SECRET under a key whose CKA_UNWRAP_TEMPLATE says CKK_AES',
        expected: 'CKR_TEMPLATE_INCONSISTENT',
        ...{ binding: bound, shape: asMac, seen: 'a key of the other type', bad: always },
      });
    },
  },
];
