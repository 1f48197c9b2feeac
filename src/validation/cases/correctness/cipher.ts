import { equalOctets, fromHex } from '../../../bytes.js';
import {
  CKM_AES_CMAC,
  CKM_AES_GCM,
  CKM_SHA256_HMAC,
  CKM_SHA384_HMAC,
  CKM_SHA512_HMAC,
} from '../../../token/cryptoki.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type Attempt, type CheckContext } from '../../check_context.js';
import { knownSecretTemplate } from '../../key_template.js';
import {
  cmac128Vectors,
  cmacVectors,
  gcmVector,
  gcmVectors,
  hmacVectors,
  moreHmacVectors,
  type MacVector,
} from '../../vectors/cipher.js';

const common = { group: 'COR', timeLimitMs: 30_000 } as const;
/** @param mayRefuse - whether a refusal is no error: of a key that is shorter than the hash */
async function expectMac(
  context: CheckContext,
  mechanism: number,
  keyType: 'aes' | 'generic',
  vector: MacVector,
  { mayRefuse }: { readonly mayRefuse: boolean } = { mayRefuse: false },
): Promise<void> {
  const tried = await context.attempt(
    'mac',
    (job) => {
      const key = job.createObject(knownSecretTemplate({ keyType, usage: ['sign', 'verify'] }, fromHex(vector.key)));
      return job.sign(plain(mechanism), key, fromHex(vector.message));
    },
    (result, mac) => equalOctets(result.bytes(mac), fromHex(vector.mac)),
  );
  context.expect(tried.ok ? tried.value : mayRefuse, {
    what: vector.name,
    call: 'C_Sign',
    mechanism: mechanismName(mechanism),
    expected: mayRefuse ? 'the known answer, or refused' : 'the known answer',
    seen: !tried.ok ? answerOf(tried) : tried.value ? 'the known answer' : 'another MAC',
  });
}

function gcm(iv: Uint8Array, aad: Uint8Array, tagBits = 128): Mechanism {
  return { type: CKM_AES_GCM, parameter: { kind: 'gcm', iv, aad, tagBits } };
}

function sealOrOpen(
  context: CheckContext,
  direction: 'encrypt' | 'decrypt',
  mechanism: Mechanism,
  input: Uint8Array,
  value = fromHex(gcmVector.key),
): Promise<Attempt<Uint8Array>> {
  return context.attempt(
    direction,
    (job) => {
      const shape = { keyType: 'aes', usage: ['encrypt', 'decrypt'] } as const;
      const key = job.createObject(knownSecretTemplate(shape, value));
      return job[direction](mechanism, key, input);
    },
    (result, output) => result.bytes(output),
  );
}

