import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../../src/errors.js';
import { readTlsAuthority, readTlsIdentity } from '../../src/tls_identity.js';
import { makeSelfSigned, writeSelfSigned } from '../support/self_signed.js';

describe('What a server proves itself with', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keyferry-tls-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const refusal = (work: () => unknown): ConfigError => {
    try {
      work();
    } catch (error) {
      if (error instanceof ConfigError) return error;
      throw error;
    }
    throw new Error('nothing was refused');
  };

  it('is a certificate and its key, which vouch for themselves where no authority is named', () => {
    const files = writeSelfSigned(directory);
    const { cert, key } = readTlsIdentity(files);
    expect(cert.toString()).to.contain('BEGIN CERTIFICATE');
    expect(key.toString()).to.contain('BEGIN PRIVATE KEY');
    expect(readTlsAuthority(files).equals(cert)).to.equal(true);
  });

  it('is refused by the name of the file that is not there, is no PEM, or belongs to another key', () => {
    const files = writeSelfSigned(directory);
    const absent = join(directory, 'absent.pem');
    expect(refusal(() => readTlsIdentity({ ...files, key: absent })).message).to.contain(absent);
    expect(refusal(() => readTlsAuthority({ ...files, authority: absent })).code).to.equal('ERR_CONFIG_FILE');
    const other = join(directory, 'other.pem');
    writeFileSync(other, makeSelfSigned().key);
    const mismatch = refusal(() => readTlsIdentity({ ...files, key: other }));
    expect(mismatch.message).to.contain(files.certificate).and.to.contain(other);
    expect(mismatch.message).not.to.contain('BEGIN');
    writeFileSync(other, 'no certificate');
    expect(refusal(() => readTlsIdentity({ ...files, certificate: other })).details['file']).to.equal(other);
  });
});
