import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { Locator, Page } from 'playwright-core';
import { skipWithoutBrowser } from '../support/browser.js';
import { CONSOLE_GUEST, consoleLab, type ConsoleLab } from '../support/console_lab.js';
import { lookAt } from '../support/console_looks.js';

const SOURCE = 'us-east-1';
const DESTINATION = 'eu-west-1';

/** What a report says of itself, as far as the console reads it. */
const FINDINGS = {
  startedAt: '2026-01-02T03:04:05.000Z',
  isComplete: true,
  isQuick: false,
  identity: { manufacturer: 'Maker of tokens', model: 'Token 9', libraryVersion: '1.0', firmwareVersion: '2.0' },
  checks: [
    { status: 'finding', severity: 'security' },
    { status: 'passed', severity: 'information' },
  ],
  verdicts: [{ flow: 'replication', answer: 'no' }],
};

describe('the laboratory in the console', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let kms: KMS;
  let replication = '';

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    kms = lab.kms(SOURCE);
  });

  /** Replicates a new key. @returns its id */
  async function replicate(): Promise<string> {
    const keyId = (await kms.createKey({ MultiRegion: true })).KeyMetadata?.KeyId ?? '';
    await kms.replicateKey({ KeyId: keyId, ReplicaRegion: DESTINATION });
    return keyId;
  }

  /** The newest replication of a key in the table. */
  const rowOf = (page: Page, keyId: string): Locator => page.locator('tbody tr').filter({ hasText: keyId }).first();

  /** Opens the replication of a key from the table, in which it has to be in that state. */
  async function open(page: Page, keyId: string, state: string): Promise<void> {
    await page.goto(`${lab.url}/replications`);
    await rowOf(page, keyId).getByText(state).waitFor({ timeout: 20_000 });
    await rowOf(page, keyId).getByRole('link').first().click();
    await page.getByRole('heading', { name: 'Replication', exact: true }).waitFor();
  }

  const message = (page: Page, name: string): Locator => page.locator('.arrow-row').filter({ hasText: name });
  /** What became of a message, as its arrow says. */
  const fate = (row: Locator, text: string): Locator => row.locator('summary').getByText(text, { exact: true });

  /** Lets the proxy do something to the next message, as a person would. */
  async function order(page: Page, action: string, destination: string): Promise<void> {
    await page.goto(`${lab.url}/proxy`);
    await page.getByRole('radio', { name: action }).check();
    await page.getByLabel('Direction').selectOption(destination);
    await page.getByRole('button', { name: 'Do it to the next message' }).click();
    await page.getByRole('list', { name: 'Orders' }).getByText(destination).waitFor();
    await commandIs(page, `set --next ${action.toLowerCase()}:${destination}`);
  }

  /** Waits until the command that is there to be copied is this one. */
  async function commandIs(page: Page, text: string): Promise<void> {
    await page.getByText(`npx keyferry proxy conduct ${text}`, { exact: true }).waitFor({ state: 'attached' });
  }

  it('shows a map of regions, tokens, proxy and front door, and says it to those who do not see it', async () => {
    const page = await lab.page({ path: '/lab' });
    const map = page.getByRole('img', { name: 'Map of the lab' });
    await map.waitFor();
    const told = await map.getAttribute('aria-label');
    expect(told).to.contain('us-east-1 is in order, eu-west-1 is in order').and.contain('passes everything');
    expect(await map.innerText().catch(() => map.textContent())).to.contain('SoftHSM v2: working');
    await page.context().close();
  });

  it('draws a replication while it happens: held at the proxy, let go, and done', async () => {
    const [steering, watching] = await Promise.all([lab.page({ path: '/proxy' }), lab.page({ path: '/replications' })]);
    await commandIs(steering, 'reset');
    await steering.getByRole('button', { name: `Hold messages to ${DESTINATION}` }).click();
    await steering.getByRole('button', { name: `Let messages to ${DESTINATION} go` }).waitFor();
    await commandIs(steering, `set --hold ${DESTINATION}`);
    const keyId = await replicate();
    await rowOf(watching, keyId).getByText('Running').waitFor();
    await rowOf(watching, keyId).getByRole('link').first().click();
    await fate(message(watching, 'M0 Intent').first(), 'Held at the proxy').waitFor();
    replication = new URL(watching.url()).pathname;
    await steering.getByText('1 held').waitFor();
    await steering.getByRole('button', { name: `Let messages to ${DESTINATION} go` }).click();
    const overview = watching.getByRole('region', { name: 'Overview' });
    await overview.getByText('Done').waitFor({ timeout: 20_000 });
    await fate(message(watching, 'M4 Close'), 'Verified').waitFor();
    const headings = await watching.locator('.exchange-step h3').allInnerTexts();
    expect(headings).to.have.lengthOf(7);
    expect(headings[1]).to.equal('Step 1: the destination makes RAKB and sends its public point (M1)');
    expect(headings[5]).to.equal('Step 5: the destination unwraps the material');
    await Promise.all([steering.context().close(), watching.context().close()]);
  });

  it('opens a message to its verified content, with the strategies of both tokens, and shows no wrapped octets', async () => {
    const page = await lab.page({ path: replication });
    const sequence = page.getByRole('region', { name: 'Sequence' });
    const transfer = message(page, 'M2 Transfer');
    await transfer.locator('summary').focus();
    await page.keyboard.press('Enter');
    await transfer.getByText('ES384, verified with the roster').waitFor();
    const content = await transfer.innerText();
    expect(content)
      .to.contain('mrkr1-transfer+jws')
      .and.contain(`an RSK of ${SOURCE}, roster epoch 1`)
      .and.match(/The proxy took it over[^]*eu-west-1 verified and took it/u);
    const payload = JSON.parse(await transfer.locator('pre').innerText()) as {
      readonly keys: readonly { readonly wrapped: readonly { readonly blob: object }[]; readonly ctx: object }[];
    };
    expect(payload.keys[0]?.wrapped[0]?.blob).to.have.all.keys('octets', 'sha256');
    expect(payload.keys[0]?.ctx).to.include({ primaryRegion: SOURCE });
    expect(await sequence.innerText())
      .to.contain('Wraps the key material with RWK')
      .and.contain('aes-kwp-unwrap');
    const strategies = await page.getByRole('region', { name: `Token of ${DESTINATION}` }).innerText();
    expect(strategies).to.contain('ecdh-cbc-data').and.contain('CKM_AES_CBC_ENCRYPT_DATA');
    await page.context().close();
  });

  it('shows that a region refuses a message that the proxy has altered, and that the replication survives it', async () => {
    const page = await lab.page();
    await order(page, 'Tamper', DESTINATION);
    const keyId = await replicate();
    await page.getByRole('region', { name: 'Refusals' }).getByText('SIG_INVALID').first().waitFor({ timeout: 20_000 });
    await open(page, keyId, 'Done');
    const first = message(page, 'M0 Intent').first();
    await fate(first, 'Altered, refused: SIG_INVALID').waitFor();
    await first.locator('summary').click();
    expect(await first.innerText()).to.match(
      /The proxy altered it \(next: tamper\); it would be refused: SIG_INVALID/u,
    );
    expect(await page.locator('.note.refusal').innerText()).to.contain('SIG_INVALID');
    await page.context().close();
  });

  it('shows a lost and a repeated message, and what was sent again', async () => {
    const page = await lab.page();
    await order(page, 'Drop', DESTINATION);
    await page.getByRole('radio', { name: 'Duplicate' }).check();
    await page.getByLabel('Direction').selectOption(SOURCE);
    await page.getByRole('button', { name: 'Do it to the next message' }).click();
    await page.getByRole('list', { name: 'Orders' }).getByText(`duplicate the next message to ${SOURCE}`).waitFor();
    const keyId = await replicate();
    await open(page, keyId, 'Done');
    await fate(message(page, 'M0 Intent').first(), 'Lost at the proxy').waitFor();
    await fate(message(page, 'M0 Intent').nth(1), 'Verified').waitFor();
    await fate(message(page, 'M1 Offer'), 'Repeated by the proxy').waitFor();
    expect(await page.getByRole('region', { name: 'Overview' }).innerText()).to.contain(
      'disturbed by the proxy 2 times',
    );
    await page.context().close();
  });

  it('moves the time after a confirmation, shows what was due, and goes back', async () => {
    const keyId = (await kms.createKey({})).KeyMetadata?.KeyId ?? '';
    await kms.scheduleKeyDeletion({ KeyId: keyId, PendingWindowInDays: 7 });
    const page = await lab.page({ path: '/clock' });
    await page.getByRole('button', { name: '7 days' }).click();
    const dialog = page.getByRole('dialog', { name: 'Move the time forward by 7 d' });
    await dialog.getByText('Command').click();
    await dialog.getByText('npx keyferry clock advance 7d').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect((await kms.describeKey({ KeyId: keyId })).KeyMetadata?.KeyState).to.equal('PendingDeletion');
    await page.getByLabel('Another time').fill('8');
    await page.getByRole('button', { name: 'Move forward' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Move forward' }).click();
    const due = page.getByRole('list', { name: 'What was due' });
    await due.getByText('DeleteKey').first().waitFor({ timeout: 15_000 });
    expect(await due.innerText()).to.contain(keyId);
    await page.locator('.clocks').getByText('+8 d').first().waitFor();
    await page.getByRole('button', { name: 'Back to the machine’s time' }).click();
    await page.getByRole('button', { name: 'Go back' }).click();
    await page.locator('.clocks').getByText('+8 d').first().waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('shows tokens with their strategies, and a validation report in a frame that may do nothing', async () => {
    const folder = join(lab.directory.validation, 'token-9');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'findings.json'), JSON.stringify(FINDINGS));
    writeFileSync(join(folder, 'report.html'), '<!doctype html><title>R</title><h1>Report of Token 9</h1>');
    const page = await lab.page({ path: '/tokens' });
    const token = page.getByRole('region', { name: SOURCE, exact: true });
    await token.getByText('SoftHSM project SoftHSM v2').waitFor();
    expect(await token.innerText())
      .to.contain('ecdh-cbc-data')
      .and.contain('Agree on the replication wrapping key')
      .and.contain('no report yet');
    await page.getByRole('link', { name: 'Validation reports' }).click();
    await page.getByRole('link', { name: 'token-9' }).waitFor();
    expect(await page.locator('tbody tr').innerText())
      .to.contain('Maker of tokens Token 9')
      .and.contain('1 security');
    await page.getByRole('link', { name: 'token-9' }).click();
    await page.frameLocator('iframe').getByRole('heading', { name: 'Report of Token 9' }).waitFor();
    expect(await page.evaluate('document.querySelector("iframe").contentDocument')).to.equal(null);
    await page.context().close();
  });

  it('is for administrators only', async () => {
    const page = await lab.page({ principal: CONSOLE_GUEST.principal });
    for (const path of ['/replications', replication, '/tokens', '/validation', '/proxy']) {
      await page.goto(lab.url + path);
      await page.getByRole('alert').first().getByText('ERR_CONSOLE_OPERATOR').waitFor();
    }
    expect(await page.getByRole('navigation', { name: 'Console' }).innerText()).to.not.contain('Laboratory');
    await page.context().close();
  });

  it('has nothing that axe finds in the light and in the dark, and no page wider than its window', async () => {
    const page = await lab.page();
    for (const [path, ready] of [
      ['/lab', '.lab-map'],
      ['/replications', 'tbody tr'],
      [replication, '.arrow-row'],
      ['/tokens', 'table'],
      ['/validation', 'tbody tr'],
      ['/proxy', '.destinations li'],
      ['/clock', '.clocks li'],
    ] as const) {
      await page.goto(lab.url + path);
      await page.waitForSelector(ready);
      if (path === replication) await page.locator('.arrow-row summary').first().click();
      if (path === '/clock') await page.getByRole('button', { name: '30 days' }).click();
      await lookAt(page, `lab${path === replication ? '-replication' : path.replace('/', '-')}`);
    }
    await page.context().close();
  });

  it('breaks no rule of its own policy meanwhile', () => {
    expect(lab.complaints).to.deep.equal([]);
  });
});
