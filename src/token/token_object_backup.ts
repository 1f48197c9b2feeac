import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const TOKEN_OBJECT = 'token.object';
const BACKUP = 'token.object.kept';
const PRIVATE_FILE = 0o600;

/** Octets of an attribute's value in an object file, by the kind that is written before it; null for lengths of their own. */
const valueOctetsByKind: ReadonlyMap<bigint, number | null> = new Map([
  [1n, 1],
  [2n, 8],
  [3n, null],
]);

/**
 * Whether an object file ends where an attribute ends. Octets of a kind that is not known here count as whole.
 *
 * @source SoftHSM2 2.6.1, object store of files: a generation, then type, kind and value of each attribute, 64-bit big-endian
 */
export function isWholeObjectFile(octets: Buffer): boolean {
  if (octets.length <= 8) return false;
  let at = 8;
  while (at < octets.length) {
    if (at + 16 > octets.length) return false;
    const length = valueOctetsByKind.get(octets.readBigUInt64BE(at + 8));
    at += 16;
    if (length === undefined) return true;
    if (length !== null) {
      at += length;
    } else {
      if (at + 8 > octets.length) return false;
      const valueOctets = octets.readBigUInt64BE(at);
      if (valueOctets > BigInt(octets.length)) return false;
      at += 8 + Number(valueOctets);
    }
  }
  return at === octets.length;
}

/**
 * Keeps a copy of each SoftHSM2 token's own object, and puts it back where the object is not whole.
 *
 * HAZARD: SoftHSM2 2.6.1 empties `token.object` and writes it again at every login. A process that is killed in between leaves an empty
 * file, and with it goes the key that all objects of the token are encrypted under. What the file holds changes only
 * when the token is initialised or a PIN is set; so a copy from before the login is as good as the original.
 *
 * Call it before the module is initialised, while no other process of ours has the token open.
 *
 * @param directory - where the tokens' directories are
 * @returns names of the token directories that were repaired
 */
export function keepTokenObjects(directory: string): readonly string[] {
  const repaired: string[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const original = join(directory, entry.name, TOKEN_OBJECT);
    const backup = join(directory, entry.name, BACKUP);
    if (!entry.isDirectory() || !existsSync(original)) continue;
    const octets = readFileSync(original);
    if (isWholeObjectFile(octets)) {
      if (!existsSync(backup) || !readFileSync(backup).equals(octets)) replace(backup, octets);
    } else if (existsSync(backup)) {
      replace(original, readFileSync(backup));
      repaired.push(entry.name);
    }
  }
  return repaired;
}

/** Writes a file that is at every moment either the old or the new one, also after a loss of power. */
function replace(path: string, octets: Buffer): void {
  const fresh = `${path}.new`;
  const file = openSync(fresh, 'w', PRIVATE_FILE);
  try {
    writeSync(file, octets);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}
