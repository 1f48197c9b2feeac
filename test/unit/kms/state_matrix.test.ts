import { expect } from 'chai';
import type { KeyId } from '../../../src/kms/key_id.js';
import type { KeyState } from '../../../src/kms/key_state.js';
import { modelOperations, unmodelledMembers } from '../../support/sdk_model.js';
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

/** The end of a dry run of what would have succeeded. */
const DRY_RUN = {
  code: 'DryRunOperationException',
  message: 'The request would have succeeded, but the DryRun option is set.',
};

const NO_ML_KEM = 'no key here encapsulates';
const ELSEWHERE = 'the keys of this matrix have nothing to show there; the tests of the operation have';
const NO_ENCLAVES = 'requests of enclaves are refused';

/** Members of answers that nothing in the matrix brings forth, and why. */
const UNANSWERED: Readonly<Record<string, string>> = {
  'Decapsulate.EncapsulationAlgorithm': NO_ML_KEM,
  'Decapsulate.KeyId': NO_ML_KEM,
  'Decapsulate.SharedSecret': NO_ML_KEM,
  'Decrypt.CiphertextForRecipient': NO_ENCLAVES,
  'DeriveSharedSecret.CiphertextForRecipient': NO_ENCLAVES,
  'Encapsulate.EncapsulationAlgorithm': NO_ML_KEM,
  'Encapsulate.KeyId': NO_ML_KEM,
  'Encapsulate.SharedSecret': NO_ML_KEM,
  'Encapsulate.SharedSecretCiphertextBlob': NO_ML_KEM,
  'GenerateDataKey.CiphertextForRecipient': NO_ENCLAVES,
  'GenerateDataKeyPair.CiphertextForRecipient': NO_ENCLAVES,
  'GetKeyRotationStatus.NextRotationDate': ELSEWHERE,
  'GetKeyRotationStatus.OnDemandRotationStartDate': ELSEWHERE,
  'GetKeyRotationStatus.RotationPeriodInDays': ELSEWHERE,
  'GetPublicKey.EncapsulationAlgorithms': NO_ML_KEM,
  'GetPublicKey.EncryptionAlgorithms': ELSEWHERE,
  'GetPublicKey.KeyAgreementAlgorithms': ELSEWHERE,
  'ListAliases.NextMarker': ELSEWHERE,
  'ListGrants.NextMarker': ELSEWHERE,
  'ListKeyPolicies.NextMarker': 'a key has one policy',
  'ListKeyRotations.NextMarker': ELSEWHERE,
  'ListResourceTags.NextMarker': ELSEWHERE,
};

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
  /** Members that some answer had. */
  const answeredMembers = new Set<string>();
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
            const given = await answered;
            const output = model.get(row.operation)?.output ?? new Map();
            expect(unmodelledMembers(row.operation, given, output)).to.deep.equal([]);
            for (const member of Object.keys(given)) answeredMembers.add(`${row.operation}.${member}`);
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

      if (model.get(row.operation)?.input.has('DryRun') !== true) return;

      it('is checked by a dry run, and not done', async () => {
        const { call } = software;
        for (const [index, state] of STATES.entries()) {
          const answer = row.answers[index] ?? 'ok';
          const keyId = await row.key(call, state);
          const request = { ...(await row.request(call, keyId)), DryRun: true };
          plantState(software, keyId, state);
          const arn = software.region.store.key(keyId as KeyId)?.arn ?? '';
          const expected = answer === 'ok' || answer === 'admitted' ? DRY_RUN : refusal(answer, row, state, arn);
          expect(await refusalOf(callOverWire(call, row.operation, request)), state).to.deep.equal(expected);
        }
      });
    });
  }

  describe('are answered', () => {
    it('with every member of the model, but for these', () => {
      const missing = STATE_MATRIX.flatMap(({ operation }) =>
        [...(model.get(operation)?.output.keys() ?? [])].map((member) => `${operation}.${member}`),
      );
      const unseen = new Set(missing.filter((member) => !answeredMembers.has(member)));
      expect([...unseen].toSorted()).to.deep.equal(Object.keys(UNANSWERED).toSorted());
    });
  });
});