/** MACs and AES-GCM. */
export const cipherCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-13',
    title: 'CMAC and HMAC give the published answers',
    severity: 'blocks',
    flows: ['replication', 'operations'],
    source: 'NIST SP 800-38B appendix D.3; RFC 4493 section 4; RFC 4231 sections 4.2, 4.3, 4.7 and 4.8',
    remedy: 'correct the MAC: key confirmation between two regions fails',
    run: async (context) => {
      context.need('createSecretKey');
      if (context.works('aesCmac')) {
        for (const vector of [...cmacVectors, ...cmac128Vectors]) await expectMac(context, CKM_AES_CMAC, 'aes', vector);
      } else {
        context.record('AES-256-CMAC', 'the token does not do it', { mechanism: 'CKM_AES_CMAC' });
      }
      const hmacs = { sha256: CKM_SHA256_HMAC, sha384: CKM_SHA384_HMAC, sha512: CKM_SHA512_HMAC } as const;
      for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
        await expectMac(context, hmacs[hash], 'generic', hmacVectors[hash]);
        for (const vector of moreHmacVectors[hash]) {
          const mayRefuse = vector.key.length < hmacVectors[hash].mac.length;
          await expectMac(context, hmacs[hash], 'generic', vector, { mayRefuse });
        }
      }
    },
  },
  {
    ...common,
    id: 'COR-14',
    title: 'AES-256-GCM gives the published answers, and opens nothing that was changed',
    severity: 'blocks',
    flows: ['operations'],
    source: 'NIST SP 800-38D; McGrew and Viega, The Galois/Counter Mode of Operation, test cases 13 to 17',
    remedy: 'correct AES-GCM; check the tag before any plaintext leaves the token',
    run: async (context) => {
      context.need('createSecretKey', 'aesGcm');
      const { iv, aad, plaintext, ciphertext, tag } = gcmVector;
      const sealed = fromHex(ciphertext + tag);
      const mechanism = gcm(fromHex(iv), fromHex(aad));
      for (const vector of gcmVectors) {
        const [clear, whole] = [fromHex(vector.plaintext), fromHex(vector.ciphertext + vector.tag)];
        const how = gcm(fromHex(vector.iv), fromHex(vector.aad));
        for (const [call, expected, tried] of [
          ['C_Encrypt', whole, await sealOrOpen(context, 'encrypt', how, clear, fromHex(vector.key))],
          ['C_Decrypt', clear, await sealOrOpen(context, 'decrypt', how, whole, fromHex(vector.key))],
        ] as const) {
          const isRight = tried.ok && equalOctets(tried.value, expected);
          context.expect(isRight, {
            what: `${vector.name}, a tag of 128 bits`,
            call,
            mechanism: 'CKM_AES_GCM',
            expected: 'the known answer',
            seen: isRight ? 'the known answer' : tried.ok ? 'other octets' : answerOf(tried),
          });
        }
      }
      for (const tagBits of [96, 104, 112, 120]) {
        const tried = await sealOrOpen(context, 'encrypt', gcm(fromHex(iv), fromHex(aad), tagBits), fromHex(plaintext));
        const expected = sealed.subarray(0, sealed.length - 16 + tagBits / 8);
        context.expect(!tried.ok || equalOctets(tried.value, expected), {
          what: `a tag of ${tagBits} bits`,
          call: 'C_Encrypt',
          mechanism: 'CKM_AES_GCM',
          expected: 'the leading bits of the known answer, or refused',
          seen: !tried.ok ? answerOf(tried) : equalOctets(tried.value, expected) ? 'the known answer' : 'other octets',
        });
      }
      const changed = (at: number): Uint8Array => sealed.map((octet, index) => (index === at ? octet ^ 1 : octet));
      const forged: readonly (readonly [string, Mechanism, Uint8Array])[] = [
        ['a bit of the tag changed', mechanism, changed(sealed.length - 1)],
        ['a bit of the ciphertext changed', mechanism, changed(0)],
        [
          'other additional data',
          gcm(
            fromHex(iv),
            fromHex(aad).map((octet) => octet ^ 1),
          ),
          sealed,
        ],
        [
          'another IV',
          gcm(
            fromHex(iv).map((octet) => octet ^ 1),
            fromHex(aad),
          ),
          sealed,
        ],
        ['an octet taken off the end', mechanism, sealed.subarray(0, sealed.length - 1)],
        ['a tag alone that is cut short', mechanism, sealed.subarray(0, 12)],
      ];
      for (const [what, how, input] of forged) {
        const tried = await sealOrOpen(context, 'decrypt', how, input);
        context.expect(!tried.ok, {
          what,
          call: 'C_Decrypt',
          mechanism: 'CKM_AES_GCM',
          expected: 'refused',
          seen: tried.ok ? `CKR_OK: ${tried.value.length} octets of plaintext` : answerOf(tried),
        });
      }
      const tagless = await sealOrOpen(context, 'encrypt', gcm(fromHex(iv), fromHex(aad), 0), fromHex(plaintext));
      context.record('a tag of 0 bits', tagless.ok ? 'CKR_OK' : answerOf(tagless), {
        call: 'C_Encrypt',
        mechanism: 'CKM_AES_GCM',
      });
      const again = await sealOrOpen(context, 'encrypt', mechanism, fromHex(plaintext));
      context.record('the same IV a second time', answerOf(again), { call: 'C_Encrypt', mechanism: 'CKM_AES_GCM' });
    },
  },
];
