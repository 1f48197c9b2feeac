import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CeremonyError } from '../../../src/customer/errors.js';
import {
  fingerprintOf,
  issuedMs,
  readParameters,
  saveParameters,
  type ImportParameters,
} from '../../../src/customer/parameters.js';
import { thrown } from '../../support/failure.js';

const spki = (modulusLength: number): Buffer =>
  generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ type: 'spki', format: 'der' });

const parameters: ImportParameters = {
  keyId: 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555',
  keySpec: 'HMAC_256',
  wrappingAlgorithm: 'RSAES_OAEP_SHA_1',
  wrappingKeySpec: 'RSA_3072',
  publicKey: spki(3072),
  importToken: Uint8Array.of(1, 2, 3),
  validToMs: Date.parse('2027-01-02T00:00:00Z'),
};

describe('a directory of import parameters', () => {
  let root: string;
  let directories = 0;
  const fresh = (): string => join(root, `${(directories += 1)}`);
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'kf-parameters-'));
  });
  after(() => rmSync(root, { recursive: true }));

  it('gives back what was downloaded, to its owner only', () => {
    const directory = fresh();
    saveParameters(parameters, directory);
    const read = readParameters(directory);
    expect({ ...read, publicKey: null, importToken: null }).to.deep.equal({
      ...parameters,
      publicKey: null,
      importToken: null,
    });
    expect(fingerprintOf(read)).to.equal(fingerprintOf(parameters));
    expect([...read.importToken]).to.deep.equal([1, 2, 3]);
    expect(issuedMs(read)).to.equal(Date.parse('2027-01-01T00:00:00Z'));
    expect(statSync(join(directory, 'ImportToken.bin')).mode & 0o077).to.equal(0);
  });

  it('is not written over', () => {
    const directory = fresh();
    saveParameters(parameters, directory);
    const refusal = thrown(CeremonyError, () => saveParameters(parameters, directory));
    expect(refusal.message).to.contain('already');
  });

  it('may be the download of the AWS console, where the command says what it does not', () => {
    const directory = fresh();
    saveParameters(parameters, directory);
    rmSync(join(directory, 'parameters.json'));
    expect(thrown(CeremonyError, () => readParameters(directory)).remedy).to.contain('--wrapping-algorithm');
    const known = { keyId: 'a', keySpec: 'HMAC_256', wrappingAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
    const read = readParameters(directory, known);
    expect([read.wrappingKeySpec, read.validToMs]).to.deep.equal(['RSA_3072', null]);
  });

  it('is refused where the command contradicts it', () => {
    const directory = fresh();
    saveParameters(parameters, directory);
    const contradicted = thrown(CeremonyError, () => readParameters(directory, { keySpec: 'HMAC_512' }));
    expect(contradicted.message).to.contain('HMAC_256');
    expect(readParameters(directory, { keyId: '11111111-2222-3333-4444-555555555555' }).keyId).to.equal(
      parameters.keyId,
    );
  });

  it('is refused with a public key of another kind or size, or without a token', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const wrong: readonly (readonly [string, Uint8Array])[] = [
      ['WrappingPublicKey.bin', spki(1024)],
      ['WrappingPublicKey.bin', ec.export({ type: 'spki', format: 'der' })],
      ['WrappingPublicKey.bin', Buffer.concat([parameters.publicKey, Buffer.alloc(1)])],
      ['ImportToken.bin', new Uint8Array()],
      ['ImportToken.bin', new Uint8Array(6145)],
    ];
    for (const [name, content] of wrong) {
      const directory = fresh();
      saveParameters(parameters, directory);
      writeFileSync(join(directory, name), content);
      expect(thrown(CeremonyError, () => readParameters(directory)).code, name).to.equal('ERR_CEREMONY_PARAMETERS');
    }
  });
});
