import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import {
  accessibilityViolations,
  launchBrowser,
  screenshotFolder,
  sidewaysOverflow,
  skipWithoutBrowser,
  VIEWPORTS,
} from '../support/browser.js';
import { keyferry } from '../support/keyferry_command.js';

/** Whether somebody wants to look: pictures of a page of some metres cost seconds. */
const isWatched = (process.env['KEYFERRY_SCREENSHOTS'] ?? '') !== '';

describe('report.html of a validation, in a browser', function () {
  this.timeout(60_000);
  let directory = '';
  let screenshots = '';
  let url: string;
  let browser: Browser;

  before(async function () {
    skipWithoutBrowser(this);
    directory = mkdtempSync(join(tmpdir(), 'keyferry-report-'));
    screenshots = screenshotFolder();
    const checks = ['POL-01', 'POL-05', 'CAP-08', 'COR-01', 'PRF-01'].flatMap((id) => ['--check', id]);
    const run = ['--module', 'softhsm2', '--scratch', '--quick', '--report', directory];
    const ended = await keyferry('validate', ...run, ...checks);
    expect(ended.status, ended.stderr).to.equal(0);
    url = pathToFileURL(join(directory, 'report.html')).href;
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true, force: true });
    if (!isWatched) rmSync(screenshots, { recursive: true, force: true });
  });

  async function open(
    viewport: keyof typeof VIEWPORTS,
    options: { readonly colorScheme: 'light' | 'dark' },
  ): Promise<Page> {
    const context = await browser.newContext({ viewport: VIEWPORTS[viewport], ...options });
    const page = await context.newPage();
    await page.goto(url);
    return page;
  }

  const looks = [
    ['desktop', 'light'],
    ['phone', 'dark'],
  ] as const;
  for (const [viewport, colorScheme] of looks) {
    it(`is accessible and needs no sideways scrolling: ${viewport}, ${colorScheme}`, async () => {
      const page = await open(viewport, { colorScheme });
      await page.locator('details').first().evaluate('(details) => { details.open = true; }');
      await page.screenshot({ path: join(screenshots, `report-${viewport}-${colorScheme}.png`), fullPage: isWatched });
      expect(await accessibilityViolations(page)).to.deep.equal([]);
      expect(await sidewaysOverflow(page)).to.equal(0);
      await page.context().close();
    });
  }

  it('asks for nothing but itself, and says what people came for without JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(url);
    expect(requests).to.deep.equal([url]);
    const text = await page.locator('body').innerText();
    for (const part of [
      'Replicate keys to another Region',
      'Yes, with reservations',
      'CBCDERIVE-A256KWP',
      'POL-01 A sensitive key',
      'What to do: ',
      'CKM_RSA_PKCS_OAEP',
      'p99, µs',
      'CKF_LOGIN_REQUIRED',
    ]) {
      expect(text).to.contain(part);
    }
    await context.close();
  });

  it('leads from a verdict to the finding', async () => {
    const page = await open('phone', { colorScheme: 'light' });
    await page.locator('section[aria-labelledby=verdicts] a[href="#POL-01"]').first().click();
    expect(await page.locator('article#POL-01').boundingBox())
      .to.have.property('y')
      .that.is.within(-1, 200);
    await page.context().close();
  });

  it('can be printed: pages of A4 that hold whole tables, with their numbers', async () => {
    const page = await open('desktop', { colorScheme: 'dark' });
    const path = join(screenshots, 'report.pdf');
    await page.pdf({ path, preferCSSPageSize: true });
    const pages = readFileSync(path, 'latin1').match(/\/Type\s*\/Page\b/gu) ?? [];
    expect(pages.length).to.be.within(2, 20);
    await page.emulateMedia({ media: 'print' });
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).to.equal('rgb(255, 255, 255)');
    expect(await page.locator('nav').isVisible()).to.equal(false);
    await page.setViewportSize({ width: 680, height: 1000 });
    expect(await page.locator('table thead').first().isVisible()).to.equal(true);
    expect(await sidewaysOverflow(page)).to.equal(0);
    await page.screenshot({ path: join(screenshots, 'report-print.png'), fullPage: isWatched });
    await page.context().close();
  });
});
