import { randomBytes } from 'node:crypto';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { Locator, Page } from 'playwright-core';
import { askAdmin } from '../../src/lab/admin_client.js';
import { skipWithoutBrowser } from '../support/browser.js';
import { CONSOLE_REGIONS, consoleLab, type ConsoleLab } from '../support/console_lab.js';
import { lookAt } from '../support/console_looks.js';
import { wrapForImport } from '../support/import_wrapping.js';

const DAY_MS = 86_400_000;
const ALGORITHM = 'RSAES_OAEP_SHA_1';
const MISSING_KEY = '0f0f0f0f-1111-4222-8333-444444444444';

/** A key whose imported material expires. */
async function makeExpiringKey(kms: KMS, validForMs: number): Promise<string> {
  const KeyId = (await kms.createKey({ Origin: 'EXTERNAL' })).KeyMetadata?.KeyId ?? '';
  const { PublicKey = new Uint8Array(), ImportToken } = await kms.getParametersForImport({
    KeyId,
    WrappingAlgorithm: ALGORITHM,
    WrappingKeySpec: 'RSA_2048',
  });
  await kms.importKeyMaterial({
    KeyId,
    ImportToken,
    EncryptedKeyMaterial: wrapForImport(ALGORITHM, PublicKey, randomBytes(32)),
    ValidTo: new Date(Date.now() + validForMs),
  });
  return KeyId;
}

describe('the audit stream in the console', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let kms: KMS;
  let page: Page;
  let keyId = '';

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    kms = lab.kms('us-east-1');
    keyId = (await kms.createKey({ Description: 'audited' })).KeyMetadata?.KeyId ?? '';
    await kms.encrypt({ KeyId: keyId, Plaintext: Buffer.from('one') });
    await kms.encrypt({ KeyId: MISSING_KEY, Plaintext: Buffer.from('two') }).catch(() => undefined);
    page = await lab.page();
    page.setDefaultTimeout(15_000);
  });
  after(() => page?.context().close());

  const rows = (): Locator => page.getByRole('region', { name: 'Audit events' }).locator('tbody tr');
  const event = (name: string): Locator => rows().filter({ has: page.getByRole('link', { name, exact: true }) });

  it('shows the events of a key, each with who did it and what came of it', async () => {
    await page.goto(`${lab.url}/us-east-1/audit?key=${keyId}`);
    await event('Encrypt').waitFor();
    expect(await event('Encrypt').innerText())
      .to.match(/Success\s+root/u)
      .and.contain(keyId);
    expect(await event('CreateKey').count()).to.equal(1);
    await lookAt(page, 'audit');
  });

  it('shows new events as they are recorded, and none while it is paused', async () => {
    const encryptions = await event('Encrypt').count();
    await kms.encrypt({ KeyId: keyId, Plaintext: Buffer.from('three') });
    await event('Encrypt').nth(encryptions).waitFor();
    await page.getByText('Following live, 1 new').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('Paused', { exact: true }).waitFor();
    await kms.disableKey({ KeyId: keyId });
    await kms.enableKey({ KeyId: keyId });
    // Longer than it takes a page that follows.
    await page.waitForTimeout(2_500);
    expect(await event('EnableKey').count()).to.equal(0);
    await page.getByRole('button', { name: 'Follow live' }).click();
    await event('EnableKey').waitFor();
  });

  it('filters by event, user, errors, time and text, and keeps the filters in the address', async () => {
    await page.goto(`${lab.url}/us-east-1/audit`);
    await page.getByLabel('Errors only').check();
    await page.getByLabel('Text').fill(MISSING_KEY);
    await page.waitForURL(`${lab.url}/us-east-1/audit?text=${MISSING_KEY}&errors=1`);
    await event('Encrypt').waitFor();
    await event('Encrypt').getByText('NotFoundException').waitFor();
    expect(await rows().count()).to.equal(1);
    await page.reload();
    await event('Encrypt').waitFor();
    expect(await rows().count()).to.equal(1);
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await page.waitForURL(`${lab.url}/us-east-1/audit`);
    await page.getByLabel('Event name').fill('CreateKey');
    await page.getByLabel('User').fill('root');
    await page.waitForURL(/name=CreateKey&user=root/u);
    await event('CreateKey').first().waitFor();
    expect(await event('CreateKey').count()).to.equal(await rows().count());
    await page.getByLabel('User').fill('nobody');
    await page.getByText('No event that was read matches').waitFor();
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await page.getByLabel('Time range').selectOption('custom');
    await page.getByLabel('To, UTC').fill('2001-01-01T00:00');
    await page.getByText('There are no such events').waitFor();
    expect(page.url()).to.contain('range=custom&to=2001-01-01T00');
    await page.getByLabel('Time range').selectOption('1h');
    await event('CreateKey').first().waitFor();
  });

  it('opens an event to its JSON under an address of its own, copies it, and gives the focus back', async () => {
    await page.goto(`${lab.url}/us-east-1/audit?errors=1&text=${MISSING_KEY}`);
    const link = event('Encrypt').getByRole('link', { name: 'Encrypt' });
    await link.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Event Encrypt' });
    const shown = await dialog.getByLabel('Event as JSON').innerText();
    const record = JSON.parse(shown) as { readonly eventID: string; readonly errorCode: string };
    expect(record.errorCode).to.equal('NotFoundException');
    expect(page.url()).to.contain(`event=${record.eventID}`);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await dialog.getByRole('button', { name: 'Copy the event' }).click();
    await page.getByText('Copied the event', { exact: true }).waitFor();
    expect(JSON.parse(await page.evaluate<string>('navigator.clipboard.readText()'))).to.deep.equal(record);
    await lookAt(page, 'audit-event');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await page.evaluate<string>('document.activeElement.textContent')).to.equal('Encrypt');
    // Somebody else opens the same address, and has not read so far back.
    await page.goto(`${lab.url}/us-east-1/audit?name=CreateKey&event=${record.eventID}`);
    await page.getByRole('dialog', { name: 'Event Encrypt' }).getByText('NotFoundException', { exact: true }).waitFor();
    await page.keyboard.press('Escape');
  });

  it('tells what the AWS CLI would be asked for the same events', async () => {
    await page.goto(`${lab.url}/us-east-1/audit?key=${keyId}`);
    await page.locator('main .cli summary').click();
    expect(await page.locator('main .cli pre').innerText())
      .to.contain('aws cloudtrail lookup-events')
      .and.contain(`[{"AttributeKey":"ResourceName","AttributeValue":"${keyId}"}]`);
  });
});

