import { constants, publicEncrypt } from 'node:crypto';
import { concat, equalOctets, fromHex, toHex, utf8 } from '../../../bytes.js';
import { CKM_RSA_AES_KEY_WRAP } from '../../../token/cryptoki.js';
import type { Mechanism } from '../../../token/mechanism.js';
import { mechanismName } from '../../../token/names.js';
import { plain } from '../../../token/probe/probe_context.js';
import type { Check } from '../../check.js';
import { answerOf, type Attempt, type CheckContext } from '../../check_context.js';
import { secretTemplate } from '../../key_template.js';
import { oaep, oaepHashes, oaepNumbers } from '../../oaep_mechanism.js';
import { readMadeSecret } from '../../secret_reading.js';
import { crtNumbers, knownRsaTemplate } from '../../rsa_numbers.js';
import { withRsaPair, type RsaPair } from '../../rsa_pair.js';
import type { HashName } from '../../software_kdf.js';
import { encryptOaep, oaepMessageMax, type OaepForm } from '../../software_oaep.js';
import { wrapPadded } from '../../software_wrap.js';
import { oaepKey, oaepVectors } from '../../vectors/oaep.js';

const MODULUS_OCTETS = 256;
const OAEP = 'CKM_RSA_PKCS_OAEP';
const LABEL = utf8('keyferry');

function decryptWith(
  context: CheckContext,
  { privateKey }: RsaPair,
  mechanism: Mechanism,
  ciphertext: Uint8Array,
  message: Uint8Array,
): Promise<Attempt<boolean>> {
  return context.attempt(
    'decrypt',
    (job) => job.decrypt(mechanism, privateKey, ciphertext),
    (result, clear) => equalOctets(result.bytes(clear), message),
  );
}

/** Decrypts good encodings; the first hash that the token decrypts with, if there is one. */
async function decryptGood(context: CheckContext, pair: RsaPair): Promise<HashName | undefined> {
  const { publicKey } = pair;
  let working: HashName | undefined;
  for (const hash of oaepHashes) {
    const longest = oaepMessageMax(MODULUS_OCTETS, hash);
    const messages = [context.random.octets(32), new Uint8Array(), context.random.octets(longest)];
    for (const [at, message] of messages.entries()) {
      for (const label of at === 0 ? [null, LABEL] : [null]) {
        const form: OaepForm = { hash, mgf: hash, ...(label === null ? {} : { label }) };
        const ciphertext = encryptOaep(publicKey, message, form, context.random.octets(64));
        const tried = await decryptWith(context, pair, oaep(hash, hash, label), ciphertext, message);
        const what = `${hash.toUpperCase()}, ${label === null ? 'no label' : 'a label of 8 octets'}, a message of ${message.length} octets`;
        // What a token does not have is no error of it; CAP-08 says it. An empty message is refused by some.
        if (!tried.ok) {
          context.record(what, answerOf(tried), { call: 'C_Decrypt', mechanism: OAEP });
          continue;
        }
        working ??= hash;
        context.expect(tried.value, {
          ...{ what, call: 'C_Decrypt', mechanism: OAEP, expected: 'the message' },
          seen: tried.value ? 'the message' : 'other octets',
        });
      }
    }
  }
  return working;
}

/** Ciphertexts that no correct encryption makes. */
function forgedCiphertexts(
  context: CheckContext,
  { publicKey }: RsaPair,
  hash: HashName,
): readonly (readonly [string, Uint8Array])[] {
  const message = context.random.octets(32);
  const encrypted = (form: Partial<OaepForm>): Uint8Array =>
    encryptOaep(publicKey, message, { hash, mgf: hash, ...form }, context.random.octets(64));
  const good = encrypted({});
  const otherMask: HashName = hash === 'sha1' ? 'sha256' : 'sha1';
  return [
    ['a bit changed', good.map((octet, at) => (at === 128 ? octet ^ 1 : octet))],
    ['an octet taken off the end', good.subarray(0, MODULUS_OCTETS - 1)],
    ['an octet more', concat(good, Uint8Array.of(0))],
    ['a label that is not the mechanism’s', encrypted({ label: LABEL })],
    ['a mask by another hash', encrypted({ mgf: otherMask })],
    ['a first octet that is not zero', encrypted({ firstOctet: 1 })],
    ['no octet 01 before the message', encrypted({ separator: 0 })],
    ['an octet 02 before the message', encrypted({ separator: 2 })],
    ['padding that is not zero', encrypted({ paddingOctet: 0x80 })],
    ['the padding of PKCS#1 v1.5', publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, message)],
    ['zero', new Uint8Array(MODULUS_OCTETS)],
    ['one', new Uint8Array(MODULUS_OCTETS).fill(1, MODULUS_OCTETS - 1)],
    ['a number above the modulus', new Uint8Array(MODULUS_OCTETS).fill(0xff)],
  ];
}

