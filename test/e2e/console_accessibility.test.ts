import { randomBytes } from 'node:crypto';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { accessibilityViolations, sidewaysOverflow, skipWithoutBrowser, VIEWPORTS } from '../support/browser.js';
import { consoleLab, type ConsoleLab } from '../support/console_lab.js';
import { wrapForImport } from '../support/import_wrapping.js';

/** A window of 1280 pixels at a zoom of 200 %, and at 400 %, where nothing may be scrolled in two directions. @source WCAG 2.2, 1.4.10 */
const ZOOMED = [
  { width: 640, height: 400 },
  { width: 320, height: 640 },
] as const;
/** Rules of axe of which the answer depends on the size of the window. */
const LAYOUT_RULES = [
  'color-contrast',
  'scrollable-region-focusable',
  'target-size',
  'button-name',
  'link-name',
] as const;
const TABS_MAX = 120;

/** Elements that the Tab key has to reach, as numbers in the order of the document; sets `window.reachable`. */
const FIND_REACHABLE = `(() => {
  const scope = document.querySelector('dialog[open]') ?? document;
  const isSeen = (element) => element.checkVisibility({ visibilityProperty: true }) && element.closest('[inert]') === null;
  const found = [...scope.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')].filter((element) =>
    element.tabIndex >= 0 && !element.disabled && isSeen(element));
  // Of radio buttons of one name, the chosen one stands for all.
  window.reachable = found.filter((element) => element.type !== 'radio' || element.checked ||
    !found.some((other) => other.type === 'radio' && other.name === element.name && other.checked));
  return window.reachable.length;
})()`;

/** Notes in `window.focused` where the focus goes: number of the element, its name, and whether one sees that it has the focus. */
const NOTE_FOCUS = `(() => {
  window.focused = [];
  if (window.isNoted) return;
  window.isNoted = true;
  addEventListener('focusin', ({ target: element }) => {
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    window.focused.push({
      at: window.reachable.indexOf(element),
      name: (element.getAttribute('aria-label') ?? '') + (element.textContent ?? '').slice(0, 40) + (element.id ?? ''),
      isMarked: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1,
      isInView: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    });
  });
})()`;

interface Focused {
  readonly at: number;
  readonly name: string;
  readonly isMarked: boolean;
  readonly isInView: boolean;
}

