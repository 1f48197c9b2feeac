import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TokenModule } from '../../src/token/module.js';
import { generatePinFile } from '../../src/token/native.js';
import { prepareTokenDirectory } from '../../src/token/token_directory.js';
import { initialiseToken } from '../../src/token/token_initialisation.js';

// A program: initialises a token with the library named on its command line, so that the library uses its cryptography.
const [, , library = ''] = process.argv;
const directory = mkdtempSync(join(tmpdir(), 'keyferry-bindings-'));
try {
  const module = TokenModule.load(library);
  module.initialise(prepareTokenDirectory('softhsm2', directory, 'bindings'));
  const pin = { kind: 'file', path: join(directory, 'pin') } as const;
  generatePinFile(pin.path);
  const [slot] = module.slots();
  if (slot === undefined) throw new Error('no slot');
  await initialiseToken(module, { slotId: slot.slotId, label: 'bindings', soPin: pin, userPin: pin });
  module.close();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
