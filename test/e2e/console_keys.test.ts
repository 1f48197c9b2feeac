import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { KMS } from '@aws-sdk/client-kms';
import type { Locator, Page } from 'playwright-core';
import { skipWithoutBrowser } from '../support/browser.js';
import { consoleLab, type ConsoleLab } from '../support/console_lab.js';
import { lookAt } from '../support/console_looks.js';

describe('the keys of the console', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let kms: KMS;
  /** One window for all of it: logging in is tested elsewhere. */
  let page: Page;

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    kms = lab.kms('us-east-1');
    page = await lab.page();
    page.setDefaultTimeout(15_000);
  });
  after(async () => {
    await page?.context().close();
  });

  const dialog = (): Locator => page.getByRole('dialog');
  const button = (name: string): Locator => page.getByRole('button', { name, exact: true });
  const confirm = async (name: string): Promise<void> => {
    await dialog().getByRole('button', { name, exact: true }).click();
    await dialog().waitFor({ state: 'detached' });
  };
  const general = (): Locator => page.getByRole('region', { name: 'General configuration' });
  const choose = (tab: string): Promise<void> => page.getByRole('tab', { name: tab, exact: true }).click();
  const panel = (): Locator => page.getByRole('tabpanel');
  const act = async (action: string): Promise<void> => {
    await button('Key actions').click();
    await page.getByRole('menuitem', { name: action, exact: true }).click();
  };
  const row = (name: string): Locator => page.locator('tbody tr').filter({ hasText: name });

  async function makeKey(request: Parameters<KMS['createKey']>[0] = {}, alias?: string): Promise<string> {
    const { KeyMetadata: made } = await kms.createKey(request);
    const KeyId = made?.KeyId ?? '';
    if (alias !== undefined) await kms.createAlias({ AliasName: `alias/${alias}`, TargetKeyId: KeyId });
    return KeyId;
  }

  async function open(keyId: string, tab = ''): Promise<void> {
    await page.goto(`${lab.url}/us-east-1/keys/${keyId}/${tab}`);
    await general().waitFor();
  }

  it('creates a key step by step, and ends on its page', async () => {
    await page.goto(`${lab.url}/us-east-1/keys`);
    await page.getByRole('link', { name: 'Create key' }).click();
    await page.getByLabel('Asymmetric').check();
    await page.getByLabel('Sign and verify').check();
    await page.getByLabel('Key spec').selectOption('ECC_NIST_P256');
    await page.getByText('Advanced options').click();
    await page.getByLabel('Multi-Region key').check();
    await lookAt(page, 'create-configure');
    await button('Next').click();
    await page.getByLabel('Alias').fill('not a name');
    await button('Next').click();
    await page.getByRole('alert').getByText('At most 250 letters').waitFor();
    await page.getByLabel('Alias').fill('contracts');
    await page.getByLabel('Description').fill('Signs <b>contracts</b>');
    await button('Add tag').click();
    await page.getByLabel('Key of tag 1').fill('team');
    await page.getByLabel('Value of tag 1').fill('legal');
    await lookAt(page, 'create-labels');
    await button('Next').click();
    expect(await page.getByRole('textbox', { name: 'Key policy' }).inputValue()).to.contain(
      'arn:aws:iam::111122223333:root',
    );
    await button('Next').click();
    await page.getByText('AWS CLI command').click();
    expect(await page.getByLabel('AWS CLI command', { exact: true }).innerText()).to.match(
      /aws kms create-key \\\s+--key-spec ECC_NIST_P256 \\\s+--key-usage SIGN_VERIFY \\\s+--origin AWS_KMS \\\s+--multi-region/u,
    );
    await lookAt(page, 'create-review');
    await button('Create key').click();
    await page.getByRole('heading', { name: 'contracts' }).waitFor();
    const keyId = page.url().split('/').at(-1) ?? '';
    const { KeyMetadata: made } = await kms.describeKey({ KeyId: 'alias/contracts' });
    expect(made).to.include({
      KeyId: keyId,
      KeySpec: 'ECC_NIST_P256',
      KeyUsage: 'SIGN_VERIFY',
      Origin: 'AWS_KMS',
      MultiRegion: true,
      Description: 'Signs <b>contracts</b>',
    });
    expect((await kms.listResourceTags({ KeyId: keyId })).Tags).to.deep.equal([{ TagKey: 'team', TagValue: 'legal' }]);
    expect(await general().innerText()).to.contain('Signs <b>contracts</b>');

    await choose('Cryptographic configuration');
    const [download] = await Promise.all([page.waitForEvent('download'), button('Download').click()]);
    const { PublicKey = new Uint8Array() } = await kms.getPublicKey({ KeyId: keyId });
    const pem = readFileSync(await download.path(), 'utf8');
    expect(download.suggestedFilename()).to.equal(`PublicKey_${keyId}.pem`);
    expect(Buffer.from(pem.replaceAll(/-----.*-----|\s/gu, ''), 'base64')).to.deep.equal(Buffer.from(PublicKey));
    await lookAt(page, 'key-cryptography');
  });

  it('shows AWS’s own refusal of a new key, and what was written stays', async () => {
    await page.goto(`${lab.url}/us-east-1/keys/create`);
    await button('Next').click();
    await button('Next').click();
    await page.getByRole('textbox', { name: 'Key policy' }).fill('{"Version": "2012-10-17", "Statement": []}');
    await button('Next').click();
    await button('Create key').click();
    await page.getByRole('alert').getByText('MalformedPolicyDocumentException').waitFor();
    await button('Previous').click();
    expect(await page.getByRole('textbox', { name: 'Key policy' }).inputValue()).to.contain('"Statement": []');
  });

  it('leads through the steps that the documentation of AWS gives for the origin of keys', async () => {
    const keyId = await makeKey(
      { Origin: 'EXTERNAL', KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
      'brought',
    );
    const own = await makeKey({}, 'own');
    // Opens the console, and chooses the Region with the selector at the top right.
    await page.goto(lab.url);
    const selector = page.getByLabel('Region', { exact: true });
    await selector.selectOption('eu-west-1');
    await selector.selectOption('us-east-1');
    const box = await selector.boundingBox();
    expect(box?.y).to.be.below(50);
    expect((box?.x ?? 0) + (box?.width ?? 0)).to.be.above(1200);
    await page.getByRole('navigation', { name: 'Console' }).getByText('Customer managed keys').click();
    // Adds the column by the settings icon, Origin and Confirm.
    await row('brought').waitFor();
    await button('Table settings').click();
    await dialog().getByLabel('Origin').check();
    await lookAt(page, 'keys-settings');
    await confirm('Confirm');
    // In view, and not to be scrolled to.
    const column = await page.getByRole('columnheader', { name: 'Origin' }).boundingBox();
    expect((column?.x ?? 0) + (column?.width ?? Infinity)).to.be.below(1280);
    await row('brought').getByText('External (Import key material)').waitFor();
    await page.reload();
    await row('brought').getByText('External (Import key material)').waitFor();
    await row('own').getByText('AWS KMS', { exact: true }).waitFor();
    await lookAt(page, 'keys');
    // Opens one key by its alias, and chooses the tab below General configuration.
    await page.getByRole('link', { name: 'brought', exact: true }).click();
    await choose('Cryptographic configuration');
    await panel().getByText('External (Import key material)').waitFor();
    const [above, tabs] = await Promise.all([general().boundingBox(), page.getByRole('tablist').boundingBox()]);
    expect((above?.y ?? 0) + (above?.height ?? 0)).to.be.below(tabs?.y ?? 0);
    await choose('Key material');
    await panel().getByText('Pending import').waitFor();
    expect(page.url()).to.contain(keyId);
    // Opens another by its key ID: it has no such tab.
    await page.getByRole('link', { name: 'Customer managed keys' }).first().click();
    await page.getByRole('link', { name: own, exact: true }).click();
    await general().getByText(own).first().waitFor();
    expect(await page.getByRole('tab', { name: /^Key material/u }).count()).to.equal(0);
    await choose('Cryptographic configuration');
    await panel().getByText('AWS KMS', { exact: true }).waitFor();
  });

  it('disables and enables keys that are chosen in the table, all at once', async () => {
    const ids = [await makeKey({}, 'first-of-two'), await makeKey({}, 'second-of-two')];
    await page.goto(`${lab.url}/us-east-1/keys`);
    for (const id of ids) await page.getByLabel(`Choose ${id}`).check();
    await row('first-of-two').getByText('Enabled').waitFor();
    await row('second-of-two').getByText('Enabled').waitFor();
    await button('Key actions').click();
    await lookAt(page, 'keys-actions');
    await page.getByRole('menuitem', { name: /^Cancel key deletion/u }).click({ force: true });
    expect(await dialog().count()).to.equal(0);
    await page.getByRole('menuitem', { name: 'Disable', exact: true }).click();
    await lookAt(page, 'keys-disable');
    await confirm('Disable');
    for (const KeyId of ids) {
      await page.locator('tbody tr').filter({ hasText: KeyId }).getByText('Disabled').waitFor();
      expect((await kms.describeKey({ KeyId })).KeyMetadata?.KeyState).to.equal('Disabled');
    }
    await page.getByLabel(`Choose ${ids[0] ?? ''}`).check();
    await act('Enable');
    await confirm('Enable');
    await row('first-of-two').getByText('Enabled').waitFor();
  });

  it('schedules a deletion with its window and a confirmation, cancels it, and changes the description', async () => {
    const KeyId = await makeKey({ Description: 'old' });
    await open(KeyId);
    await act('Schedule key deletion');
    await page.getByLabel('Waiting period').fill('6');
    await page.getByLabel('I confirm').check();
    expect(await button('Schedule deletion').isDisabled()).to.equal(true);
    await page.getByLabel('Waiting period').fill('7');
    await lookAt(page, 'key-schedule');
    await confirm('Schedule deletion');
    await general().getByText('Pending deletion').waitFor();
    expect(await general().innerText()).to.match(/Deletion date\s+2\d{3}-.*\(in (6 d 23 h|7 d)\)/u);
    const { KeyMetadata: scheduled } = await kms.describeKey({ KeyId });
    expect(scheduled?.KeyState).to.equal('PendingDeletion');
    await act('Cancel key deletion');
    await confirm('Cancel deletion');
    await general().getByText('Disabled').waitFor();
    await act('Enable');
    await confirm('Enable');
    await general().getByText('Enabled').waitFor();
    // By the keyboard alone.
    await button('Key actions').focus();
    await page.keyboard.press('Enter');
    for (const key of ['End', 'ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowDown'])
      await page.keyboard.press(key);
    await page.keyboard.press('Enter');
    await dialog().waitFor();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('new');
    await page.keyboard.press('Enter');
    await general().getByText('new', { exact: true }).waitFor();
    // The focus is where it was: whoever uses the keyboard goes on from there.
    expect(await page.evaluate<string>('document.activeElement.textContent')).to.equal('Key actions');
  });

  it('shows a malformed policy in AWS’s words, and keeps one that is well formed', async () => {
    const KeyId = await makeKey();
    await open(KeyId, 'policy');
    await button('Edit').click();
    const { Policy = '' } = await kms.getKeyPolicy({ KeyId });
    await page.getByRole('textbox', { name: 'Key policy' }).fill(Policy.replace('Allow', 'Perhaps'));
    await button('Save changes').click();
    await dialog().getByRole('alert').getByText('MalformedPolicyDocumentException').waitFor();
    await lookAt(page, 'key-policy-refused');
    await page.getByRole('textbox', { name: 'Key policy' }).fill(Policy.replace('Enable IAM User Permissions', 'Ours'));
    await confirm('Save changes');
    await panel().getByText('"Sid": "Ours"').waitFor();
    expect((await kms.getKeyPolicy({ KeyId })).Policy).to.contain('Ours');
    await lookAt(page, 'key-policy');
  });

  it('edits tags, and makes, moves and deletes aliases', async () => {
    const KeyId = await makeKey({ Tags: [{ TagKey: 'old', TagValue: '1' }] });
    const other = await makeKey({}, 'taken');
    await open(KeyId, 'tags');
    await button('Edit tags').click();
    await button('Remove tag 1').click();
    await button('Add tag').click();
    await page.getByLabel('Key of tag 1').fill('new');
    await page.getByLabel('Value of tag 1').fill('2');
    await lookAt(page, 'key-tags-edit');
    await confirm('Save');
    await row('new').getByText('2').waitFor();
    expect((await kms.listResourceTags({ KeyId })).Tags).to.deep.equal([{ TagKey: 'new', TagValue: '2' }]);

    await choose('Aliases');
    await button('Create alias').first().click();
    await page.getByLabel('Alias name').fill('taken');
    await button('Create alias').last().click();
    await dialog().getByRole('alert').getByText('AlreadyExistsException').waitFor();
    await lookAt(page, 'key-alias-refused');
    await page.getByLabel('Alias name').fill('moving');
    await confirm('Create alias');
    await row('moving').waitFor();
    await row('moving').getByRole('button', { name: 'Move' }).click();
    await page.getByLabel('Key ID or key ARN').fill(other);
    await confirm('Move alias');
    await panel().getByText('This key has no alias').waitFor();
    expect((await kms.describeKey({ KeyId: 'alias/moving' })).KeyMetadata?.KeyId).to.equal(other);
    await open(other, 'aliases');
    await lookAt(page, 'key-aliases');
    await row('moving').getByRole('button', { name: 'Delete' }).click();
    await confirm('Delete alias');
    await row('moving').waitFor({ state: 'detached' });
    expect((await kms.listAliases({ KeyId: other })).Aliases?.map(({ AliasName }) => AliasName)).to.deep.equal([
      'alias/taken',
    ]);
  });

  it('rotates a key by a schedule and at once, and shows what was', async () => {
    const KeyId = await makeKey();
    await open(KeyId, 'rotation');
    await button('Edit').click();
    await page.getByLabel('Enable', { exact: true }).check();
    await page.getByLabel('Rotation period').fill('90');
    await lookAt(page, 'key-rotation-edit');
    await confirm('Save');
    await panel().getByText('90 days').waitFor();
    expect(await kms.getKeyRotationStatus({ KeyId })).to.include({
      KeyRotationEnabled: true,
      RotationPeriodInDays: 90,
    });
    await button('Rotate now').click();
    await confirm('Rotate key');
    await row('on demand').getByText('Current').waitFor();
    await row('Non-current').waitFor();
    await lookAt(page, 'key-rotation');
  });

  it('replicates a key, shows its replica become enabled and then the primary, without a reload', async () => {
    const keyId = await makeKey({ MultiRegion: true }, 'travelling');
    await open(keyId, 'regionality');
    await button('Create replica keys').click();
    await lookAt(page, 'key-replicate');
    await confirm('Create replica key');
    await row('eu-west-1').getByText('Enabled').waitFor();
    await lookAt(page, 'key-regionality');
    await button('Change primary Region').click();
    await lookAt(page, 'key-primary');
    await confirm('Change primary Region');
    await row('eu-west-1').getByText('Primary', { exact: true }).waitFor();
    await general().getByText('Multi-Region replica').waitFor();
    await panel().getByRole('link', { name: 'primary key in eu-west-1' }).click();
    await general().getByText('Multi-Region primary').waitFor();
    expect(page.url()).to.equal(`${lab.url}/eu-west-1/keys/${keyId}/regionality`);
    const { KeyMetadata: there } = await lab.kms('eu-west-1').describeKey({ KeyId: keyId });
    expect(there?.MultiRegionConfiguration?.MultiRegionKeyType).to.equal('PRIMARY');
  });

  it('breaks no rule of its own policy meanwhile', () => {
    expect(lab.complaints).to.deep.equal([]);
  });
});