describe('the console by keyboard and for those who do not see it', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let kms: KMS;
  let page: Page;
  let keyId = '';
  let ordinaryId = '';

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    // A Region with few keys: a person does not press Tab a hundred times either.
    kms = lab.kms('eu-west-1');
    const made = await kms.createKey({ Origin: 'EXTERNAL', Tags: [{ TagKey: 'team', TagValue: 'payments' }] });
    keyId = made.KeyMetadata?.KeyId ?? '';
    const WrappingAlgorithm = 'RSAES_OAEP_SHA_1' as const;
    const { PublicKey = new Uint8Array(), ImportToken } = await kms.getParametersForImport({
      KeyId: keyId,
      WrappingAlgorithm,
      WrappingKeySpec: 'RSA_2048',
    });
    const EncryptedKeyMaterial = wrapForImport(WrappingAlgorithm, PublicKey, randomBytes(32));
    const ValidTo = new Date(Date.now() + 90 * 86_400_000);
    await kms.importKeyMaterial({ KeyId: keyId, ImportToken, EncryptedKeyMaterial, ValidTo });
    await kms.createAlias({ AliasName: 'alias/accessible', TargetKeyId: keyId });
    ordinaryId = (await kms.createKey({ MultiRegion: true })).KeyMetadata?.KeyId ?? '';
    page = await lab.page({ path: '/eu-west-1/keys' });
    page.setDefaultTimeout(15_000);
  });
  after(async () => {
    await page?.context().close();
    for (const KeyId of keyId === '' ? [] : [keyId, ordinaryId]) {
      await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
    }
  });

  /** Pages, and what is in each when it is there. */
  const pages = (): readonly (readonly [path: string, ready: string])[] => [
    ['/eu-west-1/keys', 'tbody .status'],
    ['/eu-west-1/keys/create', 'main form, main .wizard'],
    [`/eu-west-1/keys/${keyId}/policy`, '.tab-panel .document, .tab-panel textarea'],
    [`/eu-west-1/keys/${keyId}/cryptography`, '.tab-panel .facts'],
    [`/eu-west-1/keys/${keyId}/material`, '.tab-panel .facts'],
    [`/eu-west-1/keys/${keyId}/tags`, '.tab-panel tbody'],
    [`/eu-west-1/keys/${keyId}/regionality`, '.tab-panel .panel'],
    [`/eu-west-1/keys/${keyId}/aliases`, '.tab-panel tbody'],
    [`/eu-west-1/keys/${ordinaryId}/rotation`, '.tab-panel .panel'],
    ['/eu-west-1/alarms', '.table-panel'],
    ['/eu-west-1/audit?name=CreateKey', '.table-panel tbody'],
    ['/eu-west-1/keys/none', '.state.failure'],
    ['/nothing/here', '.state.empty'],
  ];
  const operatorPages: readonly (readonly [path: string, ready: string])[] = [
    ['/lab', 'main .panel'],
    ['/replications', 'main .panel'],
    ['/tokens', 'main .panel'],
    ['/validation', 'main .panel, main .state'],
    ['/proxy', 'main .panel'],
    ['/clock', 'main .panel'],
  ];

  /** Goes to a page as a link within the console does. */
  async function show([path, ready]: readonly [path: string, ready: string]): Promise<void> {
    await page.evaluate(
      `history.pushState(null, '', ${JSON.stringify(path)}); dispatchEvent(new PopStateEvent('popstate'))`,
    );
    await page.waitForSelector(ready);
    await page.locator('.spinner').first().waitFor({ state: 'detached' });
  }

  /** Presses Tab from the beginning of the document, or of the dialog over it, to the end. @returns where the focus was */
  async function walk(): Promise<{ readonly expected: number; readonly found: readonly Focused[] }> {
    const expected = await page.evaluate<number>(FIND_REACHABLE);
    await page.evaluate(NOTE_FOCUS);
    for (let press = 0; press < Math.min(expected, TABS_MAX); press += 1) await page.keyboard.press('Tab');
    const found = await page.evaluate<readonly Focused[]>('window.focused');
    return { expected, found };
  }

  for (const [name, list] of [
    ['keys, alarms and audit', pages],
    ['the laboratory', () => operatorPages],
  ] as const) {
    it(`reaches everything on the pages of ${name} with the Tab key, in the order of the page, and shows where it is`, async () => {
      for (const place of list()) {
        await show(place);
        // The beginning of the document.
        await page.evaluate('document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)');
        await page.evaluate(
          `(() => { const start = document.createElement('span'); start.tabIndex = -1; document.body.prepend(start); start.focus(); start.remove(); })()`,
        );
        const { expected, found } = await walk();
        const order = found.map(({ at }) => at);
        expect([place[0], order]).to.deep.equal([place[0], Array.from({ length: found.length }, (_, at) => at)]);
        expect(expected).to.be.greaterThan(10);
        const unseen = found.filter(({ isMarked, isInView }) => !isMarked || !isInView);
        expect([place[0], unseen]).to.deep.equal([place[0], []]);
        expect(found[0]?.name).to.contain('Skip to the page');
      }
    });

    it(`has nothing that axe finds on the pages of ${name}, light and dark, on a desk and on a phone, and none too wide when enlarged`, async () => {
      for (const place of list()) {
        await show(place);
        const violations: unknown[] = [await accessibilityViolations(page)];
        await page.emulateMedia({ colorScheme: 'dark' });
        violations.push(await accessibilityViolations(page, ['color-contrast']));
        await page.setViewportSize(VIEWPORTS.phone);
        violations.push(await accessibilityViolations(page, LAYOUT_RULES));
        const overflows = [await sidewaysOverflow(page)];
        for (const size of ZOOMED) {
          await page.setViewportSize(size);
          overflows.push(await sidewaysOverflow(page));
        }
        await page.emulateMedia({ colorScheme: 'light' });
        await page.setViewportSize(VIEWPORTS.desktop);
        expect([place[0], violations, overflows]).to.deep.equal([place[0], [[], [], []], [0, 0, 0]]);
      }
    });
  }

  it('skips to the page, and begins at the title where another page is opened', async () => {
    await page.goto(`${lab.url}/eu-west-1/keys`);
    await page.locator('tbody a').first().waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).to.equal('main');
    await page.getByRole('link', { name: 'accessible' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'accessible' }).waitFor();
    expect(await page.evaluate('document.activeElement.tagName')).to.equal('H1');
    expect(await page.title()).to.match(/^accessible /u);
  });

  it('opens every dialog of a key by keyboard, keeps the focus in it, and gives it back at Escape', async () => {
    const opened: string[] = [];
    const places = pages().filter(([path]) => path.includes(keyId) || path.includes(ordinaryId));
    for (const place of places) {
      await show(place);
      const buttons = page.locator('.tab-panel button:enabled:not(.copy, .sort), .tab-panel .table-bar button:enabled');
      for (let at = 0; at < (await buttons.count()); at += 1) {
        const button = buttons.nth(at);
        if (!(await button.isVisible())) continue;
        const name = (await button.getAttribute('aria-label')) ?? (await button.innerText());
        await button.focus();
        await page.keyboard.press('Enter');
        const title = await checkDialog(name, opened);
        if (title !== undefined) opened.push(title);
      }
    }
    await show([`/eu-west-1/keys/${keyId}/policy`, '.tab-panel .document']);
    const menu = page.getByRole('button', { name: 'Key actions' });
    await menu.focus();
    await page.keyboard.press('Enter');
    const count = await page.getByRole('menuitem').count();
    await page.keyboard.press('Escape');
    for (let at = 0; at < count; at += 1) {
      await menu.focus();
      await page.keyboard.press('Enter');
      for (let down = 0; down < at; down += 1) await page.keyboard.press('ArrowDown');
      const item = await page.evaluate<string>('document.activeElement.textContent');
      await page.keyboard.press('Enter');
      if (await page.getByRole('menu').isVisible()) {
        // What cannot be done now says why, and does nothing.
        await page.keyboard.press('Escape');
        continue;
      }
      opened.push((await checkDialog(item, opened)) ?? item);
    }
    expect(opened).to.include.members(['Create an expiry alarm', 'Schedule key deletion', 'Disable the key']);
    expect(new Set(opened).size).to.be.greaterThan(8);
  });

  /** @returns its title; undefined where there is none */
  async function checkDialog(opener: string, known: readonly string[]): Promise<string | undefined> {
    const dialog = page.locator('dialog[open]');
    if ((await dialog.count()) === 0) {
      await page.waitForTimeout(50);
      if ((await dialog.count()) === 0) return undefined;
    }
    const title = await dialog.locator('h2').first().innerText();
    const isKnown = known.includes(title);
    expect(await page.evaluate('document.activeElement.closest("dialog") !== null'), opener).to.equal(true);
    // The same dialog of another row is the same.
    if (!isKnown) {
      const { expected } = await walk();
      // Beyond the last is the browser itself, or the first again; never the page behind.
      for (let press = 0; press < Math.min(3, expected); press += 1) {
        await page.keyboard.press('Tab');
        expect(
          await page.evaluate(
            'document.activeElement.closest("main, header.top, nav") === null || document.activeElement.closest("dialog") !== null',
          ),
          opener,
        ).to.equal(true);
      }
      expect([title, await accessibilityViolations(page)]).to.deep.equal([title, []]);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    // A moment after it is gone.
    const focused = (): Promise<unknown> => page.evaluate('document.activeElement.tagName');
    for (let wait = 0; wait < 20 && (await focused()) === 'BODY'; wait += 1) await page.waitForTimeout(20);
    expect([title, await focused()]).to.deep.equal([title, 'BUTTON']);
    return title;
  }

  it('moves nothing for those who have asked for less motion', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route('**/api/eu-west-1/kms/ListKeys', async (route) => {
      await held;
      await route.continue();
    });
    const running = 'document.getAnimations().filter(({ playState }) => playState === "running").length';
    const counts: number[] = [];
    for (const reducedMotion of ['no-preference', 'reduce'] as const) {
      await page.emulateMedia({ reducedMotion });
      await page.goto(`${lab.url}/eu-west-1/keys`);
      await page.waitForSelector('.spinner');
      counts.push(await page.evaluate<number>(running));
    }
    release();
    await page.unroute('**/api/eu-west-1/kms/ListKeys');
    expect(counts).to.deep.equal([1, 0]);
  });

  it('breaks no rule of its own policy meanwhile', () => {
    expect(lab.complaints).to.deep.equal([]);
  });
});
