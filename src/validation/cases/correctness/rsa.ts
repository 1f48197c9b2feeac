import { constants, publicEncrypt } from 'node:crypto';
import { equalOctets, utf8 } from '../../../bytes.js';
import {
  CKG_MGF1_SHA1,
  CKG_MGF1_SHA224,
  CKG_MGF1_SHA256,
  CKG_MGF1_SHA384,
  CKG_MGF1_SHA512,
  CKM_RSA_PKCS_OAEP,
  CKM_SHA224,
  CKM_SHA256,
  CKM_SHA384,
  CKM_SHA512,
  CKM_SHA_1,
} from '../../../token/cryptoki.js';
import type { Mechanism } from '../../../token/mechanism.js';
import type { Check } from '../../check.js';
import { answerOf, type Attempt } from '../../check_context.js';
import { withRsaPair } from '../../rsa_pair.js';

const hashes = {
  sha1: { hash: CKM_SHA_1, mgf: CKG_MGF1_SHA1 },
  sha224: { hash: CKM_SHA224, mgf: CKG_MGF1_SHA224 },
  sha256: { hash: CKM_SHA256, mgf: CKG_MGF1_SHA256 },
  sha384: { hash: CKM_SHA384, mgf: CKG_MGF1_SHA384 },
  sha512: { hash: CKM_SHA512, mgf: CKG_MGF1_SHA512 },
} as const;

function oaep(name: keyof typeof hashes, label: Uint8Array | null): Mechanism {
  return { type: CKM_RSA_PKCS_OAEP, parameter: { kind: 'oaep', ...hashes[name], label } };
}

/** RSA-OAEP against software. */
export const rsaCorrectness: readonly Check[] = [
  {
    group: 'COR',
    isQuick: true,
    timeLimitMs: 60_000,
    id: 'COR-12',
    title: 'RSA-OAEP decrypts what software encrypted, and nothing that was changed',
    severity: 'blocks',
    flows: ['import'],
    source: 'RFC 8017 section 7.1; the classes of inputs of Wycheproof’s OAEP tests',
    remedy: 'correct the decoding of OAEP; check hash, padding and label before anything leaves the token',
    run: (context) =>
      withRsaPair(context, ['decrypt', 'unwrap'], async ({ privateKey, publicKey }) => {
        const padding = constants.RSA_PKCS1_OAEP_PADDING;
        const label = utf8('keyferry');
        const message = context.random.octets(32);
        const decrypt = (mechanism: Mechanism, ciphertext: Uint8Array): Promise<Attempt<boolean>> =>
          context.attempt(
            'decrypt',
            (job) => job.decrypt(mechanism, privateKey, ciphertext),
            (result, clear) => equalOctets(result.bytes(clear), message),
          );
        let working: keyof typeof hashes | undefined;
        for (const name of Object.keys(hashes) as (keyof typeof hashes)[]) {
          for (const oaepLabel of [undefined, label]) {
            const options = {
              key: publicKey,
              padding,
              oaepHash: name,
              ...(oaepLabel === undefined ? {} : { oaepLabel }),
            };
            const tried = await decrypt(oaep(name, oaepLabel ?? null), publicEncrypt(options, message));
            const what = `${name.toUpperCase()}, MGF1 with the same hash, ${oaepLabel === undefined ? 'no label' : 'a label of 8 octets'}`;
            // What a token does not have is no error of it; CAP-08 says it.
            if (!tried.ok) {
              context.record(what, answerOf(tried), { call: 'C_Decrypt', mechanism: 'CKM_RSA_PKCS_OAEP' });
              continue;
            }
            if (oaepLabel === undefined) working ??= name;
            context.expect(tried.value, {
              what,
              call: 'C_Decrypt',
              mechanism: 'CKM_RSA_PKCS_OAEP',
              expected: 'the message',
              seen: tried.value ? 'the message' : 'other octets',
            });
          }
        }
        if (working === undefined) return context.skip('the token decrypts RSA-OAEP with no hash');
        const good = publicEncrypt({ key: publicKey, padding, oaepHash: working }, message);
        const changed = Uint8Array.from(good);
        changed[128] = (changed[128] ?? 0) ^ 1;
        const forged: readonly (readonly [string, Uint8Array])[] = [
          ['a bit changed', changed],
          ['an octet taken off the end', good.subarray(0, 255)],
          ['an octet more', Uint8Array.of(...good, 0)],
          [
            'a label that is not the mechanism’s',
            publicEncrypt({ key: publicKey, padding, oaepHash: working, oaepLabel: label }, message),
          ],
          [
            'the padding of PKCS#1 v1.5',
            publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, message),
          ],
          ['zero', new Uint8Array(256)],
        ];
        for (const [what, ciphertext] of forged) {
          const tried = await decrypt(oaep(working, null), ciphertext);
          context.expect(!tried.ok, {
            what,
            call: 'C_Decrypt',
            mechanism: 'CKM_RSA_PKCS_OAEP',
            expected: 'refused',
            seen: tried.ok ? 'CKR_OK: decrypted' : answerOf(tried),
          });
        }
      }),
  },
];
