import { equalOctets } from '../../../bytes.js';
import {
  CKG_MGF1_SHA1,
  CKM_AES_CBC,
  CKM_AES_CBC_PAD,
  CKM_AES_ECB,
  CKM_AES_KEY_WRAP,
  CKM_RSA_PKCS,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_RSA_PKCS_OAEP,
  CKM_RSA_X_509,
  CKM_SHA_1,
} from '../../../token/cryptoki.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import type { ObjectHandle } from '../../../token/object.js';
import { plain, withIv } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type Attempt, type CheckContext } from '../../check_context.js';
import { rsaPairTemplates } from '../../key_template.js';
import { VICTIM, victim } from './known_victim.js';
import { policyCheck, wrappingKey } from './known_wrapping_key.js';

const IV = new Uint8Array(16);
const attack =
  'anybody who can log in takes every extractable key out in clear, however sensitive it is: he makes a key that may wrap and decrypt, and needs nothing else';
const remedy =
  'refuse templates with both uses (an attribute or partition policy: CKA_WRAP_WITH_TRUSTED on the keys, CKA_WRAP_TEMPLATE on the ' +
  'wrapping keys), or give Keyferry a token of its own; Keyferry makes no key that may both wrap and decrypt, and single-Region keys not extractable';

/** What the attacker's decryption came to. */
function expectNotOut(
  context: CheckContext,
  what: string,
  mechanism: Mechanism,
  wrapped: Attempt<Uint8Array>,
  decrypted: Attempt<Uint8Array> | null,
): void {
  const isOut = decrypted?.ok === true && holdsVictim(decrypted.value);
  const after = decrypted?.ok === true ? 'C_Decrypt gave other octets' : answerOf(decrypted ?? wrapped);
  context.expect(!isOut, {
    what,
    call: wrapped.ok ? 'C_Decrypt' : wrapped.call,
    mechanism: mechanismName(mechanism.type),
    expected: 'a template or a call that is refused',
    seen: isOut ? 'the key in clear' : wrapped.ok ? `wrapped, then ${after}` : after,
  });
}

/** Padding may come before the key (a raw RSA block) or after it. */
function holdsVictim(clear: Uint8Array): boolean {
  return equalOctets(clear.subarray(0, VICTIM.length), VICTIM) || equalOctets(clear.subarray(-VICTIM.length), VICTIM);
}

async function wrapAndDecrypt(context: CheckContext, mechanism: Mechanism): Promise<void> {
  const wrapped = await context.attempt(
    'wrap',
    (job) => job.wrapKey(mechanism, wrappingKey(job, { usage: ['wrap', 'decrypt'] }), victim(job)),
    (result, output) => result.bytes(output),
  );
  const decrypted = wrapped.ok
    ? await context.attempt(
        'decrypt',
        (job) => job.decrypt(mechanism, wrappingKey(job, { usage: ['wrap', 'decrypt'] }), wrapped.value),
        (result, clear) => result.bytes(clear),
      )
    : null;
  const what = 'a key with CKA_WRAP and CKA_DECRYPT wraps a sensitive key and decrypts what it got';
  expectNotOut(context, what, mechanism, wrapped, decrypted);
}

async function withWrappingPair(
  context: CheckContext,
  work: (pair: { readonly publicKey: ObjectHandle; readonly privateKey: ObjectHandle }) => Promise<void>,
): Promise<boolean> {
  const made = await context.attempt(
    'pair that wraps and decrypts',
    (job) => {
      const shapes = rsaPairTemplates({ usage: ['decrypt', 'unwrap'] }, 2048);
      const pair = job.generateKeyPair(plain(CKM_RSA_PKCS_KEY_PAIR_GEN), ...shapes);
      return [job.keep(pair.publicKey), job.keep(pair.privateKey)] as const;
    },
    (result, [publicKey, privateKey]) => ({
      publicKey: result.object(publicKey),
      privateKey: result.object(privateKey),
    }),
  );
  if (!made.ok) {
    context.record('an RSA pair with CKA_WRAP and CKA_DECRYPT', answerOf(made), { call: made.call });
    return false;
  }
  try {
    await work(made.value);
  } finally {
    await context.run('destroy', (job) => {
      for (const handle of [made.value.publicKey, made.value.privateKey]) {
        job.attempt();
        job.destroyObject(handle);
      }
    });
  }
  return true;
}