describe('expiry alarms in the console', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let page: Page;
  let keyId = '';

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    keyId = await makeExpiringKey(lab.kms('us-east-1'), 31 * DAY_MS);
    page = await lab.page();
    page.setDefaultTimeout(15_000);
  });
  after(async () => {
    await page?.context().close();
    // Other tests have their own ideas of the time.
    for (const region of lab === undefined ? [] : CONSOLE_REGIONS) {
      await askAdmin(lab.directory.adminSocket(region), { method: 'DELETE', path: '/clock' });
    }
  });

  const dialog = (): Locator => page.getByRole('dialog', { name: 'Create an expiry alarm' });
  const state = (): Locator => page.locator('.page-head .status');

  async function openDialog(): Promise<void> {
    await page.goto(`${lab.url}/us-east-1/keys/${keyId}/material`);
    await page.getByRole('button', { name: 'Create expiry alarm' }).click();
    await dialog().waitFor();
  }

  it('makes an alarm for fewer than a number of days from the page of the key', async () => {
    await openDialog();
    await dialog().getByLabel('Alarm name').fill('orders-expire');
    await dialog().getByLabel('Days', { exact: true }).fill('');
    expect(await dialog().getByRole('button', { name: 'Create alarm' }).isDisabled()).to.equal(true);
    await dialog().getByLabel('Days', { exact: true }).fill('30');
    await lookAt(page, 'alarm-days');
    await dialog().locator('.cli summary').click();
    expect(await dialog().locator('.cli pre').innerText()).to.match(/put-metric-alarm[\s\S]*--threshold 2592000/u);
    await dialog().getByRole('button', { name: 'Create alarm' }).click();
    await page.getByRole('link', { name: 'orders-expire' }).click();
    await state().getByText('OK').waitFor();
  });

  it('draws its metric with the threshold, and goes from OK to in alarm as the clock is moved', async () => {
    for (const region of CONSOLE_REGIONS) {
      const body = { milliseconds: 2 * DAY_MS };
      await askAdmin(lab.directory.adminSocket(region), { method: 'POST', path: '/clock', body });
    }
    await state().getByText('In alarm').waitFor();
    const chart = page.getByRole('img', {
      name: /SecondsUntilKeyMaterialExpiration, Minimum, over 1 week\. Now 28 d/u,
    });
    await chart.waitFor();
    expect(await chart.locator('.threshold-label').innerHTML()).to.equal('raised at &lt; 30 d');
    // Whether a sample came before the first evaluation is left to chance: then there is a state before these two.
    expect((await chart.locator('.band-label').allTextContents()).slice(-2)).to.deep.equal(['OK', 'In alarm']);
    await page.getByText('The same as tables').click();
    const states = page.getByRole('table', { name: 'States' }).locator('tbody tr');
    const shown = (await states.allInnerTexts()).map((text) => text.split('\t').at(-1));
    expect(shown.slice(-2)).to.deep.equal(['OK', 'In alarm']);
    const values = await page.getByRole('table', { name: 'Data points' }).locator('td').allInnerTexts();
    expect(values[0]).to.match(/^28 d/u);
    expect(values.at(-1)).to.match(/^30 d 2[0-3] h$|^31 d$/u);
    await page.getByText('Alarm updated from OK to ALARM').waitFor();
    await lookAt(page, 'alarm');
  });

  it('makes an alarm with the fields of CloudWatch', async () => {
    await openDialog();
    await dialog().getByLabel('With the fields of a CloudWatch alarm').check();
    await dialog().getByLabel('Alarm name').fill('still-there');
    expect(await dialog().getByLabel('Statistic').inputValue()).to.equal('Minimum');
    expect(await dialog().getByLabel('Period').inputValue()).to.equal('60');
    expect(await dialog().getByLabel('Whenever SecondsUntil').inputValue()).to.equal('GreaterThanThreshold');
    expect(await dialog().getByLabel('than, in seconds').inputValue()).to.equal('1');
    await dialog().getByLabel('Missing data').selectOption('notBreaching');
    await dialog().getByLabel('Notify').fill('not an action');
    await lookAt(page, 'alarm-fields');
    await dialog().getByRole('button', { name: 'Create alarm' }).click();
    await dialog().getByRole('alert').getByText('Invalid arn syntax').waitFor();
    await dialog().getByLabel('Notify').fill('arn:aws:sns:us-east-1:111122223333:expiry');
    await dialog().getByRole('button', { name: 'Create alarm' }).click();
    await dialog().waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'still-there' }).click();
    await state().getByText('In alarm').waitFor();
    await page.getByText('Failed to execute action arn:aws:sns:us-east-1:111122223333:expiry').waitFor();
    const facts = page.getByRole('region', { name: 'Alarm', exact: true });
    expect(await facts.innerText())
      .to.contain('Minimum > 1 for 1 of 1 data points of 1 min')
      .and.contain('As good: within the threshold');
  });

  it('lists the alarms of a Region, and deletes what is chosen', async () => {
    await page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Alarms' }).click();
    await page.getByRole('link', { name: 'orders-expire' }).waitFor();
    await lookAt(page, 'alarms');
    await page.getByLabel('Choose still-there').check();
    await page.getByRole('button', { name: 'Alarm actions' }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await lookAt(page, 'alarm-delete');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByRole('link', { name: 'still-there' }).waitFor({ state: 'detached' });
    expect(await page.getByRole('link', { name: 'orders-expire' }).count()).to.equal(1);
    await page.goto(`${lab.url}/us-east-1/alarms/still-there`);
    await page.getByText('There is no alarm still-there in us-east-1').waitFor();
  });

  it('breaks no rule of its own policy meanwhile', () => {
    expect(lab.complaints).to.deep.equal([]);
  });
});
