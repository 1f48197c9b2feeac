import { execFileSync, type StdioOptions } from 'node:child_process';
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { toHex } from '../../../src/bytes.js';
import { CeremonyError } from '../../../src/customer/errors.js';
import { FileMaterial } from '../../../src/customer/file_material.js';
import type { ImportParameters } from '../../../src/customer/parameters.js';
import { requireWrappedOctets, WRAPPING_ALGORITHMS, type ImportedKeySpec } from '../../../src/customer/rules.js';
import { rejection, thrown } from '../../support/failure.js';
import { unwrapImported } from '../../support/import_unwrapping.js';

const kms = generateKeyPairSync('rsa', { modulusLength: 4096 });
const curveKey = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const der = (key: KeyObject): Buffer => key.export({ type: 'pkcs8', format: 'der' });

/** A key that OpenSSL makes, as PKCS#8 in DER. */
function generatePkcs8(algorithm: string, ...settings: readonly string[]): Buffer {
  const options = settings.flatMap((setting) => ['-pkeyopt', setting]);
  const stdio: StdioOptions = ['pipe', 'pipe', 'ignore'];
  const key = execFileSync('openssl', ['genpkey', '-algorithm', algorithm, ...options], { stdio });
  return execFileSync('openssl', ['pkcs8', '-topk8', '-nocrypt', '-outform', 'DER'], { input: key, stdio });
}

