import { CKA_ALWAYS_AUTHENTICATE, CKM_ECDSA, CKM_EC_KEY_PAIR_GEN } from '../../../token/cryptoki.js';
import type { ObjectHandle } from '../../../token/object.js';
import { knownOctets48 } from '../../../token/probe/known_key.js';
import { plain } from '../../../token/probe/probe_context.js';
import { CKR } from '../../../token/return_value.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { ecPairTemplates, type KeyShape } from '../../key_template.js';
import { policyCheck } from './known_wrapping_key.js';

/** A handle as pkcs11js has it. */
function rawHandle({ value }: ObjectHandle): Buffer {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64LE(value);
  return octets;
}

/** Signs 48 octets of anybody's choice in a session of its own, with a key that another session made. */
function signElsewhere(
  context: CheckContext,
  key: ObjectHandle,
): Promise<{ readonly rv: number; readonly rvName: string }> {
  const { raw, slot } = context;
  return raw.withSession(slot.handle, (session) => {
    const init = raw.call('C_SignInit', (library) =>
      library.C_SignInit(session, { mechanism: CKM_ECDSA }, rawHandle(key)),
    );
    if (init.rv !== CKR.CKR_OK) return init;
    return raw.call('C_Sign', (library) => library.C_Sign(session, Buffer.from(knownOctets48), Buffer.alloc(256)));
  });
}

/** Makes a signing pair for some work; false where the token makes none like this. */
async function withSigningKey(
  context: CheckContext,
  more: Partial<KeyShape>,
  work: (key: ObjectHandle, asksAlways: boolean) => Promise<void>,
): Promise<void> {
  const made = await context.attempt(
    'signing pair',
    (job) => {
      const shapes = ecPairTemplates({ usage: ['sign'], ...more });
      const pair = job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...shapes);
      const read = job.getAttributes(pair.privateKey, [CKA_ALWAYS_AUTHENTICATE]);
      return { read, key: job.keep(pair.privateKey) };
    },
    (result, { read, key }) => ({
      key: result.object(key),
      asksAlways: result.attributes(read).get(CKA_ALWAYS_AUTHENTICATE)?.octets[0] === 1,
    }),
  );
  if (!made.ok) {
    context.record('a signing key with CKA_ALWAYS_AUTHENTICATE', answerOf(made), { call: made.call });
    return;
  }
  try {
    await work(made.value.key, made.value.asksAlways);
  } finally {
    await context.run('destroy', (job) => job.destroyObject(made.value.key));
  }
}

/** Who may sign with a key that is in the token. */
export const signingKeyPolicy: readonly Check[] = [
  {
    ...policyCheck,
    severity: 'information',
    id: 'POL-20',
    flows: ['signing'],
    means: {
      signing:
        'whoever has the PIN signs in the region’s name: the boundary is the PIN, and the account that Keyferry runs under',
    },
    title: 'Whether a signing key signs whatever any session of the token gives it',
    source:
      'PKCS#11 v2.40 sections 4.9 (CKA_ALWAYS_AUTHENTICATE) and 5.6 (C_Login: one login is the whole application’s)',
    attack:
      'whoever can log in, or gets into a process that has, signs with the key of a region what he likes, and speaks to other regions as that region. He need not take the key out for it',
    remedy:
      'give Keyferry a token, or a partition, and a PIN that no other application has, and run nothing else under its account; remove a region ' +
      'from the roster when its PIN may be known. CKA_ALWAYS_AUTHENTICATE, where the token keeps to it, is for keys that people use: a server would have to hold the PIN ready',
    run: async (context) => {
      context.need('ecKeyPairP384', 'ecdsa');
      await withSigningKey(context, {}, async (key) => {
        const { rv, rvName } = await signElsewhere(context, key);
        context.expect(rv !== CKR.CKR_OK, {
          what: 'a signature over 48 octets of the caller’s choice, in a session that did not make the key',
          ...{ call: 'C_Sign', mechanism: 'CKM_ECDSA', expected: 'a token that asks who wants it signed' },
          seen: rv === CKR.CKR_OK ? 'CKR_OK: signed' : rvName,
        });
      });
      const always: Partial<KeyShape> = { more: [[CKA_ALWAYS_AUTHENTICATE, true]] };
      await withSigningKey(context, always, async (key, asksAlways) => {
        const { rv, rvName } = await signElsewhere(context, key);
        const isKept = rv === CKR.CKR_USER_NOT_LOGGED_IN || (rv !== CKR.CKR_OK && asksAlways);
        context.expect(isKept, {
          what: 'a signature without a login of its own, with a key that was made with CKA_ALWAYS_AUTHENTICATE',
          ...{ call: 'C_Sign', mechanism: 'CKM_ECDSA', expected: 'CKR_USER_NOT_LOGGED_IN' },
          seen: rv === CKR.CKR_OK ? `CKR_OK: signed; the attribute reads ${asksAlways}` : rvName,
        });
      });
    },
  },
];
