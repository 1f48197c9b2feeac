import { expect } from 'chai';
import { signedHeaders } from '../../../src/request_signature.js';
import { readHeaders } from '../../../src/surfaces/aws/request_headers.js';
import { SignatureVerifier, type SignedRequest } from '../../../src/surfaces/aws/sigv4.js';

const key = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  principal: 'arn:aws:iam::111122223333:root',
};
const at = new Date('2026-11-21T10:20:30.456Z');
const body = new Uint8Array(Buffer.from('{"Limit":1}'));

describe('the signature of the lab’s own KMS client', () => {
  const sign = (region: string, signedBody = body): SignedRequest => {
    const headers = signedHeaders({ host: '127.0.0.1:4599', target: 'TrentService.ListKeys', body, region, key, at });
    return { method: 'POST', target: '/', headers: readHeaders(Object.entries(headers).flat()), body: signedBody };
  };

  const makeVerifier = (): SignatureVerifier =>
    new SignatureVerifier({
      region: 'eu-west-1',
      services: ['kms'],
      credentials: [key],
      nowMs: () => at.getTime(),
    });

  it('verifies in the region that it is for', () => {
    const verifier = makeVerifier();
    const { credential } = verifier.verify(sign('eu-west-1'));
    expect(credential.principal).to.equal(key.principal);
  });

  it('does not verify in another region or for another body', () => {
    const verifier = makeVerifier();
    expect(() => verifier.verify(sign('us-east-1'))).to.throw(/valid region/u);
    const other = new Uint8Array(Buffer.from('{"Limit":2}'));
    expect(() => verifier.verify(sign('eu-west-1', other))).to.throw(/does not match/u);
  });
});