describe('material in a file', function () {
  this.timeout(30_000);
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'kf-material-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  let files = 0;
  const write = (content: Uint8Array | string): string => {
    files += 1;
    const file = join(directory, `${files}`);
    writeFileSync(file, content);
    return file;
  };
  const refusalOf = async (content: Uint8Array | string, keySpec: ImportedKeySpec): Promise<CeremonyError> => {
    const source = await FileMaterial.read(write(content));
    const refusal = thrown(CeremonyError, () => source.require(keySpec));
    await source.close();
    return refusal;
  };

  it('is wrapped by each algorithm so that OpenSSL unwraps the very same octets', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const cases: readonly (readonly [ImportedKeySpec, Uint8Array])[] = [
      ['SYMMETRIC_DEFAULT', randomBytes(32)],
      ['HMAC_224', randomBytes(33)],
      ['ECC_NIST_P384', der(curveKey('P-384'))],
      ['ECC_SECG_P256K1', der(curveKey('secp256k1'))],
      ['ECC_NIST_EDWARDS25519', der(generateKeyPairSync('ed25519').privateKey)],
      ['RSA_2048', der(rsa)],
    ];
    for (const [keySpec, material] of cases) {
      const source = await FileMaterial.read(write(material));
      source.require(keySpec);
      for (const wrappingAlgorithm of WRAPPING_ALGORITHMS) {
        if (keySpec === 'RSA_2048' && wrappingAlgorithm.startsWith('RSAES')) continue;
        const parameters: ImportParameters = {
          keyId: 'a key',
          keySpec,
          wrappingAlgorithm,
          wrappingKeySpec: 'RSA_4096',
          publicKey: kms.publicKey.export({ type: 'spki', format: 'der' }),
          importToken: Uint8Array.of(1),
          validToMs: null,
        };
        source.requireRoom(parameters);
        const { octets } = await source.wrap(parameters);
        requireWrappedOctets(octets.length, wrappingAlgorithm, 'RSA_4096');
        const unwrapped = unwrapImported(wrappingAlgorithm, kms.privateKey, octets);
        expect(toHex(unwrapped), `${keySpec} ${wrappingAlgorithm}`).to.equal(toHex(material));
      }
      await source.close();
    }
  });

  it('does not show its octets, and cannot be wrapped once it is closed', async () => {
    const octets = randomBytes(32);
    const source = await FileMaterial.read(write(octets));
    expect(JSON.stringify(source) + source.description).to.not.contain(toHex(octets.subarray(0, 4)));
    expect(source.description).to.contain('32 octets');
    await source.close();
    const parameters: ImportParameters = {
      keyId: 'a key',
      keySpec: 'SYMMETRIC_DEFAULT',
      wrappingAlgorithm: 'RSAES_OAEP_SHA_256',
      wrappingKeySpec: 'RSA_4096',
      publicKey: kms.publicKey.export({ type: 'spki', format: 'der' }),
      importToken: Uint8Array.of(1),
      validToMs: null,
    };
    expect((await rejection(CeremonyError, source.wrap(parameters))).message).to.contain('forgotten');
  });

  it('of the wrong length is refused, and hexadecimal and line ends are wrong lengths', async () => {
    const octets = randomBytes(32);
    for (const content of [octets.subarray(1), Buffer.concat([octets, Buffer.from('\n')]), toHex(octets)]) {
      expect((await refusalOf(content, 'SYMMETRIC_DEFAULT')).message).to.contain('wants 32 octets');
    }
    expect((await refusalOf(randomBytes(129), 'HMAC_256')).message).to.contain('32 to 128');
  });

  it('that is a private key in another form is refused with the command that makes PKCS#8 of it', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const ec = curveKey('P-256');
    const cases: readonly (readonly [string, string | Uint8Array, ImportedKeySpec])[] = [
      ['PEM', rsa.export({ type: 'pkcs8', format: 'pem' }), 'RSA_2048'],
      ['PKCS#1', rsa.export({ type: 'pkcs1', format: 'der' }), 'RSA_2048'],
      ['SEC 1', ec.export({ type: 'sec1', format: 'der' }), 'ECC_NIST_P256'],
      [
        'encrypted PKCS#8',
        ec.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: 'x' }),
        'ECC_NIST_P256',
      ],
      ['a public key', kms.publicKey.export({ type: 'spki', format: 'der' }), 'RSA_4096'],
      ['no key', randomBytes(64).fill(0xff), 'RSA_2048'],
    ];
    for (const [form, content, keySpec] of cases) {
      const refusal = await refusalOf(content, keySpec);
      expect(refusal.message).to.contain(form);
      expect(refusal.remedy, form).to.be.a('string');
    }
  });

  it('that is a key of another type, curve or size is refused', async () => {
    const rsa = der(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    expect((await refusalOf(rsa, 'RSA_3072')).message).to.contain('modulus has 2048');
    expect((await refusalOf(rsa, 'ECC_NIST_P256')).message).to.contain('P-256');
    expect((await refusalOf(der(curveKey('P-256')), 'ECC_NIST_P384')).message).to.contain('P-384');
    expect((await refusalOf(der(curveKey('P-256')), 'RSA_2048')).message).to.contain('an RSA key');
    expect((await refusalOf(der(curveKey('P-256')), 'ECC_NIST_EDWARDS25519')).message).to.contain('Ed25519');
    const behind = Buffer.concat([der(curveKey('P-256')), Buffer.alloc(1)]);
    expect((await refusalOf(behind, 'ECC_NIST_P256')).message).to.contain('behind');
  });

  it('that has explicit curve parameters or three primes is refused', async () => {
    const explicit = generatePkcs8('EC', 'ec_paramgen_curve:P-256', 'ec_param_enc:explicit');
    expect((await refusalOf(explicit, 'ECC_NIST_P256')).message).to.contain('named curve');
    const threePrimes = generatePkcs8('RSA', 'rsa_keygen_bits:2048', 'rsa_keygen_primes:3');
    expect((await refusalOf(threePrimes, 'RSA_2048')).message).to.contain('two primes');
  });

  it('that is not there, empty or endless is refused', async () => {
    expect((await rejection(CeremonyError, FileMaterial.read(join(directory, 'none')))).message).to.contain(
      'No such file',
    );
    expect((await rejection(CeremonyError, FileMaterial.read(directory))).message).to.contain('directory');
    expect((await rejection(CeremonyError, FileMaterial.read(write('')))).message).to.contain('empty');
    expect((await rejection(CeremonyError, FileMaterial.read('/dev/zero'))).message).to.contain('longer than 8192');
  });

  it('survives every truncation and change of its first octets without a crash', async () => {
    const key = der(curveKey('P-256'));
    for (let at = 1; at < 48; at += 1) {
      const changed = Buffer.from(key);
      changed[at] = (changed[at] ?? 0) ^ 0xff;
      for (const content of [changed, key.subarray(0, at)]) {
        const source = await FileMaterial.read(write(content));
        expect(source.description).to.contain('octets');
        await source.close();
      }
    }
  });
});
