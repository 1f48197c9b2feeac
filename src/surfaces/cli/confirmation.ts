import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { CeremonyError } from '../../customer/errors.js';

/**
 * Asks a person whether to go on, on the controlling terminal: standard input may be the material. Without a terminal nobody is asked.
 *
 * @param options.isConfirmed - the command line says yes
 * @throws {@link CeremonyError} `ERR_CEREMONY_DECLINED` for every answer but yes
 */
export function confirm(question: string, options: { readonly isConfirmed: boolean }): void {
  if (options.isConfirmed || !process.stderr.isTTY) return;
  let terminal: number;
  try {
    terminal = openSync('/dev/tty', 'r+');
  } catch {
    return;
  }
  try {
    writeSync(terminal, `${question} [y/N] `);
    const answer = Buffer.alloc(256);
    const octets = readSync(terminal, answer);
    if (/^y(es)?\s*$/iu.test(answer.toString('utf8', 0, octets))) return;
  } finally {
    closeSync(terminal);
  }
  throw new CeremonyError('ERR_CEREMONY_DECLINED', 'Nothing was imported');
}