/**
 * Decrypts the published example: with SHA-1 under 1024 bits, which a token may refuse to bring in.
 *
 * For SHA-256 there is no example of RSA Laboratories: what {@link decryptGood} encodes stands in, by an encoder of our own that
 * reproduces this example and whose encodings OpenSSL decrypts under every hash.
 */
async function decryptPublished(context: CheckContext): Promise<void> {
  const number = (hex: string): bigint => BigInt(`0x${hex}`);
  const [p, q] = [number(oaepKey.prime1), number(oaepKey.prime2)];
  const [n, e, d] = [oaepKey.modulus, oaepKey.publicExponent, oaepKey.privateExponent].map(number);
  if (n === undefined || e === undefined || d === undefined) return;
  const shape = knownRsaTemplate({ n, e, d, ...crtNumbers(p, q, d) }, ['decrypt']);
  for (const { name, message, ciphertext } of oaepVectors) {
    const tried = await context.attempt(
      'decrypt the published example',
      (job) => job.decrypt(oaep('sha1'), job.createObject(shape), fromHex(ciphertext)),
      (result, clear) => toHex(result.bytes(clear)) === message,
    );
    const place = { call: tried.ok ? 'C_Decrypt' : tried.call, mechanism: OAEP };
    if (!tried.ok) {
      context.record(name, answerOf(tried), place);
      continue;
    }
    const seen = tried.value ? 'the published message' : 'other octets';
    context.expect(tried.value, { what: name, ...place, expected: 'the published message', seen });
  }
}

/** A secret under an ephemeral AES key under the public key, as software makes it for an import, unwrapped in the token. */
async function unwrapInterop(context: CheckContext, pair: RsaPair, hash: HashName): Promise<void> {
  const pad = context.profile?.rules.aesKeyWrapPadMechanism ?? null;
  if (pad === null) return context.record('RSA-AES key wrap', 'the token has no AES key wrap with padding');
  const ephemeral = context.random.octets(32);
  const secret = context.random.octets(48);
  const first = encryptOaep(pair.publicKey, ephemeral, { hash, mgf: hash }, context.random.octets(64));
  const second = wrapPadded(ephemeral, secret);
  const twoSteps = await readMadeSecret(context, 'unwrap in two steps', (job, shape) => {
    const forKek = secretTemplate({ keyType: 'aes', usage: ['unwrap'] });
    return job.unwrapKey(plain(pad), job.unwrapKey(oaep(hash), pair.privateKey, first, forKek), second, shape);
  });
  const say = (what: string, mechanism: string, tried: Attempt<Uint8Array>): void => {
    const isRight = tried.ok && equalOctets(tried.value, secret);
    context.expect(isRight, {
      ...{ what, call: 'C_UnwrapKey', mechanism, expected: 'the secret' },
      seen: !tried.ok ? answerOf(tried) : isRight ? 'the secret' : 'other octets',
    });
  };
  say(`RSA-AES key wrap of software, ${hash.toUpperCase()}, unwrapped in two steps`, OAEP, twoSteps);
  if (!context.slot.mechanisms().some(({ type }) => type === CKM_RSA_AES_KEY_WRAP)) return;
  const parameter = { kind: 'rsa-aes-key-wrap', aesKeyBits: 256, ...oaepNumbers[hash] } as const;
  const oneCall = await readMadeSecret(context, 'unwrap in one call', (job, shape) =>
    job.unwrapKey({ type: CKM_RSA_AES_KEY_WRAP, parameter }, pair.privateKey, concat(first, second), shape),
  );
  say('the same, in one call', mechanismName(CKM_RSA_AES_KEY_WRAP), oneCall);
}

/** RSA-OAEP against software. */
export const rsaCorrectness: readonly Check[] = [
  {
    group: 'COR',

    timeLimitMs: 60_000,
    id: 'COR-12',
    title: 'RSA-OAEP decrypts what software encrypted, and nothing that was changed',
    severity: 'blocks',
    flows: ['import'],
    source:
      'RFC 8017 section 7.1; pkcs-1v2-1-vec of RSA Laboratories; PKCS#11 v3.0 section 2.1.23; the classes of inputs of Wycheproof’s OAEP tests',
    remedy: 'correct the decoding of OAEP; check hash, padding and label before anything leaves the token',
    run: (context) =>
      withRsaPair(context, ['decrypt', 'unwrap'], async (pair) => {
        await decryptPublished(context);
        const working = await decryptGood(context, pair);
        if (working === undefined) return context.skip('the token decrypts RSA-OAEP with no hash');
        for (const [what, ciphertext] of forgedCiphertexts(context, pair, working)) {
          const tried = await decryptWith(context, pair, oaep(working), ciphertext, new Uint8Array());
          context.expect(!tried.ok, {
            ...{ what, call: 'C_Decrypt', mechanism: OAEP, expected: 'refused' },
            seen: tried.ok ? 'CKR_OK: decrypted' : answerOf(tried),
          });
        }
        await unwrapInterop(context, pair, working);
      }),
  },
];
