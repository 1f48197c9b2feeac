import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import {
  issueBirthCertificate,
  issueChosenBirthCertificate,
  verifyLineage,
  type BirthCertificate,
} from '../../../src/replication/key_certificate.js';
import type { CertificateKeys } from '../../../src/replication/roster.js';
import { thumbprint, type PublicJwk } from '../../../src/wire/p384.js';
import { isReject, reject } from '../../../src/wire/refusal.js';

interface Signer {
  readonly kid: string;
  readonly publicKey: KeyObject;
  readonly sign: (kid: string, octets: Uint8Array) => Promise<Uint8Array>;
}

function makeSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  return {
    kid: thumbprint({ kty, crv, x, y } as PublicJwk),
    publicKey: createPublicKey({ key: publicKey.export({ format: 'jwk' }), format: 'jwk' }),
    sign: async (_kid, octets) => sign('sha384', octets, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

describe('multi-Region key ids that somebody has chosen', () => {
  const authority = makeSigner();
  const region = makeSigner();
  const keys: CertificateKeys = {
    authorityKey: (kid) => (kid === authority.kid ? authority.publicKey : null),
    certificateKey: (kid, _region, _epoch, field) =>
      kid === region.kid ? region.publicKey : reject('KID_STATE', field, 'unknown'),
  };
  const birth: BirthCertificate = {
    partition: 'lab',
    originRegion: 'us-east-1',
    birthNonce: new Uint8Array(32).fill(7),
    keyId: 'mrk-1234abcd12ab34cd56ef1234567890ab',
    keySpec: 'SYMMETRIC_DEFAULT',
    keyUsage: 'ENCRYPT_DECRYPT',
    origin: 'AWS_KMS',
    createdEpoch: 1n,
  };
  const outcome = async (birthCertificate: string, keyId = birth.keyId, partition = 'lab'): Promise<string> => {
    const lineage = await verifyLineage({ partition, keyId, birthCertificate, handovers: [], keys });
    return isReject(lineage) ? `${lineage.code} ${lineage.field ?? ''}` : lineage.primaryRegion;
  };

  it('are those of the region that the partition authority names', async () => {
    expect(await outcome(await issueChosenBirthCertificate(birth, authority.kid, authority.sign))).to.equal(
      'us-east-1',
    );
  });

  it('are refused where a region certifies them itself', async () => {
    const own = await issueChosenBirthCertificate(birth, region.kid, region.sign);
    expect(await outcome(own)).to.equal('ORIGIN birthCert.keyId');
  });

  it('are refused where the signature is not the authority’s, whatever the kid says', async () => {
    const forged = await issueChosenBirthCertificate(birth, authority.kid, region.sign);
    expect(await outcome(forged)).to.equal('SIG_INVALID birthCert');
  });

  it('are refused for another key, and in another partition', async () => {
    const certificate = await issueChosenBirthCertificate(birth, authority.kid, authority.sign);
    expect(await outcome(certificate, 'mrk-00000000000000000000000000000000')).to.equal('ORIGIN birthCert.keyId');
    expect(await outcome(certificate, birth.keyId, 'aws')).to.equal('PARTITION birthCert.part');
  });

  it('leave ids that certify themselves as they were', async () => {
    const { keyId: _chosen, ...rest } = birth;
    const { keyId, birthCertificate } = await issueBirthCertificate(rest, region.kid, region.sign);
    expect(await outcome(birthCertificate, keyId)).to.equal('us-east-1');
  });
});
