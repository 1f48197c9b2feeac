import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyId } from '../../../src/kms/key_id.js';
import { describeKey } from '../../../src/kms/operations/describe_key.js';
import { createGrant } from '../../../src/kms/operations/create_grant.js';
import { createKey } from '../../../src/kms/operations/create_key.js';
import { getKeyPolicy } from '../../../src/kms/operations/get_key_policy.js';
import { listGrants } from '../../../src/kms/operations/list_grants.js';
import { putKeyPolicy } from '../../../src/kms/operations/put_key_policy.js';
import { retireGrant } from '../../../src/kms/operations/retire_grant.js';
import { callWith, keyPolicy, NOTHING } from '../../support/call_with.js';
import { ALICE, BOB, codeOf, makeGrantScene } from '../../support/grant_scene.js';
import { makeSoftwareRegion } from '../../support/software_region.js';

describe('The grants of a region', () => {
  it('are 50,000 a key at most', async () => {
    const { fixture, arn, grant, may } = await makeGrantScene();
    const { GrantId } = await grant({ Name: 'first', Operations: ['Encrypt', 'CreateGrant'] });
    const keyId = (arn.split('/')[1] ?? '') as KeyId;
    fixture.database
      .prepare(
        `INSERT INTO grants SELECT printf('%064x', value), key_id, NULL, created_ms, grantee_kind, grantee, grantee_name || value,
          retiring_kind, retiring, retiring_name, issuing_account, operations, constraints, token_secret
          FROM grants, (WITH RECURSIVE numbers (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < 49999)
            SELECT value FROM numbers) WHERE grant_id = ?`,
      )
      .run(GrantId);
    expect(fixture.region.grants.countGrants(keyId)).to.equal(50_000);
    expect(await codeOf(grant({ GranteePrincipal: BOB }))).to.equal('LimitExceededException');
    // What is there already is no grant more.
    expect((await grant({ Name: 'first', Operations: ['Encrypt', 'CreateGrant'] })).GrantId).to.equal(GrantId);
    const alice = callWith(fixture, ALICE, NOTHING);
    expect(await may(alice)).to.equal(true);
    expect((await listGrants(fixture.call, { KeyId: arn, GranteePrincipal: ALICE })).Grants).to.have.length(1);
    fixture.close();
  });

  it('and the policies of its keys are there again after a restart', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'keyferry-grants-'));
    const database = join(directory, 'region.db');
    const before = makeSoftwareRegion({ database });
    const { Arn: KeyId } = (await createKey(before.call, {})).KeyMetadata;
    const Policy = keyPolicy({ Principal: '*', Action: ['kms:PutKeyPolicy', 'kms:GetKeyPolicy', 'kms:CreateGrant'] });
    await putKeyPolicy(before.call, { KeyId, Policy });
    const { GrantToken } = await createGrant(before.call, {
      KeyId,
      GranteePrincipal: ALICE,
      RetiringPrincipal: ALICE,
      Operations: ['DescribeKey'],
      Constraints: { EncryptionContextEquals: { a: 'b' } },
    });
    before.close();
    const after = makeSoftwareRegion({ database });
    const alice = callWith(after, ALICE, NOTHING);
    expect((await getKeyPolicy(after.call, { KeyId })).Policy).to.equal(Policy);
    expect((await describeKey(alice, { KeyId, GrantTokens: [GrantToken] })).KeyMetadata.Arn).to.equal(KeyId);
    expect(await codeOf(describeKey(after.call, { KeyId }))).to.equal('AccessDeniedException');
    await retireGrant(alice, { GrantToken });
    expect(await codeOf(describeKey(alice, { KeyId }))).to.equal('AccessDeniedException');
    after.close();
    rmSync(directory, { recursive: true });
  });

  it('forget what they remembered where a transaction is rolled back', async () => {
    const { fixture, arn, alice, grant, may } = await makeGrantScene();
    const keyId = (arn.split('/')[1] ?? '') as KeyId;
    expect(await may(alice)).to.equal(false);
    const work = fixture.region.store.transaction.bind(fixture.region.store);
    let made: Promise<unknown> = Promise.resolve();
    expect(() =>
      work(() => {
        made = grant();
        expect(fixture.region.grants.permissions(keyId, ALICE)).to.have.length(1);
        throw new Error('no');
      }),
    ).to.throw('no');
    await made;
    expect(await may(alice)).to.equal(false);
    fixture.close();
  });
});
