// Initialises a module twice, and prints what its random generator gives first each time, in hexadecimal: to be compared with other starts.
import { CKF_SERIAL_SESSION } from '../token/cryptoki.js';
import { TokenModule, type ModuleSettings } from '../token/module.js';
import { RawLibrary } from '../token/raw_library.js';

const OCTETS = 64;

interface Reference {
  readonly module: string;
  readonly settings: ModuleSettings;
  readonly slotId: number;
}

const { module: path, settings, slotId } = JSON.parse(process.argv[2] ?? '') as Reference;
const module = TokenModule.load(path);
for (let start = 0; start < 2; start += 1) {
  module.initialise(settings);
  const raw = new RawLibrary(module);
  const { handle } = module.findToken({ slotId });
  const session = raw.call('C_OpenSession', (library) => library.C_OpenSession(handle, CKF_SERIAL_SESSION));
  const { value } = session;
  if (value === undefined) process.exit(1);
  const drawn = raw.call('C_GenerateRandom', (library) => library.C_GenerateRandom(value, Buffer.alloc(OCTETS)));
  if (drawn.value === undefined) process.exit(1);
  process.stdout.write(`${drawn.value.toString('hex')}\n`);
  module.finalise();
}
