import { join } from 'node:path';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { accessibilityViolations, screenshotFolder, sidewaysOverflow, VIEWPORTS } from './browser.js';

/** Colours alone are different in the dark. */
const SCHEMES = [
  { colorScheme: 'light', rules: undefined },
  { colorScheme: 'dark', rules: ['color-contrast'] },
] as const;
/** Whether somebody wants to look at pictures: they cost more than all else. */
const isPictured = (process.env['KEYFERRY_SCREENSHOTS'] ?? '') !== '';

/**
 * Checks a page, or the dialog over it, as it is now: axe finds nothing in the light and in the dark, and on a phone nobody has to
 * scroll sideways. With `KEYFERRY_SCREENSHOTS`, takes pictures of it in both sizes and colours.
 *
 * @param name - of the pictures, and of what is looked at where something is wrong
 */
export async function lookAt(page: Page, name: string): Promise<void> {
  for (const { colorScheme, rules } of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    expect([name, colorScheme, await accessibilityViolations(page, rules)]).to.deep.equal([name, colorScheme, []]);
    if (isPictured) await takePictures(page, `${name}-${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(VIEWPORTS.phone);
  expect([name, await sidewaysOverflow(page)]).to.deep.equal([name, 0]);
  await page.setViewportSize(VIEWPORTS.desktop);
}

async function takePictures(page: Page, name: string): Promise<void> {
  for (const [size, viewport] of Object.entries(VIEWPORTS)) {
    await page.setViewportSize(viewport);
    await page.screenshot({ path: join(screenshotFolder(), `${name}-${size}.png`) });
  }
  await page.setViewportSize(VIEWPORTS.desktop);
}
