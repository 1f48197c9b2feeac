import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMS } from '@aws-sdk/client-kms';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { labAccessKey } from '../../src/lab/aws_files.js';
import { consoleLink } from '../../src/lab/console_link.js';
import { parseLabFile } from '../../src/lab/lab_file.js';
import type { AccessKey } from '../../src/lab/region_config.js';
import { runLab, type RunningLab } from '../../src/lab/running_lab.js';
import { StateDirectory } from '../../src/lab/state_directory.js';
import { launchBrowser, VIEWPORTS } from './browser.js';

/** The regions of the lab; the first one is where the console begins. */
export const CONSOLE_REGIONS = ['us-east-1', 'eu-west-1'] as const;

/** Somebody who may list keys and nothing else. */
export const CONSOLE_GUEST: AccessKey = {
  accessKeyId: 'AKIAGUESTOFCONSOLE00',
  secretAccessKey: 'a guest has no secrets',
  principal: 'arn:aws:iam::111122223333:user/guest',
};

const LAB_FILE = JSON.stringify({
  endpoint: '127.0.0.1:0',
  proxy: { listen: '127.0.0.1:0' },
  regions: Object.fromEntries(CONSOLE_REGIONS.map((name) => [name, { listen: '127.0.0.1:0' }])),
  credentials: [
    {
      ...CONSOLE_GUEST,
      policy: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: ['kms:ListKeys', 'kms:ListAliases'], Resource: '*' }],
      },
    },
  ],
});

/** A lab as `keyferry up` runs it, with its console, and a browser. */
export class ConsoleLab {
  readonly directory: StateDirectory;
  /** URL of the console. */
  readonly url: string;
  /** Whatever a page has complained about: refused by its policy, thrown, or written to the browser's console as an error. */
  readonly complaints: string[] = [];
  readonly #lab: RunningLab;
  readonly #browser: Browser;
  readonly #key: AccessKey;
  readonly #clients: KMS[] = [];

  private constructor(parts: { directory: StateDirectory; lab: RunningLab; browser: Browser; key: AccessKey }) {
    this.directory = parts.directory;
    this.#lab = parts.lab;
    this.#browser = parts.browser;
    this.#key = parts.key;
    this.url = parts.lab.summary.console ?? '';
  }

  static async start(): Promise<ConsoleLab> {
    const directory = new StateDirectory(mkdtempSync(join(tmpdir(), 'kf-console-')));
    const file = parseLabFile(LAB_FILE, 'lab.yaml');
    const [lab, browser] = await Promise.all([
      runLab(directory, file, { showStep: (_label, work) => work() }),
      launchBrowser(),
    ]);
    return new ConsoleLab({ directory, lab, browser, key: labAccessKey(directory, file) });
  }

  /** The account's root, as another client of the lab. */
  kms(region: string): KMS {
    const client = new KMS({ region, endpoint: this.#lab.summary.endpoint, credentials: this.#key });
    this.#clients.push(client);
    return client;
  }

  /** A login link: for the account's root, or for whom is named. */
  async link(principal: string | null = null): Promise<string> {
    return (await consoleLink(this.directory, principal)).url;
  }

  /** A window of its own: cookies and settings are not those of other tests. */
  async window(options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
    const context = await this.#browser.newContext({ viewport: VIEWPORTS.desktop, ...options });
    context.on('weberror', (failure) => this.complaints.push(failure.error().message));
    context.on('console', (message) => {
      // Pages of attackers may complain; and what the network answered is looked at where it matters.
      if (message.page()?.url().startsWith(this.url) !== true || message.type() !== 'error') return;
      if (!message.text().startsWith('Failed to load resource')) this.complaints.push(message.text());
    });
    return context;
  }

  /**
   * A page that is logged in.
   *
   * @param options.path - for example `/us-east-1/keys`; the console's own choice where it is absent
   */
  async page(
    options: {
      readonly principal?: string;
      readonly path?: string;
      readonly window?: Parameters<Browser['newContext']>[0];
    } = {},
  ): Promise<Page> {
    const context = await this.window(options.window);
    const page = await context.newPage();
    await page.goto(await this.link(options.principal ?? null));
    await page.waitForSelector('.shell');
    if (options.path !== undefined) await page.goto(`${this.url}${options.path}`);
    return page;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.#browser.close();
    await this.#lab.stop();
    rmSync(this.directory.root, { recursive: true, force: true });
  }
}

let shared: Promise<ConsoleLab> | undefined;

/** The lab of all tests of this process: starting it is what takes long. It stops at the end of the last test. */
export function consoleLab(): Promise<ConsoleLab> {
  shared ??= ConsoleLab.start();
  return shared;
}

after('the lab of the console stops', async () => {
  const lab = await shared?.catch(() => undefined);
  await lab?.stop();
});
