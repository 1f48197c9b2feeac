import { randomBytes } from 'node:crypto';
import * as sdk from '@aws-sdk/client-kms';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import { ACCOUNT, GUEST, uniqueAlias } from './client_lab.js';

/** Makes several of everything that a key can have, and reads each list by the SDK's own paginator, one item a page. */
export async function expectListsToBeWhole(kms: KMS): Promise<void> {
  const Tags = ['a', 'b', 'c'].map((TagKey) => ({ TagKey, TagValue: '' }));
  const { KeyMetadata } = await kms.createKey({ Tags });
  const key = { KeyId: KeyMetadata?.Arn ?? '' };
  const aliases = [uniqueAlias(), uniqueAlias()].toSorted();
  for (const AliasName of aliases) await kms.createAlias({ AliasName, TargetKeyId: key.KeyId });
  const RetiringPrincipal = `arn:aws:iam::${ACCOUNT}:user/retires-${randomBytes(4).toString('hex')}`;
  const wanted = { ...key, GranteePrincipal: GUEST.principal, RetiringPrincipal, Operations: ['Decrypt' as const] };
  const grants = [await kms.createGrant(wanted), await kms.createGrant({ ...wanted, Name: 'another' })];
  const grantIds = grants.map(({ GrantId }) => GrantId).toSorted();
  await kms.rotateKeyOnDemand(key);
  await kms.rotateKeyOnDemand(key);

  // A paginator writes the marker of the next page into the request that it was given.
  const one = { client: kms, pageSize: 1 };
  const found = {
    paginateListKeys: await items(sdk.paginateListKeys(one, {}), ({ Keys }) => Keys?.map(({ KeyArn }) => KeyArn)),
    paginateListAliases: await items(sdk.paginateListAliases(one, { ...key }), ({ Aliases }) =>
      Aliases?.map(({ AliasName }) => AliasName),
    ),
    paginateListResourceTags: await items(sdk.paginateListResourceTags(one, { ...key }), (page) =>
      page.Tags?.map(({ TagKey }) => TagKey),
    ),
    paginateListGrants: await items(sdk.paginateListGrants(one, { ...key }), ({ Grants }) =>
      Grants?.map(({ GrantId }) => GrantId),
    ),
    paginateListRetirableGrants: await items(sdk.paginateListRetirableGrants(one, { RetiringPrincipal }), (page) =>
      page.Grants?.map(({ GrantId }) => GrantId),
    ),
    paginateListKeyRotations: await items(sdk.paginateListKeyRotations(one, { ...key }), ({ Rotations }) =>
      Rotations?.map(({ KeyMaterialId }) => KeyMaterialId),
    ),
    paginateListKeyPolicies: await items(
      sdk.paginateListKeyPolicies(one, { ...key }),
      ({ PolicyNames }) => PolicyNames,
    ),
    paginateDescribeCustomKeyStores: await items(sdk.paginateDescribeCustomKeyStores(one, {}), (page) =>
      page.CustomKeyStores?.map(({ CustomKeyStoreId }) => CustomKeyStoreId),
    ),
  };
  const paginators = Object.keys(sdk).filter((name) => name.startsWith('paginate'));
  expect(Object.keys(found).toSorted()).to.deep.equal(paginators.toSorted());
  expect(found.paginateListKeys).to.include(key.KeyId).and.to.have.length.greaterThan(1);
  expect(found.paginateListAliases).to.deep.equal(aliases);
  expect(found.paginateListResourceTags).to.deep.equal(['a', 'b', 'c']);
  expect(found.paginateListGrants.toSorted()).to.deep.equal(grantIds);
  expect(found.paginateListRetirableGrants.toSorted()).to.deep.equal(grantIds);
  expect(found.paginateListKeyRotations).to.have.length(2);
  expect(found.paginateListKeyPolicies).to.deep.equal(['default']);
  expect(found.paginateDescribeCustomKeyStores).to.deep.equal([]);
}

/** The items of all pages, none of them twice. */
async function items<Page>(
  pages: AsyncIterable<Page>,
  read: (page: Page) => readonly (string | undefined)[] | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const page of pages) {
    const onPage = read(page) ?? [];
    expect(onPage.length).to.be.at.most(1);
    found.push(...onPage.map(String));
  }
  expect(new Set(found).size, found.join()).to.equal(found.length);
  return found;
}
