import { utf8 } from '../../../bytes.js';
import {
  CKA_CLASS,
  CKA_DECRYPT,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODIFIABLE,
  CKA_TOKEN,
  CKA_TRUSTED,
  CKA_UNWRAP,
  CKA_VALUE,
  CKA_WRAP,
  CKA_WRAP_WITH_TRUSTED,
  CKM_RSA_PKCS,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKO_SECRET_KEY,
} from '../../../token/cryptoki.js';
import { LIMITS } from '../../../limits.js';
import type { Job, JobResult, ObjectRef, Output } from '../../../token/job.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { attributeName, mechanismName } from '../../../token/names.js';
import { knownKey } from '../../../token/probe/known_key.js';
import { plain, withIv } from '../../../token/probe/probe_context.js';
import { template, type Template } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { rsaPairTemplates } from '../../key_template.js';
import { destroyLeftovers, VALIDATION_LABEL } from '../../object_watch.js';
import { victim } from './known_victim.js';
import { policyCheck, wrapMechanism, wrappingKey } from './known_wrapping_key.js';

const CKK_DES3 = 0x15;
const CKM_DES3_CBC = 0x133;
const CKM_DES3_CBC_PAD = 0x136;

/** Expects that wrapping the victim is refused. */
async function expectNoWrap(
  context: CheckContext,
  what: string,
  expected: string,
  mechanism: Mechanism,
  build: (job: Job) => Output<'bytes'>,
): Promise<void> {
  const tried = await context.attempt(
    what,
    (job) => void build(job),
    () => true,
  );
  context.expect(!tried.ok, {
    what,
    call: tried.ok ? 'C_WrapKey' : tried.call,
    mechanism: mechanismName(mechanism.type),
    expected,
    seen: tried.ok ? 'CKR_OK: wrapped' : answerOf(tried),
  });
}

function flag(attribute: number): (result: JobResult, read: Output<'attributes'>) => boolean {
  return (result, read) => result.attributes(read).get(attribute)?.octets[0] === 1;
}

/** Expects that a key does not come to have, or to lose, an attribute; a token may also say yes and do nothing. */
async function expectUnchanged(
  context: CheckContext,
  change: {
    readonly what: string;
    readonly attribute: number;
    readonly to: boolean;
    readonly by: 'C_SetAttributeValue' | 'C_CopyObject' | 'C_CreateObject';
    readonly key: (job: Job) => ObjectRef;
  },
): Promise<void> {
  const { what, attribute, to, by, key } = change;
  const laxer = template([attribute, to]);
  const tried = await context.attempt(
    what,
    (job) => {
      const made = key(job);
      if (by === 'C_CopyObject') {
        const copy = job.copyObject(made, [...laxer, { type: CKA_LABEL, value: utf8(VALIDATION_LABEL) }]);
        return job.getAttributes(copy, [attribute]);
      }
      if (by === 'C_SetAttributeValue') job.setAttributes(made, laxer);
      return job.getAttributes(made, [attribute]);
    },
    flag(attribute),
  );
  if (!tried.ok && tried.call === 'C_CreateObject' && by !== 'C_CreateObject') {
    context.record(`${what}: a key to try it on`, answerOf(tried), { call: tried.call });
    return;
  }
  // A copy that is refused may be there all the same, with what was asked for.
  const isLeft = !tried.ok && by === 'C_CopyObject' && (await leavesOneWith(context, laxer));
  const isChanged = (tried.ok && tried.value === to) || isLeft;
  const name = attributeName(attribute);
  const changed = isLeft
    ? `${answerOf(tried)}, and yet there is a copy whose ${name} is ${to}`
    : `CKR_OK: ${name} is ${to}`;
  context.expect(!isChanged, {
    what,
    call: by,
    expected: 'refused',
    seen: isChanged ? changed : tried.ok ? 'CKR_OK, and no change' : answerOf(tried),
  });
}

/** Whether a refused call has left a key of the validation with some attributes; what it left is removed. */
async function leavesOneWith(context: CheckContext, attributes: Template): Promise<boolean> {
  const label = template([CKA_LABEL, utf8(VALIDATION_LABEL)]);
  const { result, outputs } = await context.run('left copies', (job) =>
    job.findObjects([...label, ...attributes], LIMITS.validationObjectsMax),
  );
  const found = result.handles(outputs).length > 0;
  await destroyLeftovers(context.token.executor);
  return found;
}

