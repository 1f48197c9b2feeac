import {
  CKA_ALLOWED_MECHANISMS,
  CKM_AES_CBC,
  CKM_AES_CBC_ENCRYPT_DATA,
  CKM_AES_ECB,
  CKM_AES_KEY_GEN,
  CKM_AES_KEY_WRAP,
  CKM_ECDH1_DERIVE,
  CKM_ECDSA,
  CKM_EC_KEY_PAIR_GEN,
  CKM_SHA384_HMAC,
} from '../../../token/cryptoki.js';
import type { KeyUse } from '../../../hsm/key_shape.js';
import type { Job, ObjectRef } from '../../../token/job.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { knownKey, knownOctets48 } from '../../../token/probe/known_key.js';
import { plain, withIv } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { ecPairTemplates, knownSecretTemplate, secretTemplate, type KeyShape } from '../../key_template.js';
import { ecdh, makePeer } from '../../peer.js';
import { victim } from './known_victim.js';
import { policyCheck, wrappedByKnownKey } from './known_wrapping_key.js';

const BLOCK = new Uint8Array(16);

/** One use of a key, and how a key for it is made. */
interface Use {
  readonly use: KeyUse;
  readonly call: string;
  readonly mechanism: Mechanism;
  readonly make: (job: Job, shape: KeyShape) => ObjectRef;
  readonly run: (job: Job, key: ObjectRef) => void;
}

function uses(context: CheckContext): readonly Use[] {
  const keyWrap = plain(context.profile?.rules.aesKeyWrapPadMechanism ?? CKM_AES_KEY_WRAP);
  const ecb = plain(CKM_AES_ECB);
  const derivation: Mechanism = {
    type: CKM_AES_CBC_ENCRYPT_DATA,
    parameter: { kind: 'aes-cbc-encrypt-data', iv: BLOCK, data: new Uint8Array(32) },
  };
  const agreement = ecdh(makePeer(context).point);
  const aes = (job: Job, shape: KeyShape): ObjectRef =>
    job.createObject(knownSecretTemplate({ keyType: 'aes', ...shape }, knownKey));
  const generic = (job: Job, shape: KeyShape): ObjectRef =>
    job.createObject(knownSecretTemplate({ keyType: 'generic', ...shape }, knownOctets48));
  const ec = (job: Job, shape: KeyShape): ObjectRef =>
    job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), ...ecPairTemplates(shape)).privateKey;
  const secret = secretTemplate({ keyType: 'aes', usage: ['encrypt'], valueBytes: 32 });
  const unwrapped = secretTemplate({ keyType: 'aes', usage: ['encrypt'] });
  const wrapped = wrappedByKnownKey(keyWrap.type);
  const shared = secretTemplate({ keyType: 'generic', usage: ['sign'], valueBytes: 48 });
  const mac = plain(CKM_SHA384_HMAC);
  const sign = plain(CKM_ECDSA);
  return [
    {
      use: 'encrypt',
      call: 'C_EncryptInit',
      mechanism: ecb,
      make: aes,
      run: (job, key) => void job.encrypt(ecb, key, BLOCK),
    },
    {
      use: 'decrypt',
      call: 'C_DecryptInit',
      mechanism: ecb,
      make: aes,
      run: (job, key) => void job.decrypt(ecb, key, BLOCK),
    },
    {
      use: 'wrap',
      call: 'C_WrapKey',
      mechanism: keyWrap,
      make: aes,
      run: (job, key) => void job.wrapKey(keyWrap, key, victim(job)),
    },
    {
      use: 'unwrap',
      call: 'C_UnwrapKey',
      mechanism: keyWrap,
      make: aes,
      run: (job, key) => void job.unwrapKey(keyWrap, key, wrapped, unwrapped),
    },
    {
      use: 'derive',
      call: 'C_DeriveKey',
      mechanism: derivation,
      make: aes,
      run: (job, key) => void job.deriveKey(derivation, key, secret),
    },
    {
      use: 'sign',
      call: 'C_SignInit',
      mechanism: mac,
      make: generic,
      run: (job, key) => void job.sign(mac, key, BLOCK),
    },
    {
      use: 'sign',
      call: 'C_SignInit',
      mechanism: sign,
      make: ec,
      run: (job, key) => void job.sign(sign, key, knownOctets48),
    },
    {
      use: 'derive',
      call: 'C_DeriveKey',
      mechanism: agreement,
      make: ec,
      run: (job, key) => void job.deriveKey(agreement, key, shared),
    },
  ];
}

/** The use that a key is made for which is not the one that is tried: EC keys have two only. */
function otherUse({ use, mechanism }: Use): KeyUse {
  if (mechanism.type === CKM_ECDSA) return 'derive';
  if (mechanism.type === CKM_ECDH1_DERIVE) return 'sign';
  return use === 'encrypt' ? 'decrypt' : 'encrypt';
}

