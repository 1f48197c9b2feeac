import { TokenError } from '../../src/token/errors.js';
import { TokenModule, type ModuleSettings } from '../../src/token/module.js';
import type { PinSource } from '../../src/token/native.js';
import { OpenToken } from '../../src/token/open_token.js';

// A program: opens the token that its argument names, and prints the code of the last failure and whether it was remembered.
interface Request {
  readonly module: string;
  readonly settings: ModuleSettings;
  readonly label: string;
  readonly userPin: PinSource;
  readonly attempts?: number;
}

const request = JSON.parse(process.argv[2] ?? '') as Request;
const module = TokenModule.load(request.module);
module.initialise(request.settings);
let outcome = { code: '', remembered: false };
for (let attempt = 0; attempt < (request.attempts ?? 1); attempt++) {
  try {
    const token = await OpenToken.open(module, { token: { label: request.label }, userPin: request.userPin });
    await token.close();
    outcome = { code: '', remembered: false };
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    outcome = { code: error.code, remembered: error.details['remembered'] === true };
  }
}
module.close();
process.stdout.write(JSON.stringify(outcome));