/** A wrapping key that is weaker than the victim, with the mechanism that it wraps by. */
function weakWrappings(keyWrap: number): readonly {
  readonly what: string;
  readonly mechanism: Mechanism;
  readonly make: (job: Job) => ObjectRef;
}[] {
  const tripleDes = (job: Job): ObjectRef =>
    job.createObject([
      ...template(
        [CKA_CLASS, CKO_SECRET_KEY],
        [CKA_KEY_TYPE, CKK_DES3],
        [CKA_TOKEN, false],
        [CKA_LABEL, utf8(VALIDATION_LABEL)],
        [CKA_WRAP, true],
      ),
      // DES keys have odd parity.
      { type: CKA_VALUE, value: Buffer.from('0123456789abcdef23456789abcdef01456789abcdef0123', 'hex') },
    ]);
  const aes =
    (octets: number) =>
    (job: Job): ObjectRef =>
      wrappingKey(job, {}, knownKey.subarray(0, octets));
  const iv = new Uint8Array(8);
  return [
    { what: 'an AES-256 key under an AES-128 key', mechanism: plain(keyWrap), make: aes(16) },
    { what: 'an AES-256 key under an AES-192 key', mechanism: plain(keyWrap), make: aes(24) },
    { what: 'an AES-256 key under a triple DES key', mechanism: withIv(CKM_DES3_CBC, iv), make: tripleDes },
    { what: 'an AES-256 key under a triple DES key', mechanism: withIv(CKM_DES3_CBC_PAD, iv), make: tripleDes },
    {
      what: 'an AES-256 key under an RSA-1024 key',
      mechanism: plain(CKM_RSA_PKCS),
      make: (job) =>
        job.generateKeyPair(plain(CKM_RSA_PKCS_KEY_PAIR_GEN), ...rsaPairTemplates({ usage: ['unwrap'] }, 1024))
          .publicKey,
    },
  ];
}