/** Tries a use with a key that may and with one that may not; says nothing definite, and false, where the first is refused too. */
async function expectKept(
  context: CheckContext,
  what: string,
  expected: string,
  each: Use,
  shapes: { readonly right: KeyShape; readonly wrong: KeyShape },
): Promise<boolean> {
  const attempt = (shape: KeyShape): ReturnType<typeof context.attempt<void, boolean>> =>
    context.attempt(
      what,
      (job) => each.run(job, each.make(job, shape)),
      () => true,
    );
  const mechanism = mechanismName(each.mechanism.type);
  const control = await attempt(shapes.right);
  if (!control.ok) {
    context.record(`${what}: the same where it is allowed`, answerOf(control), { call: control.call, mechanism });
    return false;
  }
  const tried = await attempt(shapes.wrong);
  const seen = tried.ok ? 'CKR_OK' : answerOf(tried);
  context.expect(!tried.ok, { what, call: each.call, mechanism, expected, seen });
  return true;
}

/** Whether a key does only what its attributes allow. */
export const usagePolicy: readonly Check[] = [
  {
    ...policyCheck,
    id: 'POL-18',
    flows: ['replication', 'signing', 'operations'],
    means: {
      replication: 'an agreement key signs, or a wrapping key decrypts, for whoever has the PIN',
      signing: 'the replication signing key can be made to do something else than to sign',
      operations: 'a KMS key does for others in the token what its KeyUsage does not allow',
    },
    title: 'A key does only what its usage attributes allow',
    source: 'PKCS#11 v2.40 sections 4.8 to 4.10 (CKA_ENCRYPT to CKA_DERIVE)',
    attack:
      'whoever can log in uses keys for what they were not made for: derives from a signing key, or signs with an agreement key, and gets from the one use what the other protects',
    remedy:
      'enforce every usage attribute. Keyferry sets each of them and reads it back; where one is not enforced, only a token and a PIN of its own help',
    run: async (context) => {
      context.need('createSecretKey');
      let tries = 0;
      for (const each of uses(context)) {
        const what = `CKA_${each.use.toUpperCase()} false`;
        const shapes = { right: { usage: [each.use] }, wrong: { usage: [otherUse(each)] } };
        if (await expectKept(context, what, 'CKR_KEY_FUNCTION_NOT_PERMITTED', each, shapes)) tries += 1;
      }
      if (tries === 0) context.skip('the token does none of the uses where they are allowed');
    },
  },
  {
    ...policyCheck,
    id: 'POL-21',
    flows: ['replication', 'operations'],
    means: {
      replication: 'agreed keys can be used by other mechanisms than the suite’s',
      operations: 'KMS keys can be used by other mechanisms than their KeySpec’s',
    },
    title: 'CKA_ALLOWED_MECHANISMS is kept to',
    source: 'PKCS#11 v2.40 section 4.8 (CKA_ALLOWED_MECHANISMS)',
    attack:
      'whoever can log in uses a key by a mechanism that it was not made for, such as one without authentication, or one that works on the same key in another way and undoes the first',
    remedy:
      'enforce CKA_ALLOWED_MECHANISMS in every function. Keyferry gives it where the probe finds that it is enforced, and does not count on it elsewhere',
    run: async (context) => {
      context.need('createSecretKey');
      let tries = 0;
      const keeps = async (what: string, each: Use, right: number, wrong: number): Promise<void> => {
        const allowed = (mechanism: number): KeyShape => ({
          usage: [each.use],
          more: [[CKA_ALLOWED_MECHANISMS, [mechanism]]],
        });
        const shapes = { right: allowed(right), wrong: allowed(wrong) };
        if (await expectKept(context, what, 'CKR_MECHANISM_INVALID', each, shapes)) tries += 1;
      };
      for (const each of uses(context)) {
        await keeps('a key that allows another mechanism only', each, each.mechanism.type, CKM_AES_KEY_GEN);
      }
      const generated: Use = {
        ...{ use: 'encrypt', call: 'C_EncryptInit', mechanism: withIv(CKM_AES_CBC, BLOCK) },
        make: (job, shape) =>
          job.generateKey(plain(CKM_AES_KEY_GEN), secretTemplate({ keyType: 'aes', valueBytes: 32, ...shape })),
        run: (job, key) => void job.encrypt(withIv(CKM_AES_CBC, BLOCK), key, BLOCK),
      };
      await keeps('a generated key that allows CKM_AES_ECB only', generated, CKM_AES_CBC, CKM_AES_ECB);
      if (tries === 0) context.skip('the token takes no CKA_ALLOWED_MECHANISMS');
    },
  },
];
