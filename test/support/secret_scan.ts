import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** Octets that must be nowhere, and what they are called in a finding. */
export interface Secret {
  readonly name: string;
  readonly octets: Uint8Array;
}

/** Octets of one piece of a secret that are looked for: half a key is a leak too. */
const PIECE_OCTETS = 16;

interface Needle {
  readonly form: string;
  readonly octets: Buffer;
}

/** Every way in which programs write octets, for each piece of a secret. */
function needlesOf(secret: Uint8Array): readonly Needle[] {
  const needles: Needle[] = [];
  for (let start = 0; start < secret.length; start += PIECE_OCTETS / 2) {
    const piece = Buffer.from(secret.subarray(start, start + PIECE_OCTETS));
    if (piece.length < PIECE_OCTETS && start > 0) break;
    const octetTexts = [...piece].map((octet) => octet.toString(16).padStart(2, '0'));
    const add = (form: string, text: string): void => void needles.push({ form, octets: Buffer.from(text, 'latin1') });
    needles.push({ form: 'raw', octets: piece });
    needles.push({ form: 'raw, the last octet first', octets: Buffer.from(piece.toReversed()) });
    add('hexadecimal', octetTexts.join(''));
    add('HEXADECIMAL', octetTexts.join('').toUpperCase());
    add('hexadecimal with spaces', octetTexts.join(' '));
    add('hexadecimal with colons', octetTexts.join(':'));
    add('decimal list', [...piece].join(','));
    for (const alignment of [0, 1, 2]) {
      add(`base64 at ${alignment}`, innerBase64(piece, alignment));
      add(`base64url at ${alignment}`, innerBase64(piece, alignment).replaceAll('+', '-').replaceAll('/', '_'));
    }
  }
  return needles;
}

/** The characters of base64 that depend on these octets alone when `alignment` octets (modulo 3) stand before them. */
function innerBase64(octets: Uint8Array, alignment: number): string {
  const text = Buffer.concat([Buffer.alloc(alignment), octets])
    .toString('base64')
    .replaceAll('=', '');
  const bits = 8 * (alignment + octets.length);
  return text.slice(Math.ceil((8 * alignment) / 6), Math.floor(bits / 6));
}

/** Looks for secrets in octets and in files. */
export class SecretScan {
  readonly #needles: readonly (Needle & { readonly secret: string })[];

  constructor(secrets: readonly Secret[]) {
    this.#needles = secrets.flatMap(({ name, octets }) =>
      needlesOf(octets).map((needle) => ({ ...needle, secret: name })),
    );
  }

  /** What was found, without the octets themselves: `place: name (form)`. */
  scan(place: string, octets: Uint8Array): readonly string[] {
    const haystack = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
    const found = this.#needles.filter((needle) => haystack.includes(needle.octets));
    return [...new Set(found.map(({ secret, form }) => `${place}: ${secret} (${form})`))];
  }

  /**
   * Scans every file below a directory, whatever its name.
   *
   * @param except - paths relative to it that are left out
   */
  scanFiles(
    directory: string,
    except: readonly string[] = [],
  ): { readonly files: number; readonly found: readonly string[] } {
    const files = readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !except.includes(relative(directory, file)));
    return {
      files: files.length,
      found: files.flatMap((file) => this.scan(relative(directory, file), readFileSync(file))),
    };
  }
}

/** Command line and environment of a process and of all that it started, by process id. */
export function environmentsBelow(pid: number): ReadonlyMap<number, Buffer> {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/u.test(name) ? parentOf(Number(name)) : undefined;
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const isBelow = (child: number | undefined): boolean =>
    child !== undefined && (child === pid || isBelow(parents.get(child)));
  return new Map(
    [...parents.keys()]
      .filter(isBelow)
      .map((child) => [
        child,
        Buffer.concat(['cmdline', 'environ'].map((file) => readProcessFile(child, file) ?? Buffer.alloc(0))),
      ]),
  );
}

function parentOf(pid: number): number | undefined {
  const status = readProcessFile(pid, 'status')?.toString('latin1') ?? '';
  const parent = /^PPid:\s*(\d+)$/mu.exec(status)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Undefined for a process that has ended in the meantime. */
function readProcessFile(pid: number, file: string): Buffer | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`);
  } catch {
    return undefined;
  }
}
