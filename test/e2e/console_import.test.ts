import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KMS } from '@aws-sdk/client-kms';
import { expect } from 'chai';
import type { Locator, Page } from 'playwright-core';
import { askAdmin } from '../../src/lab/admin_client.js';
import { skipWithoutBrowser } from '../support/browser.js';
import { consoleLab, type ConsoleLab } from '../support/console_lab.js';
import { lookAt } from '../support/console_looks.js';
import { wrapForImport } from '../support/import_wrapping.js';

const ALGORITHM = 'RSAES_OAEP_SHA_1';
const UPLOAD = 'Upload key material';
const DOWNLOAD = 'Download wrapping key and import token';
const DELETE = 'Delete key material';

describe('imported key material in the console', function () {
  this.timeout(60_000);
  let lab: ConsoleLab;
  let kms: KMS;
  let page: Page;
  let folder = '';

  before(async function () {
    skipWithoutBrowser(this);
    lab = await consoleLab();
    kms = lab.kms('us-east-1');
    page = await lab.page();
    page.setDefaultTimeout(15_000);
    folder = mkdtempSync(join(tmpdir(), 'kf-import-'));
  });
  after(async () => {
    await page?.context().close();
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  const dialog = (): Locator => page.getByRole('dialog');
  const button = (name: string): Locator => page.getByRole('button', { name, exact: true });
  const inDialog = (name: string): Locator => dialog().getByRole('button', { name, exact: true });
  const general = (): Locator => page.getByRole('region', { name: 'General configuration' });
  const refusal = (code: string): Promise<void> =>
    dialog().getByRole('alert').getByText(code, { exact: true }).waitFor();

  async function makeKey(region = 'us-east-1', request: Parameters<KMS['createKey']>[0] = {}): Promise<string> {
    const { KeyMetadata: made } = await lab.kms(region).createKey({ ...request, Origin: 'EXTERNAL' });
    return made?.KeyId ?? '';
  }

  async function open(keyId: string, region = 'us-east-1'): Promise<void> {
    await page.goto(`${lab.url}/${region}/keys/${keyId}/material`);
    await button(DOWNLOAD).waitFor();
  }

  /** Downloads parameters by the console, and unpacks them with another program. @returns where they are */
  async function download(algorithm: string = ALGORITHM): Promise<string> {
    await button(DOWNLOAD).click();
    await dialog().getByLabel('Wrapping key spec').selectOption('RSA_2048');
    await dialog().getByLabel(algorithm).check();
    const [archive] = await Promise.all([page.waitForEvent('download'), inDialog(DOWNLOAD).click()]);
    const target = mkdtempSync(join(folder, 'parameters-'));
    await archive.saveAs(join(target, archive.suggestedFilename()));
    execFileSync('/usr/bin/python3', ['-m', 'zipfile', '-e', archive.suggestedFilename(), '.'], { cwd: target });
    return target;
  }

  /** Puts wrapped material beside the parameters under which it is wrapped. */
  function wrap(target: string, material: Uint8Array): void {
    const publicKey = readFileSync(join(target, 'WrappingPublicKey.bin'));
    writeFileSync(join(target, 'EncryptedKeyMaterial.bin'), wrapForImport(ALGORITHM, publicKey, material));
  }

  async function choose(target: string, token = join(target, 'ImportToken.bin')): Promise<void> {
    await dialog().getByLabel('Wrapped key material').setInputFiles(join(target, 'EncryptedKeyMaterial.bin'));
    await dialog().getByLabel('Import token').setInputFiles(token);
  }

  /** From the page of the key to the material in it. */
  async function bring(material: Uint8Array, fill: () => Promise<void> = async () => undefined): Promise<string> {
    const target = await download();
    wrap(target, material);
    await inDialog(UPLOAD).click();
    await choose(target);
    await fill();
    await inDialog(UPLOAD).click();
    return target;
  }

  it('makes a key for imported material only where its implications are acknowledged, and leads on to the import', async () => {
    await page.goto(`${lab.url}/us-east-1/keys/create`);
    await page.getByText('Advanced options').click();
    await page.getByLabel('External (Import key material)').check();
    await button('Next').click();
    await page.getByText('This has to be acknowledged.').waitFor();
    await lookAt(page, 'create-external');
    await page.getByLabel(/^I understand the security, availability and durability implications/u).check();
    for (let step = 0; step < 3; step += 1) await button('Next').click();
    await button('Create key').click();
    await general().getByText('Pending import').waitFor();
    expect(new URL(page.url()).pathname).to.match(/^\/us-east-1\/keys\/[0-9a-f-]{36}\/material$/u);
    await page.getByRole('tabpanel').getByText('The key has no material yet.').waitFor();
    await lookAt(page, 'material-pending');
  });

  it('downloads the wrapping key and the import token as one archive, uploads material that expires, and the key is enabled', async () => {
    const KeyId = await makeKey();
    await open(KeyId);
    await button(DOWNLOAD).click();
    await lookAt(page, 'import-parameters');
    // Material of a symmetric key is wrapped under nothing else.
    expect(await dialog().getByLabel('RSA_AES_KEY_WRAP_SHA_256').isDisabled()).to.equal(true);
    await page.keyboard.press('Escape');
    const target = await download();
    const [archive, ...files] = readdirSync(target).toSorted((one) => (one.endsWith('.zip') ? -1 : 1));
    expect(archive).to.match(new RegExp(`^Import_Parameters_${KeyId}_\\d{10}\\.zip$`, 'u'));
    expect(files.toSorted()).to.deep.equal(['ImportToken.bin', 'README.txt', 'WrappingPublicKey.bin']);
    const readme = readFileSync(join(target, 'README.txt'), 'utf8');
    expect(readme).to.contain(`key/${KeyId}`).and.contain('RSA_2048').and.contain(ALGORITHM);
    await lookAt(page, 'import-wrap');

    wrap(target, randomBytes(32));
    await inDialog(UPLOAD).click();
    await inDialog(UPLOAD).click();
    expect(await dialog().getByText('Choose a file.').count()).to.equal(2);
    await choose(target);
    await dialog().getByLabel('Key material expires').check();
    await dialog().getByLabel('Expiration date and time').fill('2020-01-01T00:00');
    await inDialog(UPLOAD).click();
    await dialog().getByText('A time to come.').waitFor();
    const validTo = new Date(Math.floor(Date.now() / 60_000) * 60_000 + 30 * 86_400_000);
    await dialog().getByLabel('Expiration date and time').fill(validTo.toISOString().slice(0, 16));
    await dialog().getByLabel('Description of the material').fill('from the safe');
    await lookAt(page, 'import-upload');
    await inDialog(UPLOAD).click();
    await general().getByText('Enabled').waitFor();
    const { KeyMetadata: imported } = await kms.describeKey({ KeyId });
    expect(imported).to.include({ KeyState: 'Enabled', ExpirationModel: 'KEY_MATERIAL_EXPIRES' });
    expect(imported?.ValidTo?.getTime()).to.equal(validTo.getTime());
    const shown = await page.getByRole('tabpanel').innerText();
    expect(shown).to.contain(
      `${validTo.toISOString().slice(0, 10)} ${validTo.toISOString().slice(11, 16)}:00 UTC (in 29 d`,
    );
    expect(shown).to.contain('from the safe');
    await lookAt(page, 'material-imported');

    const kept = await page.evaluate<string>('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])');
    for (const text of [kept, await page.content()]) {
      for (const name of ['EncryptedKeyMaterial.bin', 'ImportToken.bin']) {
        expect(text).to.not.contain(readFileSync(join(target, name)).toString('base64').slice(0, 64));
      }
    }
  });

  it('shows commands of OpenSSL that wrap a private key as it is to be wrapped', async () => {
    const KeyId = await makeKey('us-east-1', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    await open(KeyId);
    const target = await download('RSA_AES_KEY_WRAP_SHA_1');
    const commands = await dialog().getByLabel('Commands that wrap the material').innerText();
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(target, 'PlaintextKeyMaterial.bin'), privateKey.export({ type: 'pkcs8', format: 'der' }));
    execFileSync('/bin/sh', ['-e', '-c', commands], { cwd: target });
    await inDialog(UPLOAD).click();
    expect(await dialog().getByLabel('Description of the material').count()).to.equal(0);
    await choose(target);
    await inDialog(UPLOAD).click();
    await general().getByText('Enabled').waitFor();
    const { PublicKey = new Uint8Array() } = await kms.getPublicKey({ KeyId });
    expect(Buffer.from(PublicKey)).to.deep.equal(publicKey.export({ type: 'spki', format: 'der' }));
  });

  it('says at the primary key which replicas wait for their material', async () => {
    const KeyId = await makeKey('us-east-1', { MultiRegion: true });
    await open(KeyId);
    const material = randomBytes(32);
    await bring(material);
    await general().getByText('Enabled').waitFor();
    await kms.replicateKey({ KeyId, ReplicaRegion: 'eu-west-1' });
    await page.getByRole('tabpanel').getByText('0 of 1 imported').waitFor();
    await lookAt(page, 'material-of-replicas');
    await page.getByRole('tabpanel').getByText('eu-west-1').click();
    await page.waitForURL(`${lab.url}/eu-west-1/keys/${KeyId}/material`);
    await general().getByText('Pending import').waitFor();
    await bring(material);
    await general().getByText('Enabled').waitFor();
    await page.goBack();
    await page.getByRole('tabpanel').getByText('1 of 1 imported').waitFor();
  });

  it('shows why AWS refuses an upload: other material, octets that do not unwrap, the token of another key', async () => {
    const KeyId = await makeKey();
    const material = randomBytes(32);
    await open(KeyId);
    const first = await bring(material);
    await general().getByText('Enabled').waitFor();
    const second = await bring(randomBytes(32));
    await refusal('IncorrectKeyMaterialException');
    await lookAt(page, 'import-refused');
    await page.keyboard.press('Escape');
    // Each pair of a wrapping key and a token is for one import.
    await button(UPLOAD).click();
    await choose(second, join(first, 'ImportToken.bin'));
    await inDialog(UPLOAD).click();
    await refusal('InvalidImportTokenException');
    await page.keyboard.press('Escape');

    const third = await download();
    writeFileSync(join(third, 'EncryptedKeyMaterial.bin'), randomBytes(256));
    await inDialog(UPLOAD).click();
    await choose(third);
    await inDialog(UPLOAD).click();
    await refusal('InvalidCiphertextException');
    await page.keyboard.press('Escape');
    expect((await kms.describeKey({ KeyId })).KeyMetadata?.KeyState).to.equal('Enabled');
  });

  it('follows the clock of a Region: material expires by itself, and a token after a day', async () => {
    const region = 'eu-west-1';
    const clock = (method: 'POST' | 'DELETE', body?: object): Promise<unknown> =>
      askAdmin(lab.directory.adminSocket(region), { method, path: '/clock', ...(body !== undefined && { body }) });
    await open(await makeKey(region), region);
    await bring(randomBytes(32), async () => {
      await dialog().getByLabel('Key material expires').check();
      await dialog()
        .getByLabel('Expiration date and time')
        .fill(new Date(Date.now() + 3_600_000).toISOString().slice(0, 19));
    });
    await general().getByText('Enabled').waitFor();
    const target = await download();
    wrap(target, randomBytes(32));
    await clock('POST', { milliseconds: 25 * 3_600_000 });
    try {
      await page.locator('.top .clock').getByText('+1 d 1 h').waitFor();
      await general().getByText('Pending import').waitFor();
      await inDialog(UPLOAD).click();
      await choose(target);
      await inDialog(UPLOAD).click();
      await refusal('ExpiredImportTokenException');
      await dialog().getByText('Download a new wrapping key and import token').waitFor();
    } finally {
      await clock('DELETE');
    }
    await page.keyboard.press('Escape');
  });

  it('deletes key material from the table and from the tab, and takes the same material again', async () => {
    const KeyId = await makeKey();
    const material = randomBytes(32);
    await kms.createAlias({ AliasName: 'alias/kept-elsewhere', TargetKeyId: KeyId });
    await open(KeyId);
    await bring(material);
    await general().getByText('Enabled').waitFor();
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: Buffer.from('still there') });
    // From the tab.
    await button(DELETE).click();
    expect(await inDialog(DELETE).isDisabled()).to.equal(true);
    await dialog()
      .getByLabel(/^I confirm/u)
      .check();
    await lookAt(page, 'material-delete');
    await inDialog(DELETE).click();
    await general().getByText('Pending import').waitFor();
    await page.getByRole('tabpanel').getByText('exactly what was imported before').waitFor();
    await bring(material);
    await general().getByText('Enabled').waitFor();
    // From the table.
    await page.getByRole('navigation', { name: 'Console' }).getByText('Customer managed keys').click();
    const row = page.locator('tbody tr').filter({ hasText: KeyId });
    await row.getByText('Enabled').waitFor();
    await row.getByRole('checkbox').check();
    await button('Key actions').click();
    await page.getByRole('menuitem', { name: DELETE, exact: true }).click();
    await dialog()
      .getByLabel(/^I confirm/u)
      .check();
    await inDialog(DELETE).click();
    await row.getByText('Pending import').waitFor();
    expect((await kms.describeKey({ KeyId })).KeyMetadata?.KeyState).to.equal('PendingImport');
    await page.getByRole('link', { name: 'kept-elsewhere' }).click();
    await page.getByRole('tab', { name: 'Key material' }).click();
    await bring(material);
    await general().getByText('Enabled').waitFor();
    const { Plaintext } = await kms.decrypt({ CiphertextBlob });
    expect(Buffer.from(Plaintext ?? []).toString()).to.equal('still there');
  });

  it('imports new material, rotates to it, and shows both', async () => {
    const KeyId = await makeKey();
    await open(KeyId);
    await bring(randomBytes(32));
    await general().getByText('Enabled').waitFor();
    await bring(randomBytes(32), () => dialog().getByLabel('New material').check());
    await page.getByRole('tab', { name: 'Key material and rotations', exact: true }).waitFor();
    await page.locator('tbody tr').filter({ hasText: 'Pending rotation' }).waitFor();
    await button('Rotate now').click();
    await inDialog('Rotate key').click();
    await page.locator('tbody tr').filter({ hasText: 'on demand' }).getByText('Current').waitFor();
    await lookAt(page, 'material-rotated');
    const { Rotations } = await kms.listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' });
    expect(Rotations?.map(({ KeyMaterialState }) => KeyMaterialState)).to.deep.equal(['NON_CURRENT', 'CURRENT']);
  });

  it('breaks no rule of its own policy meanwhile', () => {
    expect(lab.complaints).to.deep.equal([]);
  });
});
