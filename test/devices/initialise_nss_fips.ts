// Sets the user PIN of a fresh FIPS database of NSS: node initialise_nss_fips.js MODULE LIBRARY-PARAMETERS PIN-FILE
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { TokenModule } from '../../src/token/module.js';
import { initialiseToken } from '../../src/token/token_initialisation.js';

const [modulePath = '', libraryParameters = '', pinFile = ''] = process.argv.slice(2);
// In FIPS mode a PIN has at least seven characters of three classes.
writeFileSync(pinFile, `Keyferry-${randomInt(10_000_000, 99_999_999)}`, { mode: 0o600, flag: 'wx' });

const module = TokenModule.load(modulePath);
module.initialise({ libraryParameters });
const [slot] = module.slots();
if (slot === undefined) throw new Error('NSS softoken in FIPS mode shows no slot');
await initialiseToken(module, {
  slotId: slot.slotId,
  label: slot.token().label,
  soPin: { kind: 'empty' },
  userPin: { kind: 'file', path: pinFile },
});
module.close();
