import { equalOctets } from '../../../bytes.js';
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
import { cmacVectors, gcmVector, hmacVectors, type MacVector } from '../../vectors/cipher.js';

const common = { group: 'COR', isQuick: true, timeLimitMs: 30_000 } as const;
/** What is compared of the random generator, octets: in blocks of 16 none may come twice. */
const RANDOM_BYTES = 1_048_576;
const RANDOM_BYTES_QUICK = 131_072;
const RANDOM_CALL_BYTES = 32_768;

function octets(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

async function expectMac(
  context: CheckContext,
  mechanism: number,
  keyType: 'aes' | 'generic',
  vector: MacVector,
): Promise<void> {
  const tried = await context.attempt(
    'mac',
    (job) => {
      const key = job.createObject(knownSecretTemplate({ keyType, usage: ['sign', 'verify'] }, octets(vector.key)));
      return job.sign(plain(mechanism), key, octets(vector.message));
    },
    (result, mac) => equalOctets(result.bytes(mac), octets(vector.mac)),
  );
  context.expect(tried.ok && tried.value, {
    what: vector.name,
    call: 'C_Sign',
    mechanism: mechanismName(mechanism),
    expected: 'the known answer',
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
): Promise<Attempt<Uint8Array>> {
  return context.attempt(
    direction,
    (job) => {
      const shape = { keyType: 'aes', usage: ['encrypt', 'decrypt'] } as const;
      const key = job.createObject(knownSecretTemplate(shape, octets(gcmVector.key)));
      return job[direction](mechanism, key, input);
    },
    (result, output) => result.bytes(output),
  );
}

/** MACs, AES-GCM and the random generator. */
export const cipherCorrectness: readonly Check[] = [
  {
    ...common,
    id: 'COR-13',
    title: 'CMAC and HMAC give the published answers',
    severity: 'blocks',
    flows: ['replication', 'operations'],
    source: 'NIST SP 800-38B appendix D.3; RFC 4231 section 4.7',
    remedy: 'correct the MAC: key confirmation between two regions fails',
    run: async (context) => {
      context.need('createSecretKey');
      if (context.works('aesCmac')) {
        for (const vector of cmacVectors) await expectMac(context, CKM_AES_CMAC, 'aes', vector);
      } else {
        context.record('AES-256-CMAC', 'the token does not do it', { mechanism: 'CKM_AES_CMAC' });
      }
      await expectMac(context, CKM_SHA256_HMAC, 'generic', hmacVectors.sha256);
      await expectMac(context, CKM_SHA384_HMAC, 'generic', hmacVectors.sha384);
      await expectMac(context, CKM_SHA512_HMAC, 'generic', hmacVectors.sha512);
    },
  },
  {
    ...common,
    id: 'COR-14',
    title: 'AES-256-GCM gives the published answer, and opens nothing that was changed',
    severity: 'blocks',
    flows: ['operations'],
    source: 'NIST SP 800-38D; McGrew and Viega, The Galois/Counter Mode of Operation, test case 16',
    remedy: 'correct AES-GCM; check the tag before any plaintext leaves the token',
    run: async (context) => {
      context.need('createSecretKey', 'aesGcm');
      const { iv, aad, plaintext, ciphertext, tag } = gcmVector;
      const sealed = octets(ciphertext + tag);
      const mechanism = gcm(octets(iv), octets(aad));
      const made = await sealOrOpen(context, 'encrypt', mechanism, octets(plaintext));
      const opened = await sealOrOpen(context, 'decrypt', mechanism, sealed);
      for (const [call, tried, expected] of [
        ['C_Encrypt', made, sealed],
        ['C_Decrypt', opened, octets(plaintext)],
      ] as const) {
        const isRight = tried.ok && equalOctets(tried.value, expected);
        context.expect(isRight, {
          what: 'test case 16, a tag of 128 bits',
          call,
          mechanism: 'CKM_AES_GCM',
          expected: 'the known answer',
          seen: isRight ? 'the known answer' : tried.ok ? 'other octets' : answerOf(tried),
        });
      }
      const changed = (at: number): Uint8Array => sealed.map((octet, index) => (index === at ? octet ^ 1 : octet));
      const forged: readonly (readonly [string, Mechanism, Uint8Array])[] = [
        ['a bit of the tag changed', mechanism, changed(sealed.length - 1)],
        ['a bit of the ciphertext changed', mechanism, changed(0)],
        [
          'other additional data',
          gcm(
            octets(iv),
            octets(aad).map((octet) => octet ^ 1),
          ),
          sealed,
        ],
        [
          'another IV',
          gcm(
            octets(iv).map((octet) => octet ^ 1),
            octets(aad),
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
      const tagless = await sealOrOpen(context, 'encrypt', gcm(octets(iv), octets(aad), 0), octets(plaintext));
      context.record('a tag of 0 bits', tagless.ok ? 'CKR_OK' : answerOf(tagless), {
        call: 'C_Encrypt',
        mechanism: 'CKM_AES_GCM',
      });
      const again = await sealOrOpen(context, 'encrypt', mechanism, octets(plaintext));
      context.record('the same IV a second time', answerOf(again), { call: 'C_Encrypt', mechanism: 'CKM_AES_GCM' });
    },
  },
  {
    ...common,
    id: 'COR-16',
    title: 'The random generator does not repeat itself',
    severity: 'security',
    flows: ['replication', 'signing', 'import', 'operations'],
    source:
      'NIST SP 800-90B section 4.4, in spirit: a generator that repeats blocks of 16 octets is broken; one that does not may still be weak',
    remedy: 'do not use the token',
    run: async (context) => {
      context.need('random');
      const wanted = context.isQuick ? RANDOM_BYTES_QUICK : RANDOM_BYTES;
      const blocks = new Set<string>();
      const frequency = Array.from({ length: 256 }, () => 0);
      for (let got = 0; got < wanted; got += RANDOM_CALL_BYTES) {
        const { result, outputs } = await context.run('random', (job) => job.random(RANDOM_CALL_BYTES));
        const drawn = Buffer.from(result.bytes(outputs));
        for (let at = 0; at < drawn.length; at += 16) blocks.add(drawn.toString('latin1', at, at + 16));
        for (const octet of drawn) frequency[octet] = (frequency[octet] ?? 0) + 1;
      }
      context.expect(blocks.size === wanted / 16, {
        what: `${wanted} octets in blocks of 16`,
        call: 'C_GenerateRandom',
        expected: 'no block twice',
        seen: blocks.size === wanted / 16 ? 'no block twice' : `${wanted / 16 - blocks.size} blocks came before`,
      });
      const mean = wanted / 256;
      const chiSquare = frequency.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
      // 255 degrees of freedom: above 420 once in 10^9 runs of a good generator.
      context.expect(chiSquare < 420, {
        what: 'how often each octet comes, chi-square with 255 degrees of freedom',
        call: 'C_GenerateRandom',
        expected: 'below 420',
        seen: chiSquare < 420 ? 'below 420' : chiSquare.toFixed(0),
      });
    },
  },
];