/** What keeps keys from being wrapped, and whether it can be got around. */
export const wrapProtectionPolicy: readonly Check[] = [
  {
    ...policyCheck,
    id: 'POL-05',
    flows: ['replication', 'operations'],
    means: {
      replication: 'a wrapping key that was agreed on becomes one that decrypts what it wrapped',
      operations: 'a domain key becomes one that decrypts what is stored under it',
    },
    title: 'A key that decrypts does not become one that wraps, nor the other way round',
    source: 'Delaune, Kremer and Steel, CSF 2008 (sticky attributes); PKCS#11 v2.40 section 4.4 (CKA_MODIFIABLE)',
    attack:
      'whoever can log in makes an existing wrapping key one that decrypts, and reads everything that was ever wrapped under it, or lets an existing key wrap others',
    remedy:
      'make CKA_WRAP, CKA_UNWRAP, CKA_ENCRYPT and CKA_DECRYPT unchangeable once a key exists, or give keys CKA_MODIFIABLE false where the token ' +
      'keeps to it; give Keyferry a token and a PIN of its own',
    run: async (context) => {
      context.need('createSecretKey');
      const changes = [
        { what: 'CKA_WRAP set on a key with CKA_DECRYPT', usage: ['decrypt'], attribute: CKA_WRAP },
        { what: 'CKA_DECRYPT set on a key with CKA_WRAP', usage: ['wrap'], attribute: CKA_DECRYPT },
        { what: 'CKA_UNWRAP set on a key with CKA_DECRYPT', usage: ['decrypt'], attribute: CKA_UNWRAP },
      ] as const;
      for (const { what, usage, attribute } of changes) {
        for (const by of ['C_SetAttributeValue', 'C_CopyObject'] as const) {
          const key = (job: Job): ObjectRef => wrappingKey(job, { usage });
          await expectUnchanged(context, { what, attribute, to: true, by, key });
        }
      }
      await expectUnchanged(context, {
        what: 'CKA_DECRYPT set on a key with CKA_WRAP and CKA_MODIFIABLE false',
        attribute: CKA_DECRYPT,
        to: true,
        by: 'C_SetAttributeValue',
        key: (job) => wrappingKey(job, { usage: ['wrap'], more: [[CKA_MODIFIABLE, false]] }),
      });
    },
  },
  {
    ...policyCheck,
    id: 'POL-08',
    flows: ['replication', 'operations'],
    means: {
      replication: 'nothing in the token keeps a single-Region key from being wrapped for another region',
      operations: 'a single-Region key is single-Region only because Keyferry keeps it so',
    },
    title: 'A key with CKA_WRAP_WITH_TRUSTED is not wrapped by a key that somebody brought',
    source: 'PKCS#11 v2.40 section 4.9 (CKA_WRAP_WITH_TRUSTED)',
    attack:
      'whoever can log in brings a wrapping key whose value he knows, wraps any extractable key under it and unwraps the result at home: the attribute that should prevent it does nothing',
    remedy:
      'enforce CKA_WRAP_WITH_TRUSTED. Without it Keyferry alone keeps single-Region keys where they are: nobody else may hold the PIN',
    run: async (context) => {
      const mechanism = plain(wrapMechanism(context));
      const what = 'a key with CKA_WRAP_WITH_TRUSTED under a known key that is not trusted';
      await expectNoWrap(context, what, 'CKR_KEY_NOT_WRAPPABLE', mechanism, (job) =>
        job.wrapKey(mechanism, wrappingKey(job), victim(job, { more: [[CKA_WRAP_WITH_TRUSTED, true]] })),
      );
    },
  },
  {
    ...policyCheck,
    id: 'POL-09',
    flows: ['replication', 'operations'],
    means: {
      replication: 'somebody else’s wrapping key counts as trusted, and takes keys to where he wants them',
      operations: 'the trust in the domain key is worth nothing: any key can have it',
    },
    title: 'Only the security officer makes a key trusted, and nobody takes CKA_WRAP_WITH_TRUSTED off',
    source: 'PKCS#11 v2.40 section 4.9 (CKA_TRUSTED, CKA_WRAP_WITH_TRUSTED)',
    attack:
      'whoever can log in makes his own wrapping key a trusted one, or takes the protection off the key that he wants, and wraps it out of the token',
    remedy:
      'refuse CKA_TRUSTED from the user, and CKA_WRAP_WITH_TRUSTED from true to false; until then do not build on either: Keyferry does only where its self-test finds them enforced',
    run: async (context) => {
      context.need('createSecretKey');
      const trusted = (job: Job): ObjectRef => wrappingKey(job, { more: [[CKA_TRUSTED, true]] });
      const bound = (job: Job): ObjectRef => victim(job, { more: [[CKA_WRAP_WITH_TRUSTED, true]] });
      const byUser = 'CKA_TRUSTED set by the user';
      const what = 'CKA_WRAP_WITH_TRUSTED from true to false';
      await expectUnchanged(context, {
        ...{ what: byUser, attribute: CKA_TRUSTED, to: true, by: 'C_CreateObject', key: trusted },
      });
      for (const by of ['C_SetAttributeValue', 'C_CopyObject'] as const) {
        await expectUnchanged(context, { what: byUser, attribute: CKA_TRUSTED, to: true, by, key: wrappingKey });
        await expectUnchanged(context, { what, attribute: CKA_WRAP_WITH_TRUSTED, to: false, by, key: bound });
      }
    },
  },
  {
    ...policyCheck,
    id: 'POL-10',
    flows: ['replication', 'import'],
    means: {
      replication: 'not by Keyferry, whose wrapping keys are AES-256; others could wrap a multi-Region key under less',
      import:
        'material may come in under RSA keys that are weaker than it; the caller chooses among those that AWS KMS has',
    },
    title: 'An AES-256 key is not wrapped under a weaker one',
    source: 'NIST SP 800-57 part 1 r5 section 5.6.2; Clulow, CHES 2003 (conjoined and downgraded wrapping)',
    attack:
      'whoever can log in wraps a strong key under one that can be searched for, or that he has broken, and takes the blob away to work on it in his own time',
    remedy:
      'set a partition policy that refuses weaker wrapping keys (CKR_WRAPPING_KEY_SIZE_RANGE), RSA below 2048 bits and DES altogether; ' +
      'Keyferry itself wraps under AES-256 only, and imports by RSA-2048 to RSA-4096 as the caller chooses',
    run: async (context) => {
      const keyWrap = wrapMechanism(context);
      for (const { what, mechanism, make } of weakWrappings(keyWrap)) {
        await expectNoWrap(context, what, 'CKR_WRAPPING_KEY_SIZE_RANGE', mechanism, (job) =>
          job.wrapKey(mechanism, make(job), victim(job)),
        );
      }
    },
  },
  {
    ...policyCheck,
    id: 'POL-11',
    flows: ['replication', 'operations'],
    means: {
      replication: 'agreement keys and single-Region keys can be taken out by wrapping them',
      operations: 'domain keys can be taken out by wrapping them: everything that is stored is lost',
    },
    title: 'CKA_EXTRACTABLE false keeps a key from being wrapped, and CKA_WRAP false a key from wrapping',
    source: 'PKCS#11 v2.40 section 5.13 (C_WrapKey)',
    attack:
      'whoever can log in takes keys out that were made never to leave: the domain keys under which Keyferry keeps everything, and its signing keys',
    remedy:
      'do not use the token for keys that must not leave it: Keyferry marks domain keys, signing keys and loaded single-Region keys as not extractable, and this token does not keep to that',
    run: async (context) => {
      const mechanism = plain(wrapMechanism(context));
      const control = await context.attempt(
        'wrap what may be wrapped',
        (job) => void job.wrapKey(mechanism, wrappingKey(job), victim(job)),
        () => true,
      );
      if (!control.ok)
        return context.skip(`the token wraps no extractable key under a known one: ${answerOf(control)}`);
      const unextractable = 'a key with CKA_EXTRACTABLE false';
      await expectNoWrap(context, unextractable, 'CKR_KEY_UNEXTRACTABLE', mechanism, (job) =>
        job.wrapKey(mechanism, wrappingKey(job), victim(job, { extractable: false })),
      );
      const noWrap = 'with a key that has CKA_WRAP false';
      await expectNoWrap(context, noWrap, 'CKR_KEY_FUNCTION_NOT_PERMITTED', mechanism, (job) =>
        job.wrapKey(mechanism, wrappingKey(job, { usage: ['encrypt'] }), victim(job)),
      );
    },
  },
];
