import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
} from 'node:crypto';
import { expect } from 'chai';
import { toHex, utf8 } from '../../src/bytes.js';
import { CeremonyError } from '../../src/customer/errors.js';
import type { ImportParameters } from '../../src/customer/parameters.js';
import {
  requireWrappedOctets,
  wrappingOf,
  type ImportedKeySpec,
  type WrappingAlgorithm,
} from '../../src/customer/rules.js';
import { TokenMaterial } from '../../src/customer/token_material.js';
import {
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_LABEL,
  CKA_MODULUS_BITS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_TOKEN,
  CKA_VERIFY,
  CKM_ECDSA,
  CKM_EC_KEY_PAIR_GEN,
  CKM_RSA_PKCS_KEY_PAIR_GEN,
  CKM_SHA256_HMAC,
  CKM_SHA256_RSA_PKCS,
  CKO_PRIVATE_KEY,
  CKO_SECRET_KEY,
} from '../../src/token/cryptoki.js';
import type { Executor } from '../../src/token/executor.js';
import { Job } from '../../src/token/job.js';
import { template } from '../../src/token/template.js';
import { CURVES } from '../../src/wire/curve.js';
import { customerKey, makeCustomerSecret } from '../support/customer_key.js';
import { plain } from '../support/executor_jobs.js';
import { rejection, thrown } from '../support/failure.js';
import { unwrapImported } from '../support/import_unwrapping.js';
import { openScratch } from '../support/region_token.js';
import { makeScratchToken, tokenKinds, type ScratchToken } from '../support/token_directory.js';

const kms = generateKeyPairSync('rsa', { modulusLength: 3072 });
const MESSAGE = utf8('a message that both sides know');

function parametersFor(keySpec: ImportedKeySpec, wrappingAlgorithm: WrappingAlgorithm): ImportParameters {
  return {
    keyId: 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555',
    keySpec,
    wrappingAlgorithm,
    wrappingKeySpec: 'RSA_3072',
    publicKey: kms.publicKey.export({ type: 'spki', format: 'der' }),
    importToken: Uint8Array.of(1),
    validToMs: null,
  };
}

const publicHalf = template([CKA_TOKEN, false], [CKA_PRIVATE, false], [CKA_VERIFY, true]);

async function makeKeys(executor: Executor): Promise<void> {
  const job = new Job('make a customer’s keys', 'test');
  makeCustomerSecret(job, 32, customerKey('symmetric'));
  makeCustomerSecret(job, 48, customerKey('mac'));
  makeCustomerSecret(job, 32, customerKey('stays', false));
  makeCustomerSecret(job, 32, customerKey('twice'));
  makeCustomerSecret(job, 32, customerKey('twice', true, 'another'));
  for (const [label, curve] of [
    ['p256', CURVES['P-256']],
    ['p521', CURVES['P-521']],
  ] as const) {
    const parameters = template([CKA_EC_PARAMS, curve.oid]);
    job.keep(
      job.generateKeyPair(plain(CKM_EC_KEY_PAIR_GEN), [...publicHalf, ...parameters], customerKey(label)).privateKey,
    );
  }
  const rsa = template([CKA_MODULUS_BITS, 2048], [CKA_PUBLIC_EXPONENT, Uint8Array.of(1, 0, 1)]);
  job.keep(
    job.generateKeyPair(plain(CKM_RSA_PKCS_KEY_PAIR_GEN), [...publicHalf, ...rsa], customerKey('rsa')).privateKey,
  );
  await executor.run(job);
}

/** What a key of the token makes of the message. */
async function signedInToken(
  executor: Executor,
  label: string,
  mechanism: number,
  data: Uint8Array,
): Promise<Uint8Array> {
  const search = new Job('find', 'test');
  const isSecret = mechanism === CKM_SHA256_HMAC;
  const found = search.findObjects(
    template([CKA_CLASS, isSecret ? CKO_SECRET_KEY : CKO_PRIVATE_KEY], [CKA_LABEL, utf8(label)]),
    1,
  );
  const [key] = (await executor.run(search)).handles(found);
  if (key === undefined) throw new Error(`no key ${label}`);
  const job = new Job('sign', 'test');
  const signature = job.sign(plain(mechanism), key, data);
  return (await executor.run(job)).bytes(signature);
}

