import type { Command } from 'commander';
import type { LabPin, LabToken } from '../../lab/lab_file.js';
import { DIALECT_OPTION, readDialect } from './dialect_file.js';
import { wholeNumberOption } from './command_context.js';

/** How a token is named on the command line. A PIN is never an argument: other users could see it. */
export interface TokenOptions {
  readonly module: string;
  readonly label?: string;
  readonly slot?: number;
  readonly pinFile?: string;
  readonly pinEnvironment?: string;
  readonly dialect?: string;
}

/** Gives a command the options that name a token. */
export function addTokenOptions(target: Command): Command {
  return target
    .option('--module <name|path>', 'softhsm2, nss, or the path of a PKCS#11 library', 'softhsm2')
    .option('--label <label>', 'label of a token of your own (default: Keyferry makes one)')
    .option('--slot <number>', 'slot of a token of your own', wholeNumberOption)
    .option('--pin-file <file>', 'file that holds its PIN')
    .option('--pin-environment <name>', 'environment variable that holds its PIN (default: ask on the terminal)')
    .option('--dialect <file>', DIALECT_OPTION);
}

/** The token as a lab file would name it. */
export function labTokenOf(options: TokenOptions): LabToken {
  const { module, label, slot, pinFile, pinEnvironment, dialect } = options;
  const pin: LabPin | undefined =
    pinFile !== undefined
      ? { file: pinFile }
      : pinEnvironment !== undefined
        ? { environment: pinEnvironment }
        : undefined;
  return { module, label, slot, pin, ...(dialect !== undefined && { dialect: readDialect(dialect) }) };
}
