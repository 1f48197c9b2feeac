import { expect } from 'chai';
import type { KeyId } from '../../../src/kms/key_id.js';
import type { KeyState } from '../../../src/kms/key_state.js';
import { OPERATIONS } from '../../../src/surfaces/aws/operations.js';
import { modelOperations } from '../../support/sdk_model.js';
import { makeSoftwareRegion, refusalOf, type SoftwareRegion } from '../../support/software_region.js';
import { plantState, STATE_MATRIX, STATES, type Answer, type MatrixRow } from '../../support/state_matrix.js';
import { callOverWire } from '../../support/wire_call.js';

/** Operations that are about no key. */
const WITHOUT_KEY = [
  'ConnectCustomKeyStore',
  'CreateCustomKeyStore',
  'CreateKey',
  'DeleteCustomKeyStore',
  'DescribeCustomKeyStores',
  'DisconnectCustomKeyStore',
  'GenerateRandom',
  'ListKeys',
  'ListRetirableGrants',
  'UpdateCustomKeyStore',
];

/** The refusal of each answer: exception and message. */
function refusal(answer: Exclude<Answer, 'ok' | 'admitted'>, row: MatrixRow, state: KeyState, arn: string): object {
  const invalid = (message: string): object => ({ code: 'KMSInvalidStateException', message: `${arn} ${message}` });
  switch (answer) {
    case 'D1':
      return { code: 'DisabledException', message: `${arn} is disabled.` };
    case 'S3':
      return invalid(
        state === 'PendingDeletion' ? 'is pending deletion.' : 'is pending deletion (or pending replica deletion).',
      );
    case 'S4':
      return invalid('is not pending deletion.');
    case 'S5':
      return invalid('is pending import.');
    case 'S14':
      return invalid('is creating.');
    case 'S15':
      return invalid('is updating.');
    case 'U6':
      return {
        code: 'UnsupportedOperationException',
        message: `${arn} origin is EXTERNAL which is not valid for this operation.`,
      };
    case 'usage':
      return {
        code: 'InvalidKeyUsageException',
        message: `${arn} key usage is ENCRYPT_DECRYPT which is not valid for ${row.operation}.`,
      };
  }
}

describe('Operations and the states of keys', () => {
  const model = modelOperations();
  let software: SoftwareRegion;

  before(() => {
    software = makeSoftwareRegion();
  });
  after(() => software.close());

  it('are in the matrix, each that is about a key', () => {
    const rows = new Set([...STATE_MATRIX.map(({ operation }) => operation), ...WITHOUT_KEY]);
    expect([...rows].toSorted()).to.deep.equal([...model.keys()].toSorted());
  });

  for (const row of STATE_MATRIX) {
    describe(row.about === undefined ? row.operation : `${row.operation} ${row.about}`, () => {
      before(function () {
        if (!OPERATIONS.has(row.operation)) this.skip();
      });

      for (const [index, state] of STATES.entries()) {
        const answer = row.answers[index] ?? 'ok';
        const verb = answer === 'ok' || answer === 'admitted' ? 'is answered' : `is refused (${answer})`;
        it(`${verb} while the key is ${state}`, async () => {
          const { call, region } = software;
          const keyId = await row.key(call, state);
          const request = await row.request(call, keyId);
          plantState(software, keyId, state);
          const arn = region.store.key(keyId as KeyId)?.arn ?? '';
          const answered = callOverWire(call, row.operation, request);
          if (answer === 'ok') {
            const members = Object.keys(await answered);
            expect([...(model.get(row.operation)?.output.keys() ?? [])]).to.include.members(members);
            return;
          }
          if (answer === 'admitted') {
            const refused = await answered.then(
              () => undefined,
              (error: { readonly code: string }) => error.code,
            );
            expect(refused).to.not.be.oneOf(['DisabledException', 'KMSInvalidStateException']);
            return;
          }
          const refused = await refusalOf(answered);
          expect(refused).to.deep.equal(refusal(answer, row, state, arn));
          expect(model.get(row.operation)?.exceptions.has(refused.code)).to.equal(true);
        });
      }
    });
  }
});
