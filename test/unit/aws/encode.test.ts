import { expect } from 'chai';
import { HsmError } from '../../../src/hsm/errors.js';
import { KmsError } from '../../../src/kms/errors.js';
import { encodeResponse } from '../../../src/surfaces/aws/encode.js';
import { answerException, AwsError, STATUS } from '../../../src/surfaces/aws/exceptions.js';

describe('Encoding an answer', () => {
  it('writes octets as base64, times as seconds with their fraction, and leaves absent members out', () => {
    expect(
      encodeResponse({
        Blob: Uint8Array.of(0, 255, 16),
        View: Buffer.from('xabcx').subarray(1, 4),
        At: new Date(1_607_472_987_918),
        Absent: undefined,
        Nested: { List: [{ At: new Date(2000) }, 'x'], Flag: false, Count: 0 },
      }),
    ).to.equal(
      '{"Blob":"AP8Q","View":"YWJj","At":1607472987.918,"Nested":{"List":[{"At":2},"x"],"Flag":false,"Count":0}}',
    );
  });
});

describe('Putting a failure on the wire', () => {
  it('names the exception and keeps its text', () => {
    expect(answerException(new KmsError('NotFoundException', 'not here'))).to.deep.equal({
      name: 'NotFoundException',
      status: 400,
      message: 'not here',
      body: '{"__type":"NotFoundException","message":"not here"}',
      withheld: false,
    });
  });

  it('leaves out a text that is empty', () => {
    expect(answerException(new KmsError('InvalidCiphertextException', '')).body).to.equal(
      '{"__type":"InvalidCiphertextException"}',
    );
    expect(answerException(new AwsError('UnknownOperationException', '')).body).to.equal(
      '{"__type":"UnknownOperationException"}',
    );
  });

  it('says nothing of what it has no name for', () => {
    for (const failure of [new Error('inside'), new HsmError('ERR_HSM_RECORD', 'inside'), 'inside', null, undefined]) {
      const answer = answerException(failure);
      expect(answer).to.include({ name: 'KMSInternalException', status: 500, withheld: true });
      expect(answer.body).to.not.contain('inside');
    }
  });

  it('answers client errors with 400 and faults of the service with 500', () => {
    const faults = Object.entries(STATUS).filter(([, status]) => status === 500);
    expect(faults.map(([name]) => name).toSorted()).to.deep.equal([
      'DependencyTimeoutException',
      'KMSInternalException',
      'KeyUnavailableException',
    ]);
    expect(new Set(Object.values(STATUS))).to.deep.equal(new Set([400, 500]));
  });
});
