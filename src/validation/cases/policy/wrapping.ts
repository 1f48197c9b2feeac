import { constants, publicEncrypt } from 'node:crypto';
import { equalOctets } from '../../../bytes.js';
import {
  CKA_ALLOWED_MECHANISMS,
  CKA_DECRYPT,
  CKA_VALUE,
  CKA_WRAP,
  CKA_WRAP_WITH_TRUSTED,
  CKM_AES_CBC,
  CKM_AES_CBC_PAD,
  CKM_AES_ECB,
  CKM_AES_KEY_WRAP,
  CKM_RSA_PKCS,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_SHA384_HMAC,
} from '../../../token/cryptoki.js';
import type { Job, ObjectRef } from '../../../token/job.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { aesCbc, aesEcb, aesKeyWrap, knownKey } from '../../../token/probe/known_key.js';
import { plain, withIv } from '../../../token/probe/probe_context.js';
import { template } from '../../../token/template.js';
import type { Check } from '../../check.js';
import { answerOf, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate, rsaPairTemplates, secretTemplate, type SecretShape } from '../../key_template.js';
import { withRsaPair } from '../../rsa_pair.js';
import { wrapPadded } from '../../software_wrap.js';
import { VICTIM, victim } from './known_victim.js';

const common = { group: 'POL', isQuick: true, timeLimitMs: 20_000, severity: 'security' } as const;
const IV = new Uint8Array(16);

/** A wrapping key with a value that the attacker knows, or could. */
function wrappingKey(job: Job, shape: Partial<SecretShape> = {}, value: Uint8Array = knownKey): ObjectRef {
  return job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['wrap'], ...shape }, value));
}

/** RFC 5649 or, where the token has only that, RFC 3394; ends the check where there is neither. */
function wrapMechanism(context: CheckContext): number {
  context.need('createSecretKey');
  const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
  if (pad !== null) return pad;
  return context.works('aesKeyWrap') ? CKM_AES_KEY_WRAP : context.skip('the token wraps under no AES mechanism');
}

/** The victim under the known key, by what {@link wrapMechanism} has found. */
function wrappedVictim(mechanism: number): Uint8Array {
  return mechanism === CKM_AES_KEY_WRAP ? aesKeyWrap(knownKey, VICTIM) : wrapPadded(knownKey, VICTIM);
}

/** Expects that wrapping the victim is refused. */
async function expectNoWrap(
  context: CheckContext,
  what: string,
  expected: string,
  build: (job: Job, mechanism: Mechanism) => void,
): Promise<void> {
  const mechanism = wrapMechanism(context);
  const tried = await context.attempt(
    what,
    (job) => build(job, plain(mechanism)),
    () => true,
  );
  context.expect(!tried.ok, {
    what,
    call: 'C_WrapKey',
    mechanism: mechanismName(mechanism),
    expected,
    seen: tried.ok ? 'CKR_OK: wrapped' : answerOf(tried),
  });
}