for (const kind of tokenKinds()) {
  describe(`a customer’s keys in a ${kind} token`, function () {
    this.timeout(60_000);
    let token: ScratchToken;
    let opened: Awaited<ReturnType<typeof openScratch>>;
    before(async () => {
      token = await makeScratchToken(kind);
      opened = await openScratch(token);
      await makeKeys(opened.executor);
    });
    after(async () => {
      await opened.close();
      token.dispose();
    });

    const open = (object: string): Promise<TokenMaterial> =>
      TokenMaterial.open({
        module: token.modulePath,
        token: { label: token.label },
        pin: token.userPin,
        object,
      });
    const wrapped = async (
      object: string,
      keySpec: ImportedKeySpec,
      algorithm: WrappingAlgorithm,
    ): Promise<{ readonly material: Uint8Array; readonly notes: readonly string[] }> => {
      const source = await open(object);
      try {
        const parameters = parametersFor(keySpec, algorithm);
        source.require(keySpec);
        source.requireRoom(parameters);
        const { octets, notes } = await source.wrap(parameters);
        requireWrappedOctets(octets.length, algorithm, 'RSA_3072');
        return { material: unwrapImported(algorithm, kms.privateKey, octets), notes };
      } finally {
        await source.close();
      }
    };
    const hashes = kind === 'softhsm2' ? (['SHA_1'] as const) : (['SHA_1', 'SHA_256'] as const);

    for (const hash of hashes) {
      it(`are wrapped by RSAES_OAEP_${hash} where they are secrets, as long as they are`, async () => {
        const mac = await wrapped('mac', 'HMAC_384', `RSAES_OAEP_${hash}`);
        expect(mac.material).to.have.lengthOf(48);
        const inToken = await signedInToken(opened.executor, 'mac', CKM_SHA256_HMAC, MESSAGE);
        expect(toHex(createHmac('sha256', mac.material).update(MESSAGE).digest())).to.equal(toHex(inToken));
      });

      it(`are wrapped by RSA_AES_KEY_WRAP_${hash} in two steps where they are private keys`, async () => {
        const algorithm = `RSA_AES_KEY_WRAP_${hash}` as const;
        for (const [label, keySpec] of [
          ['p256', 'ECC_NIST_P256'],
          ['p521', 'ECC_NIST_P521'],
        ] as const) {
          const { material } = await wrapped(label, keySpec, algorithm);
          const key = createPrivateKey({ key: Buffer.from(material), format: 'der', type: 'pkcs8' });
          const digest = createHash('sha256').update(MESSAGE).digest();
          const signature = await signedInToken(opened.executor, label, CKM_ECDSA, digest);
          const publicKey = { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' } as const;
          expect(verify('sha256', MESSAGE, publicKey, signature), label).to.equal(true);
        }
        const { material, notes } = await wrapped('rsa', 'RSA_2048', algorithm);
        const key = createPrivateKey({ key: Buffer.from(material), format: 'der', type: 'pkcs8' });
        const signature = await signedInToken(opened.executor, 'rsa', CKM_SHA256_RSA_PKCS, MESSAGE);
        expect(toHex(sign('sha256', MESSAGE, key))).to.equal(toHex(signature));
        const pkcs8 = key.export({ type: 'pkcs8', format: 'der' }).length;
        expect(notes.length > 0, `${material.length} octets around ${pkcs8}`).to.equal(kind === 'softhsm2');
      });
    }

    it('are wrapped by RSAES_OAEP alone where they are keys of a curve and the token does that, or refused with what it does', async () => {
      const attempt = wrapped('p256', 'ECC_NIST_P256', 'RSAES_OAEP_SHA_1');
      if (kind === 'nss') {
        const { material } = await attempt;
        createPrivateKey({ key: Buffer.from(material), format: 'der', type: 'pkcs8' });
      } else {
        const refusal = await rejection(CeremonyError, attempt);
        expect(refusal.message).to.contain('C_WrapKey returned CKR_');
        expect(refusal.remedy).to.contain('RSA_AES_KEY_WRAP');
      }
    });

    it('are found by label or by id, and not where several have the name or none', async () => {
      const source = await open(toHex(utf8('symmetric')));
      expect(source.description).to.contain('32 octets').and.contain('sensitive');
      await source.close();
      expect((await rejection(CeremonyError, open('twice'))).message).to.contain('2 keys');
      expect((await rejection(CeremonyError, open('nobody'))).message).to.contain('no secret or private key');
    });

    it('are refused here where they must not leave the token, whether the token refuses it or not', async () => {
      const refusal = await rejection(CeremonyError, open('stays'));
      expect(refusal.message).to.contain('CKA_EXTRACTABLE is false');
    });

    it('are refused where they are not what the key spec wants', async () => {
      const cases: readonly (readonly [string, ImportedKeySpec])[] = [
        ['mac', 'SYMMETRIC_DEFAULT'],
        ['symmetric', 'HMAC_512'],
        ['symmetric', 'RSA_2048'],
        ['rsa', 'RSA_3072'],
        ['rsa', 'ECC_NIST_P256'],
        ['p256', 'ECC_NIST_P384'],
        ['p256', 'SYMMETRIC_DEFAULT'],
      ];
      for (const [object, keySpec] of cases) {
        const source = await open(object);
        expect(thrown(CeremonyError, () => source.require(keySpec)).code, keySpec).to.equal('ERR_CEREMONY_MATERIAL');
        await source.close();
      }
    });

    it(`${kind === 'softhsm2' ? 'are' : 'are not'} refused under SHA-256 before anything is sent`, async () => {
      const source = await open('symmetric');
      const check = (): void =>
        source.requireRoom({ wrappingAlgorithm: 'RSAES_OAEP_SHA_256', wrappingKeySpec: 'RSA_2048' });
      if (kind === 'softhsm2') {
        expect(thrown(CeremonyError, check).message).to.contain('does not know SHA-256');
        expect(source.hash).to.equal('sha1');
      } else {
        check();
        expect(source.hash).to.equal(wrappingOf('RSAES_OAEP_SHA_256').hash);
      }
      await source.close();
    });

    it('are all that is left in the token after they were wrapped', async () => {
      await wrapped('rsa', 'RSA_2048', 'RSA_AES_KEY_WRAP_SHA_1');
      const job = new Job('count', 'test');
      const found = job.findObjects(template([CKA_TOKEN, false]), 16);
      expect((await opened.executor.run(job)).handles(found)).to.have.lengthOf(0);
    });
  });
}
