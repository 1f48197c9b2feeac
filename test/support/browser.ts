import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Where browsers of the system are. */
const EXECUTABLES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Window sizes that pages are looked at in, CSS pixels. */
export const VIEWPORTS = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 360, height: 740 },
} as const;

/** One thing that axe says is wrong with a page. */
export interface AccessibilityViolation {
  readonly id: string;
  readonly help: string;
  /** Selectors of the elements, and why each is wrong. */
  readonly elements: readonly string[];
}

/** The browser of the system; undefined where there is none. `KEYFERRY_CHROMIUM` names another one. */
export function browserExecutable(): string | undefined {
  const named = process.env['KEYFERRY_CHROMIUM'];
  return [...(named === undefined ? [] : [named]), ...EXECUTABLES].find((path) => existsSync(path));
}

/** Skips the tests of a suite where the system has no browser; for a `before` hook. */
export function skipWithoutBrowser(context: Mocha.Context): void {
  if (browserExecutable() !== undefined) return;
  const { parent } = context.test ?? {};
  if (parent !== undefined) Object.assign(parent, { skipReason: 'the system has no Chromium in /usr/bin' });
  context.skip();
}

/**
 * Starts a headless browser; close it in an `after` hook.
 *
 * @throws Error where the system has none: call {@link skipWithoutBrowser} first
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = browserExecutable();
  if (executablePath === undefined) throw new Error('the system has no Chromium');
  return chromium.launch({
    executablePath,
    headless: true,
    // The sandbox cannot be set up by root; shared memory of a container is small.
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage', '--disable-gpu'],
  });
}

/** Takes the folder for screenshots: that of `KEYFERRY_SCREENSHOTS`, where a person wants to look at them, or a temporary one. */
export function screenshotFolder(): string {
  const named = process.env['KEYFERRY_SCREENSHOTS'];
  if (named === undefined || named === '') return mkdtempSync(join(tmpdir(), 'keyferry-screenshots-'));
  mkdirSync(named, { recursive: true });
  return named;
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/**
 * Runs axe over a page as it is now: rules of WCAG 2.2 A and AA, and axe's best practices.
 *
 * It works under a strict Content-Security-Policy too: nothing is added to the document.
 *
 * @param rules - ids of the rules, where not all of them are wanted
 * @returns what is wrong; empty where axe finds nothing
 */
export async function accessibilityViolations(
  page: Page,
  rules?: readonly string[],
): Promise<readonly AccessibilityViolation[]> {
  if (!(await page.evaluate<boolean>('"axe" in window'))) await page.evaluate(axeSource);
  const options = { resultTypes: ['violations'], ...(rules !== undefined && { runOnly: rules }) };
  const violations = await page.evaluate<
    readonly {
      readonly id: string;
      readonly help: string;
      readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
    }[]
  >(`axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`);
  return violations.map(({ id, help, nodes }) => ({
    id,
    help,
    elements: nodes.map(({ target, failureSummary }) => `${target.join(' ')}: ${failureSummary ?? ''}`),
  }));
}

/** How far a page is wider than its window, CSS pixels: 0 where nobody has to scroll sideways. */
export function sidewaysOverflow(page: Page): Promise<number> {
  return page.evaluate<number>(
    'Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)',
  );
}
