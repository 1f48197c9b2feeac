import { expect } from 'chai';
import type { KeyState } from '../../../src/kms/key_state.js';
import type { Call } from '../../../src/kms/region.js';
import { OPERATIONS } from '../../../src/surfaces/aws/operations.js';
import { callWith, keyPolicy, USER_ARN } from '../../support/call_with.js';
import { makeSoftwareRegion, refusalOf, ROOT, type SoftwareRegion } from '../../support/software_region.js';
import { plantState, STATE_MATRIX, type MatrixRow } from '../../support/state_matrix.js';
import { callOverWire } from '../../support/wire_call.js';

const ALICE = `${USER_ARN}/alice`;

/** Requests of the operations that are about no key. */
const WITHOUT_KEY: Readonly<Record<string, object>> = {
  ConnectCustomKeyStore: { CustomKeyStoreId: 'cks-1' },
  CreateCustomKeyStore: {
    CustomKeyStoreName: 'a',
    CloudHsmClusterId: 'cluster-abcdefghijk',
    KeyStorePassword: 'password',
    TrustAnchorCertificate: 'certificate',
  },
  CreateKey: {},
  DeleteCustomKeyStore: { CustomKeyStoreId: 'cks-1' },
  DescribeCustomKeyStores: {},
  DisconnectCustomKeyStore: { CustomKeyStoreId: 'cks-1' },
  GenerateRandom: { NumberOfBytes: 1 },
  ListKeys: {},
  ListRetirableGrants: { RetiringPrincipal: ALICE },
  UpdateCustomKeyStore: { CustomKeyStoreId: 'cks-1', NewCustomKeyStoreName: 'b' },
};

/** Permissions that an operation needs, where they are not its name alone. */
const PERMISSIONS: Readonly<Record<string, readonly string[]>> = {
  ReEncrypt: ['ReEncryptFrom', 'ReEncryptTo'],
  ReplicateKey: ['ReplicateKey', 'CreateKey'],
};

/** Operations that key policies have no say in. */
const BY_IDENTITY_ALONE = ['CreateAlias', 'DeleteAlias', 'ListAliases', 'ReplicateKey', 'RetireGrant', 'UpdateAlias'];

function permissionsOf(operation: string): readonly string[] {
  return (PERMISSIONS[operation] ?? [operation]).map((name) => `kms:${name}`);
}

describe('Each operation', () => {
  let software: SoftwareRegion;

  before(() => {
    software = makeSoftwareRegion();
  });
  after(() => software.close());

  const only = (operation: string): Call =>
    callWith(software, ALICE, [{ Effect: 'Allow', Action: permissionsOf(operation), Resource: '*' }]);
  const allBut = (permission: string): Call =>
    callWith(software, ALICE, [{ Effect: 'Allow', NotAction: permission, Resource: '*' }]);

  async function prepare(
    row: MatrixRow,
    state: KeyState,
  ): Promise<{ readonly keyId: string; readonly request: object }> {
    const keyId = await row.key(software.call, state);
    const request = await row.request(software.call, keyId);
    return { keyId, request };
  }

  /** How an operation ends: `answered`, or the name of its exception. */
  async function outcome(call: Call, operation: string, request: object): Promise<string> {
    return callOverWire(call, operation, request).then(
      () => 'answered',
      (error: { readonly code?: string }) => error.code ?? String(error),
    );
  }

  it('is asked for here', () => {
    const asked = [...STATE_MATRIX.map(({ operation }) => operation), ...Object.keys(WITHOUT_KEY)];
    expect(new Set(asked)).to.deep.equal(new Set(OPERATIONS.keys()));
  });

  for (const [operation, request] of Object.entries(WITHOUT_KEY)) {
    it(`${operation} needs its permission, and no other`, async () => {
      expect(await outcome(allBut(`kms:${operation}`), operation, request)).to.equal('AccessDeniedException');
      expect(await outcome(only(operation), operation, request)).to.equal(
        await outcome(software.call, operation, request),
      );
      const stranger = software.callAs('arn:aws:iam::999988887777:root');
      expect(await outcome(stranger, operation, request)).to.equal('AccessDeniedException');
    });
  }

  for (const row of STATE_MATRIX) {
    const { operation } = row;
    const title = row.about === undefined ? operation : `${operation} ${row.about}`;

    it(`${title} needs its permissions, and no other`, async () => {
      const forRoot = await prepare(row, 'Enabled');
      const forAlice = await prepare(row, 'Enabled');
      const expected = await outcome(software.call, operation, forRoot.request);
      expect(expected).not.to.equal('AccessDeniedException');
      for (const permission of permissionsOf(operation)) {
        expect(await outcome(allBut(permission), operation, forAlice.request)).to.equal('AccessDeniedException');
      }
      expect(await outcome(only(operation), operation, forAlice.request)).to.equal(expected);
    });

    it(`${title} says nothing of the key’s state to whom it is not for`, async () => {
      const { keyId, request } = await prepare(row, 'Creating');
      for (const state of ['Creating', 'PendingDeletion'] as const) {
        plantState(software, keyId, state);
        const refusals = [];
        for (const permission of permissionsOf(operation)) {
          refusals.push((await refusalOf(callOverWire(allBut(permission), operation, request))).code);
        }
        expect(refusals).to.include('AccessDeniedException');
        expect(await outcome(software.callAs('arn:aws:iam::999988887777:user/eve'), operation, request)).to.be.oneOf([
          'AccessDeniedException',
          'NotFoundException',
        ]);
      }
    });

    if (BY_IDENTITY_ALONE.includes(operation)) continue;
    it(`${title} is refused by a key policy that denies it`, async () => {
      const { keyId, request } = await prepare(row, 'Enabled');
      software.region.store.setPolicy(
        keyId as never,
        keyPolicy({ Principal: { AWS: ROOT } }, { Effect: 'Deny', Principal: '*', Action: permissionsOf(operation) }),
      );
      expect(await outcome(software.call, operation, request)).to.equal('AccessDeniedException');
    });
  }
});
