import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { TokenModule, type ModuleSettings } from '../../src/token/module.js';
import { findModule } from '../../src/token/module_path.js';
import { generatePinFile, type PinSource } from '../../src/token/native.js';
import { initialiseToken } from '../../src/token/token_initialisation.js';
import { prepareTokenDirectory, type SoftwareTokenKind } from '../../src/token/token_directory.js';

export type { SoftwareTokenKind } from '../../src/token/token_directory.js';

/** An initialised token that only one test uses. */
export interface ScratchToken {
  readonly kind: SoftwareTokenKind;
  /** Everything of this token lies below it; removed by `dispose`. */
  readonly directory: string;
  /** A copy of the library, or of the shim in front of it: its own instance of the module, so that several live side by side. */
  readonly modulePath: string;
  /** What `C_Initialize` needs, here or in another process. */
  readonly settings: ModuleSettings;
  readonly libraryParameters?: string;
  /** Loaded and initialised. */
  readonly module: TokenModule;
  readonly slotId: number;
  readonly label: string;
  readonly userPin: PinSource;
  readonly soPin: PinSource;
  readonly userPinFile: string;
  /** Null for NSS softoken, whose security officer has the empty PIN. */
  readonly soPinFile: string | null;
  /** Finalises the module and removes the directory; close executors first. */
  dispose(): void;
}

/** The kinds of token to test: all, or the one that `KEYFERRY_TOKEN` names. */
export function tokenKinds(): readonly SoftwareTokenKind[] {
  const wanted = process.env['KEYFERRY_TOKEN'];
  const kinds: readonly SoftwareTokenKind[] = ['softhsm2', 'nss'];
  const chosen = kinds.filter((kind) => wanted === undefined || wanted === '' || kind === wanted);
  if (chosen.length === 0) throw new Error(`KEYFERRY_TOKEN is ${wanted}, which is none of ${kinds.join(', ')}`);
  return chosen;
}

/**
 * Makes a fresh token with PINs of its own in a directory of its own.
 *
 * @param kind - which software token
 * @param label - its label
 */
export async function makeScratchToken(
  kind: SoftwareTokenKind,
  label = `keyferry test ${kind}`,
): Promise<ScratchToken> {
  const directory = mkdtempSync(join(tmpdir(), `keyferry-${kind}-`));
  const library = findModule(kind);
  const modulePath = join(directory, basename(library));
  copyFileSync(library, modulePath);
  return initialiseScratchToken({ kind, label, directory, modulePath });
}

/** Makes the token of a {@link ScratchToken} with a module that lies in its directory already. */
export async function initialiseScratchToken(place: {
  readonly kind: SoftwareTokenKind;
  readonly label: string;
  readonly directory: string;
  readonly modulePath: string;
}): Promise<ScratchToken> {
  const { kind, label, directory, modulePath } = place;
  const settings = prepareTokenDirectory(kind, join(directory, 'token'), label);
  const userPinFile = join(directory, 'user.pin');
  const soPinFile = kind === 'nss' ? null : join(directory, 'so.pin');
  generatePinFile(userPinFile);
  if (soPinFile !== null) generatePinFile(soPinFile);
  const userPin: PinSource = { kind: 'file', path: userPinFile };
  const soPin: PinSource = soPinFile === null ? { kind: 'empty' } : { kind: 'file', path: soPinFile };

  const module = TokenModule.load(modulePath);
  module.initialise(settings);
  const fresh = module.slots().find((slot) => !slot.token().isInitialised);
  if (fresh === undefined) throw new Error(`a fresh ${kind} has no slot to initialise`);
  const slot = await initialiseToken(module, { slotId: fresh.slotId, label, soPin, userPin });
  return {
    kind,
    directory,
    modulePath,
    settings,
    ...(settings.libraryParameters === undefined ? {} : { libraryParameters: settings.libraryParameters }),
    module,
    slotId: slot.slotId,
    label,
    userPin,
    soPin,
    userPinFile,
    soPinFile,
    dispose: () => {
      module.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