/** Whether a sensitive key comes out by being wrapped under a key that also decrypts. */
export const wrapAndDecryptPolicy: readonly Check[] = [
  {
    ...policyCheck,
    id: 'POL-01',
    flows: ['replication', 'operations'],
    means: {
      replication:
        'a multi-Region key, which has to be extractable, comes out in clear in any region whose token is like this',
      operations:
        'keys on their way into storage are extractable for a moment, and come out if somebody else is logged in then',
    },
    title: 'A sensitive key does not come out by wrapping it and decrypting the result',
    source: 'Clulow, CHES 2003; Bortolozzo, Centenaro, Focardi and Steel, CCS 2010 (A1)',
    attack,
    remedy,
    run: async (context) => {
      context.need('createSecretKey');
      const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
      const mechanisms: readonly Mechanism[] = [
        withIv(CKM_AES_CBC, IV),
        withIv(CKM_AES_CBC_PAD, IV),
        plain(CKM_AES_ECB),
        plain(CKM_AES_KEY_WRAP),
        ...(pad === null ? [] : [plain(pad)]),
      ];
      for (const mechanism of mechanisms) await wrapAndDecrypt(context, mechanism);
      // AES key wrap is also undone by the block cipher alone: six rounds of AES-ECB decryption are what unwrapping is.
      const oracle = await context.attempt(
        'block decryption by a wrapping key',
        (job) => job.decrypt(plain(CKM_AES_ECB), wrappingKey(job, { usage: ['wrap', 'decrypt'] }), IV),
        () => true,
      );
      context.expect(!oracle.ok, {
        what: 'a key with CKA_WRAP and CKA_DECRYPT decrypts single blocks, by which anybody undoes AES key wrap',
        call: oracle.ok ? 'C_Decrypt' : oracle.call,
        mechanism: mechanismName(CKM_AES_ECB),
        expected: 'a template or a call that is refused',
        seen: oracle.ok ? 'CKR_OK: decrypted' : answerOf(oracle),
      });
    },
  },
  {
    ...policyCheck,
    id: 'POL-02',
    flows: ['replication', 'import'],
    means: {
      replication: 'as by an AES key: multi-Region keys come out under an RSA key of the attacker’s own',
      import: 'material that was imported comes out again, as long as it may be wrapped',
    },
    title: 'A sensitive key does not come out by wrapping it under an RSA key that decrypts',
    source: 'Clulow, CHES 2003; Bortolozzo and others, CCS 2010 (A2)',
    attack,
    remedy: `${remedy}. The private key that imports are unwrapped with may only unwrap; Keyferry gives it CKA_DECRYPT only where the token knows no other way`,
    run: async (context) => {
      context.need('createSecretKey', 'rsaKeyPair2048');
      const oaep = { kind: 'oaep', hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1, label: null } as const;
      const mechanisms: readonly Mechanism[] = [
        plain(CKM_RSA_PKCS),
        { type: CKM_RSA_PKCS_OAEP, parameter: oaep },
        plain(CKM_RSA_X_509),
      ];
      await withWrappingPair(context, async ({ publicKey, privateKey }) => {
        for (const mechanism of mechanisms) {
          const wrapped = await context.attempt(
            'wrap',
            (job) => job.wrapKey(mechanism, publicKey, victim(job)),
            (result, output) => result.bytes(output),
          );
          const decrypted = wrapped.ok
            ? await context.attempt(
                'decrypt',
                (job) => job.decrypt(mechanism, privateKey, wrapped.value),
                (result, clear) => result.bytes(clear),
              )
            : null;
          const what = 'an RSA pair with CKA_WRAP and CKA_DECRYPT wraps a sensitive key and decrypts what it got';
          expectNotOut(context, what, mechanism, wrapped, decrypted);
        }
      });
    },
  },
];
