import { createServer } from 'node:http';
import { expect } from 'chai';
import type { KMS } from '@aws-sdk/client-kms';
import { closeServer, formatListenAddress, listenOn } from '../../src/listen.js';
import { accessibilityViolations, sidewaysOverflow, skipWithoutBrowser, VIEWPORTS } from '../support/browser.js';
import { CONSOLE_GUEST, consoleLab, type ConsoleLab } from '../support/console_lab.js';
import type { Page } from 'playwright-core';

/** A page of another origin of this machine: to cookies it is the same site. */
async function emptyPage(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>Elsewhere</title>');
  });
  const address = await listenOn(server, { host: '127.0.0.1', port: 0 });
  return { url: `http://${formatListenAddress(address)}/`, close: () => closeServer(server, 10) };
}

describe('the console in a browser', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let kms: KMS;
  let keyId = '';

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    kms = lab.kms('us-east-1');
    keyId = (await kms.createKey({ Description: 'Orders of the shop' })).KeyMetadata?.KeyId ?? '';
    await kms.createAlias({ AliasName: 'alias/orders', TargetKeyId: keyId });
    const imported = await kms.createKey({ Origin: 'EXTERNAL' });
    await kms.createAlias({ AliasName: 'alias/imported', TargetKeyId: imported.KeyMetadata?.KeyId });
  });

  /** The row of a key by its alias. */
  const row = (page: Page, alias: string): ReturnType<Page['locator']> =>
    page.locator('tbody tr').filter({ has: page.getByRole('link', { name: alias, exact: true }) });

  it('shows nothing but how to log in to whoever is not', async () => {
    const page = await (await lab.window()).newPage();
    const response = await page.goto(`${lab.url}/us-east-1/keys/${keyId}`);
    expect(response?.status()).to.equal(401);
    const text = await page.locator('body').innerText();
    expect(text).to.contain('keyferry console --login').and.not.contain(keyId);
    await page.context().close();
  });

  it('logs in with a link once, and leaves no secret in the address, in the page or in what the browser keeps', async () => {
    const link = await lab.link();
    const secret = link.split('#')[1] ?? '';
    const page = await (await lab.window()).newPage();
    await page.goto(link);
    await page.waitForSelector('h1:has-text("Customer managed keys")');
    expect(page.url()).to.equal(`${lab.url}/us-east-1/keys`);
    const kept = await page.evaluate<string>(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
    );
    const [cookie] = await page.context().cookies();
    expect(cookie).to.include({ httpOnly: true, sameSite: 'Strict' });
    for (const text of [kept, await page.content()]) {
      expect(text)
        .to.not.contain(secret)
        .and.not.contain(cookie?.value ?? secret);
    }
    const other = await (await lab.window()).newPage();
    await other.goto(link);
    await other.waitForSelector('text=This link was used before');
    await Promise.all([page.context().close(), other.context().close()]);
  });

  it('shows the keys of a Region with status, spec and regionality, and follows what other clients do', async () => {
    const page = await lab.page();
    await row(page, 'orders').getByText('Enabled').waitFor();
    expect(await row(page, 'imported').innerText()).to.match(/Pending import\s+Symmetric\s+SYMMETRIC_DEFAULT/u);
    await kms.disableKey({ KeyId: keyId });
    await row(page, 'orders').getByText('Disabled').waitFor({ timeout: 10_000 });
    await kms.enableKey({ KeyId: keyId });
    await page.getByLabel('Region', { exact: true }).selectOption('eu-west-1');
    await page.waitForURL(`${lab.url}/eu-west-1/keys`);
    await page.getByText('There are no keys in eu-west-1').waitFor();
    await page.context().close();
  });

  it('adds the Origin column by the settings icon and Confirm, and keeps it', async () => {
    const page = await lab.page();
    await row(page, 'imported').waitFor();
    expect(await page.getByRole('columnheader', { name: 'Origin' }).count()).to.equal(0);
    await page.getByRole('button', { name: 'Table settings' }).click();
    await page.getByRole('dialog').getByLabel('Origin').check();
    await page.getByRole('button', { name: 'Confirm' }).click();
    await row(page, 'imported').getByText('External (Import key material)').waitFor();
    await page.reload();
    await row(page, 'imported').getByText('External (Import key material)').waitFor();
    await page.context().close();
  });

  it('opens a key from the table, with its general configuration and its tabs, by keyboard', async () => {
    const page = await lab.page();
    await page.getByLabel('Find keys').fill('orders');
    await page.getByRole('link', { name: 'orders' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(`${lab.url}/us-east-1/keys/${keyId}`);
    const general = page.getByRole('region', { name: 'General configuration' });
    await general.getByText('Orders of the shop').waitFor();
    expect(await general.innerText()).to.contain(`arn:aws:kms:us-east-1:111122223333:key/${keyId}`);
    await page.getByRole('tab', { name: 'Key policy' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('tabpanel').getByText('AWS KMS', { exact: true }).waitFor();
    expect(page.url()).to.match(/\/cryptography$/u);
    await page.context().close();
  });

  it('shows AWS’s own error to a principal without rights', async () => {
    const page = await lab.page({ principal: CONSOLE_GUEST.principal, path: `/us-east-1/keys/${keyId}` });
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.innerText())
      .to.contain('AccessDeniedException')
      .and.contain(`${CONSOLE_GUEST.principal} is not authorized to perform: kms:DescribeKey`);
    expect(await page.getByRole('link', { name: 'Regions and programs' }).count()).to.equal(0);
    await page.context().close();
  });

  it('lets no page of another origin do anything, also on another port of this machine', async () => {
    const attacker = await emptyPage();
    const page = await lab.page();
    const target = `${lab.url}/api/us-east-1/kms/ScheduleKeyDeletion`;
    const body = JSON.stringify({ KeyId: keyId });
    await page.goto(attacker.url);
    const post = `fetch(${JSON.stringify(target)}, { method: 'POST', credentials: 'include', mode: 'no-cors', body: ${JSON.stringify(body)} })`;
    await page.evaluate(`${post}.catch(() => undefined).then(() => undefined)`);
    expect((await kms.describeKey({ KeyId: keyId })).KeyMetadata?.KeyState).to.equal('Enabled');
    await page.context().close();
    await attacker.close();
  });

  it('logs out', async () => {
    const page = await lab.page();
    await page.locator('.principal summary').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${lab.url}/login`);
    expect((await page.goto(`${lab.url}/us-east-1/keys`))?.status()).to.equal(401);
    await page.context().close();
  });

  it('goes to the login page once, when the end of the session also refuses what was being asked', async () => {
    const page = await lab.page();
    let asked = 0;
    let answerLogOut: () => Promise<void> = () => Promise.reject(new Error('Nobody logged out'));
    await page.route(`${lab.url}/logout`, async (route) => {
      const response = await route.fetch();
      answerLogOut = () => route.fulfill({ response });
      await page.getByRole('link', { name: 'orders' }).click();
    });
    await page.route(`${lab.url}/login`, async (route) => {
      asked += 1;
      if (asked === 1) {
        await answerLogOut();
        await page.waitForTimeout(200);
      }
      await route.continue().catch(() => undefined);
    });
    await page.locator('.principal summary').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(`${lab.url}/login`);
    expect(asked).to.equal(1);
    await page.context().close();
  });

  it('has nothing that axe finds in the light and in the dark, and no page wider than its window', async () => {
    const page = await lab.page();
    for (const [path, ready] of [
      ['/us-east-1/keys', 'tbody .status'],
      [`/us-east-1/keys/${keyId}`, '.document'],
      ['/eu-west-1/keys', '.state.empty'],
      ['/us-east-1/keys/none', '.state.failure'],
      ['/lab', '.cards .status'],
    ] as const) {
      await page.goto(lab.url + path);
      await page.waitForSelector(ready);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect([path, colorScheme, await accessibilityViolations(page)]).to.deep.equal([path, colorScheme, []]);
      }
      await page.setViewportSize(VIEWPORTS.phone);
      expect([path, await sidewaysOverflow(page)]).to.deep.equal([path, 0]);
      await page.setViewportSize(VIEWPORTS.desktop);
    }
    await page.context().close();
  });

  it('breaks no rule of its own policy meanwhile', () => {
    expect(lab.complaints).to.deep.equal([]);
  });
});