/** Whether keys come out by being wrapped, or change what they are on the way. */
export const wrappingPolicy: readonly Check[] = [
  {
    ...common,
    id: 'POL-01',
    flows: ['replication', 'operations'],
    title: 'A sensitive key does not come out by wrapping it and decrypting the result',
    source: 'Clulow, CHES 2003; Bortolozzo, Centenaro, Focardi and Steel, CCS 2010 (A1)',
    remedy:
      'no application that may be hostile can share the token: keys that are not extractable, or CKA_WRAP_WITH_TRUSTED, are what protects others',
    run: async (context) => {
      context.need('createSecretKey');
      const mechanisms: readonly Mechanism[] = [
        withIv(CKM_AES_CBC, IV),
        withIv(CKM_AES_CBC_PAD, IV),
        plain(CKM_AES_ECB),
        plain(CKM_AES_KEY_WRAP),
      ];
      for (const mechanism of mechanisms) {
        const tried = await context.attempt(
          'wrap and decrypt',
          (job) => {
            const key = wrappingKey(job, { usage: ['wrap', 'decrypt'] });
            return job.wrapKey(mechanism, key, victim(job));
          },
          (result, wrapped) => result.bytes(wrapped),
        );
        const clear = tried.ok ? await decryptAnyhow(context, mechanism, tried.value) : undefined;
        const isOut = clear !== undefined && equalOctets(clear.subarray(0, VICTIM.length), VICTIM);
        context.expect(!isOut, {
          what: 'a key with CKA_WRAP and CKA_DECRYPT wraps a sensitive key and decrypts what it got',
          call: tried.ok ? 'C_Decrypt' : tried.call,
          mechanism: mechanismName(mechanism.type),
          expected: 'a template or a call that is refused',
          seen: isOut
            ? 'the key in clear'
            : tried.ok
              ? 'wrapped, and C_Decrypt does not give the key'
              : answerOf(tried),
        });
      }
    },
  },
  {
    ...common,
    id: 'POL-02',
    flows: ['replication', 'import'],
    title: 'A sensitive key does not come out by wrapping it under an RSA key that decrypts',
    source: 'Clulow, CHES 2003; Bortolozzo and others, CCS 2010 (A2)',
    remedy: 'no application that may be hostile can share the token',
    run: async (context) => {
      context.need('createSecretKey', 'rsaKeyPair2048');
      const tried = await context.attempt(
        'wrap under RSA and decrypt',
        (job) => {
          const shapes = rsaPairTemplates({ usage: ['decrypt', 'unwrap'] }, 2048);
          const pair = job.generateKeyPair(plain(CKM_RSA_PKCS_KEY_PAIR_GEN), ...shapes);
          const wrapped = job.wrapKey(plain(CKM_RSA_PKCS), pair.publicKey, victim(job));
          return { wrapped, pair: { publicKey: job.keep(pair.publicKey), privateKey: job.keep(pair.privateKey) } };
        },
        (result, { wrapped, pair }) => ({
          wrapped: result.bytes(wrapped),
          handles: [result.object(pair.publicKey), result.object(pair.privateKey)] as const,
        }),
      );
      let isOut = false;
      let seen = answerOf(tried);
      if (tried.ok) {
        const { wrapped, handles } = tried.value;
        const decrypted = await context.attempt(
          'decrypt',
          (job) => job.decrypt(plain(CKM_RSA_PKCS), handles[1], wrapped),
          (result, clear) => equalOctets(result.bytes(clear), VICTIM),
        );
        isOut = decrypted.ok && decrypted.value;
        seen = isOut ? 'the key in clear' : `wrapped, then ${answerOf(decrypted)}`;
        await context.run('destroy', (job) => {
          for (const handle of handles) job.destroyObject(handle);
        });
      }
      context.expect(!isOut, {
        what: 'an RSA pair with CKA_WRAP and CKA_DECRYPT wraps a sensitive key and decrypts what it got',
        call: 'C_Decrypt',
        mechanism: mechanismName(CKM_RSA_PKCS),
        expected: 'a template or a call that is refused',
        seen,
      });
    },
  },
  {
    ...common,
    id: 'POL-05',
    flows: ['replication', 'operations'],
    title: 'A key that decrypts does not become one that wraps',
    source: 'Delaune, Kremer and Steel, CSF 2008 (sticky attributes)',
    remedy:
      'no application that may be hostile can share the token; Keyferry makes its keys with CKA_MODIFIABLE false where it can',
    run: async (context) => {
      context.need('createSecretKey');
      const changes = [
        { what: 'CKA_WRAP set on a key with CKA_DECRYPT', usage: ['decrypt'], attribute: CKA_WRAP },
        { what: 'CKA_DECRYPT set on a key with CKA_WRAP', usage: ['wrap'], attribute: CKA_DECRYPT },
      ] as const;
      for (const { what, usage, attribute } of changes) {
        const tried = await context.attempt(
          what,
          (job) => {
            const key = wrappingKey(job, { usage });
            job.setAttributes(key, template([attribute, true]));
            return job.getAttributes(key, [attribute]);
          },
          (result, read) => result.attributes(read).get(attribute)?.octets[0] === 1,
        );
        const isChanged = tried.ok && tried.value;
        context.expect(!isChanged, {
          what,
          call: 'C_SetAttributeValue',
          expected: 'refused',
          seen: isChanged ? 'CKR_OK: changed' : answerOf(tried),
        });
      }
    },
  },
  {
    ...common,
    id: 'POL-06',
    flows: ['replication'],
    title: 'A wrapped key does not come back readable',
    source: 'Delaune, Kremer and Steel, CSF 2008; PKCS#11 v2.40 section 4.9 (CKA_UNWRAP_TEMPLATE)',
    remedy:
      'give unwrapping keys a CKA_UNWRAP_TEMPLATE where the token enforces it; otherwise only trusted applications may hold the PIN',
    run: async (context) => {
      const mechanism = wrapMechanism(context);
      const wrapped = wrappedVictim(mechanism);
      const tried = await context.attempt(
        'unwrap as readable',
        (job) => {
          const key = wrappingKey(job, { usage: ['unwrap'] });
          const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'], sensitive: false, extractable: true });
          return job.getAttributes(job.unwrapKey(plain(mechanism), key, wrapped, shape), [CKA_VALUE]);
        },
        (result, value) => result.attributes(value).get(CKA_VALUE)?.state,
      );
      const isReadable = tried.ok && tried.value === 'readable-secret';
      context.expect(!isReadable, {
        what: 'a blob unwrapped with CKA_SENSITIVE false and CKA_EXTRACTABLE true',
        call: 'C_UnwrapKey',
        mechanism: mechanismName(mechanism),
        expected: 'refused, or a key that cannot be read',
        seen: isReadable ? 'CKR_OK: CKA_VALUE can be read' : answerOf(tried),
      });
    },
  },
  {
    ...common,
    id: 'POL-07',
    flows: ['replication'],
    title: 'A wrapped AES key does not come back as a key of another type',
    source: 'Delaune, Kremer and Steel, CSF 2008; Cachin and Chandran, CSF 2009',
    remedy: 'a blob says nothing about its key: Keyferry carries type and usage in what it signs beside the blob',
    run: async (context) => {
      const mechanism = wrapMechanism(context);
      const wrapped = wrappedVictim(mechanism);
      const tried = await context.attempt(
        'unwrap under two types',
        (job) => {
          const key = wrappingKey(job, { usage: ['unwrap'] });
          job.unwrapKey(plain(mechanism), key, wrapped, secretTemplate({ keyType: 'aes', usage: ['encrypt'] }));
          job.unwrapKey(plain(mechanism), key, wrapped, secretTemplate({ keyType: 'generic', usage: ['sign'] }));
        },
        () => true,
      );
      context.expect(!tried.ok, {
        what: 'one blob unwrapped as CKK_AES that encrypts and as CKK_GENERIC_SECRET that signs',
        call: 'C_UnwrapKey',
        mechanism: mechanismName(mechanism),
        expected: 'the second is refused',
        seen: tried.ok ? 'CKR_OK for both' : answerOf(tried),
      });
    },
  },
  {
    ...common,
    id: 'POL-08',
    flows: ['replication', 'operations'],
    title: 'A key with CKA_WRAP_WITH_TRUSTED is not wrapped by a key that somebody brought',
    source: 'PKCS#11 v2.40 section 4.9 (CKA_WRAP_WITH_TRUSTED)',
    remedy: 'the token does not protect domain keys’ subjects: Keyferry does not rely on the attribute there',
    run: (context) =>
      expectNoWrap(context, 'under a known key that is not trusted', 'CKR_KEY_NOT_WRAPPABLE', (job, mechanism) => {
        job.wrapKey(mechanism, wrappingKey(job), victim(job, { more: [[CKA_WRAP_WITH_TRUSTED, true]] }));
      }),
  },
  {
    ...common,
    id: 'POL-10',
    flows: ['replication', 'import'],
    title: 'An AES-256 key is not wrapped under a weaker one',
    source: 'NIST SP 800-57 part 1 section 5.6; Clulow, CHES 2003',
    remedy: 'Keyferry wraps under AES-256 only; other applications with the PIN could do otherwise',
    run: (context) =>
      expectNoWrap(context, 'under an AES-128 key', 'CKR_WRAPPING_KEY_SIZE_RANGE', (job, mechanism) => {
        job.wrapKey(mechanism, wrappingKey(job, {}, knownKey.subarray(0, 16)), victim(job));
      }),
  },
  {
    ...common,
    id: 'POL-11',
    flows: ['replication', 'operations'],
    title: 'CKA_EXTRACTABLE false keeps a key from being wrapped, and CKA_WRAP false a key from wrapping',
    source: 'PKCS#11 v2.40 section 5.13 (C_WrapKey)',
    remedy:
      'keys that are marked as not extractable leave this token: do not use it for single-Region keys that others could wrap',
    run: async (context) => {
      await expectNoWrap(context, 'a key with CKA_EXTRACTABLE false', 'CKR_KEY_UNEXTRACTABLE', (job, mechanism) => {
        job.wrapKey(mechanism, wrappingKey(job), victim(job, { extractable: false }));
      });
      const forbidden = 'CKR_KEY_FUNCTION_NOT_PERMITTED';
      await expectNoWrap(context, 'with a key that has CKA_WRAP false', forbidden, (job, mechanism) => {
        job.wrapKey(mechanism, wrappingKey(job, { usage: ['encrypt'] }), victim(job));
      });
    },
  },
  {
    ...common,
    id: 'POL-14',
    flows: ['import'],
    title: 'A refused RSA PKCS#1 v1.5 blob does not tell why it was refused',
    source: 'Bleichenbacher, CRYPTO 1998; Bardou and others, CRYPTO 2012',
    remedy: 'import with RSAES-OAEP only, and give one answer to whoever sends a blob',
    run: async (context) => {
      await withRsaPair(context, ['unwrap'], async ({ privateKey, publicKey }) => {
        const blob = (encoded: Uint8Array): Uint8Array =>
          publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, encoded);
        const encoded = (first: readonly number[], separatorAt: number, keyLength: number): Uint8Array => {
          const octets = new Uint8Array(256).fill(0x5a);
          octets.set(first);
          if (separatorAt > 0) octets[separatorAt] = 0;
          if (keyLength > 0) octets[255 - keyLength] = 0;
          return octets;
        };
        const blobs = {
          'no block type 2': blob(encoded([0, 1], 0, 32)),
          'no separator': blob(encoded([0, 2], 0, 0)),
          'a separator within the first 8 octets of padding': blob(encoded([0, 2], 5, 32)),
          'a key of 31 octets': blob(encoded([0, 2], 0, 31)),
        };
        const answers = new Map<string, string[]>();
        for (const [what, wrapped] of Object.entries(blobs)) {
          const tried = await context.attempt(
            what,
            (job) => {
              const shape = secretTemplate({ keyType: 'aes', usage: ['encrypt'] });
              job.unwrapKey(plain(CKM_RSA_PKCS), privateKey, wrapped, shape);
            },
            () => true,
          );
          const { rvName } = tried;
          answers.set(rvName, [...(answers.get(rvName) ?? []), what]);
        }
        context.expect(answers.size === 1, {
          what: 'the answers to four blobs that are wrong in different ways',
          call: 'C_UnwrapKey',
          mechanism: mechanismName(CKM_RSA_PKCS),
          expected: 'one return value',
          seen: [...answers].map(([name, which]) => `${name}: ${which.join(', ')}`).join('; '),
        });
      });
    },
  },
  {
    ...common,
    id: 'POL-21',
    flows: ['replication', 'operations'],
    title: 'CKA_ALLOWED_MECHANISMS is kept to',
    source: 'PKCS#11 v2.40 section 4.8 (CKA_ALLOWED_MECHANISMS)',
    remedy: 'do not rely on the attribute: Keyferry does not, where the probe finds that it is not enforced',
    run: async (context) => {
      context.need('createSecretKey');
      const tried = await context.attempt(
        'allowed mechanisms',
        (job) => {
          const more = [[CKA_ALLOWED_MECHANISMS, [CKM_SHA384_HMAC]]] as const;
          const key = job.createObject(knownSecretTemplate({ keyType: 'aes', usage: ['encrypt'], more }, knownKey));
          return job.encrypt(plain(CKM_AES_ECB), key, IV);
        },
        (result, sealed) => equalOctets(result.bytes(sealed), aesEcb(knownKey, IV)),
      );
      context.expect(!tried.ok, {
        what: 'AES-ECB with a key that allows another mechanism only',
        call: 'C_EncryptInit',
        mechanism: mechanismName(CKM_AES_ECB),
        expected: 'CKR_MECHANISM_INVALID',
        seen: tried.ok ? 'CKR_OK: encrypted' : answerOf(tried),
      });
    },
  },
];

/** What an attacker's own key makes of a blob: by the mechanism that wrapped, or, for key wrap, by what the standard says that it is. */
async function decryptAnyhow(
  context: CheckContext,
  mechanism: Mechanism,
  wrapped: Uint8Array,
): Promise<Uint8Array | undefined> {
  const expected: Partial<Record<number, Uint8Array>> = {
    [CKM_AES_ECB]: aesEcb(knownKey, VICTIM),
    [CKM_AES_CBC]: aesCbc(knownKey, IV, VICTIM),
  };
  const known = expected[mechanism.type];
  if (known !== undefined && !equalOctets(known, wrapped)) return undefined;
  const tried = await context.attempt(
    'decrypt',
    (job) => job.decrypt(mechanism, wrappingKey(job, { usage: ['wrap', 'decrypt'] }), wrapped),
    (result, clear) => result.bytes(clear),
  );
  return tried.ok ? tried.value : undefined;
}
