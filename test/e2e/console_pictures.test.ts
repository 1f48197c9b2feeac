import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { skipWithoutBrowser } from '../support/browser.js';
import { CONSOLE_REGIONS, consoleLab, type ConsoleLab } from '../support/console_lab.js';

/** Where the pictures of the README go, if somebody wants new ones: `docs/images`. */
const FOLDER = process.env['KEYFERRY_README_IMAGES'];
const OCTETS_MAX = 150_000;
const WINDOW = { width: 1200, height: 640 } as const;

/** Keys as a shop may have them: alias, and how each is made. */
const KEYS: readonly (readonly [alias: string, request: Parameters<KMS['createKey']>[0]])[] = [
  ['orders', { MultiRegion: true }],
  ['invoices', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }],
  ['sessions', { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }],
  ['partners', { Origin: 'EXTERNAL', MultiRegion: true }],
];

describe('the pictures of the console in the README', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let page: Page;
  const keyIds = new Map<string, string>();
  const [source, destination] = CONSOLE_REGIONS;

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    const kms = lab.kms(source);
    for (const [alias, request] of KEYS) {
      const KeyId = (await kms.createKey(request)).KeyMetadata?.KeyId ?? '';
      await kms.createAlias({ AliasName: `alias/shop/${alias}`, TargetKeyId: KeyId });
      keyIds.set(alias, KeyId);
    }
    await kms.replicateKey({ KeyId: keyIds.get('orders'), ReplicaRegion: destination });
    page = await lab.page({ window: { viewport: WINDOW, colorScheme: 'light' } });
    page.setDefaultTimeout(20_000);
  });
  after(async () => {
    await page?.context().close();
    for (const [, KeyId] of keyIds) {
      const kms = lab.kms(source);
      if (KeyId !== keyIds.get('orders')) await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
    }
  });

  async function take(name: string): Promise<void> {
    const picture = await page.screenshot({ animations: 'disabled', caret: 'hide' });
    if (FOLDER !== undefined) writeFileSync(join(FOLDER, name), picture);
    expect(picture.length).to.be.within(10_000, OCTETS_MAX);
  }

  it('show the keys of a Region with their origin', async () => {
    await page.goto(`${lab.url}/${source}/keys`);
    await page.getByRole('button', { name: 'Table settings' }).click();
    await page.getByRole('dialog').getByLabel('Origin').check();
    await page.getByRole('dialog').getByLabel('Key usage').uncheck();
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByLabel('Find keys').fill('shop/');
    const row = page.locator('tbody tr').filter({ hasText: 'shop/partners' });
    await row.getByText('Pending import').waitFor();
    await page.locator('tbody td .quiet').getByText('…').first().waitFor({ state: 'detached' });
    await take('console-keys.png');
  });

  it('show a replication as a sequence of verified messages', async () => {
    await page.goto(`${lab.url}/replications`);
    const row = page
      .locator('tbody tr')
      .filter({ hasText: keyIds.get('orders') ?? '' })
      .first();
    await row.getByText('Done', { exact: true }).waitFor();
    await row.getByRole('link').first().click();
    await page.getByRole('heading', { name: 'Replication', exact: true }).waitFor();
    await page.locator('.arrow-row').first().scrollIntoViewIfNeeded();
    await page
      .locator('.arrow-row')
      .first()
      .evaluate((element) => element.scrollIntoView({ block: 'center' }));
    await take('console-replication.png');
  });
});
