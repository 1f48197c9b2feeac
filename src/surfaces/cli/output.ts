import pc from 'picocolors';
import { KeyferryError, type ErrorDetails } from '../../errors.js';

/** Work that takes longer than this is announced, milliseconds. */
const PATIENCE_MS = 1_000;

/** Where a command writes: results to standard output, everything else to standard error. */
export class Output {
  /** Whether only JSON may go to standard output. */
  readonly isJson: boolean;
  readonly colours: ReturnType<typeof pc.createColors>;
  readonly #progressColours: ReturnType<typeof pc.createColors>;

  constructor(options: { readonly json: boolean }) {
    this.isJson = options.json;
    this.colours = pc.createColors(!options.json && hasColours(process.stdout));
    this.#progressColours = pc.createColors(hasColours(process.stderr));
  }

  /** The result of a command: one JSON value, or a text for people. */
  result(value: unknown, text: (colours: Output['colours']) => string): void {
    process.stdout.write(`${this.isJson ? JSON.stringify(value) : text(this.colours)}\n`);
  }

  /** A line for people on standard output; nothing with `--json`. */
  line(text: string): void {
    if (!this.isJson) process.stdout.write(`${text}\n`);
  }

  /** A line about what is going on, on standard error. */
  note(text: string): void {
    if (!this.isJson) process.stderr.write(`${text}\n`);
  }

  /** Runs work, and says what it is if it takes longer than a second, and how long it took. */
  readonly step = async <Result>(label: string, work: () => Promise<Result>): Promise<Result> => {
    const startedMs = performance.now();
    let isAnnounced = false;
    const timer = setTimeout(() => {
      isAnnounced = true;
      if (!this.isJson) process.stderr.write(`${this.#progressColours.dim('…')} ${label}\n`);
    }, PATIENCE_MS);
    try {
      const result = await work();
      if (isAnnounced && !this.isJson) {
        const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
        process.stderr.write(`${this.#progressColours.green('✓')} ${label} (${seconds} s)\n`);
      }
      return result;
    } finally {
      clearTimeout(timer);
    }
  };

  /** A failure: code, message, and what to do about it. */
  failure(error: unknown): void {
    const document = errorDocument(error);
    if (this.isJson) {
      process.stderr.write(`${JSON.stringify({ error: document })}\n`);
      return;
    }
    const colours = this.#progressColours;
    process.stderr.write(`${colours.red(document.code)} ${document.message}\n`);
    if (document.remedy !== null) process.stderr.write(`${colours.dim('What to do:')} ${document.remedy}\n`);
  }
}

/** A failure as it is shown: never a stack, which goes nowhere but to a bug report. */
export function errorDocument(error: unknown): {
  readonly code: string;
  readonly message: string;
  readonly remedy: string | null;
  readonly details: ErrorDetails;
} {
  if (error instanceof KeyferryError) {
    const remedy = 'remedy' in error && typeof error.remedy === 'string' ? error.remedy : null;
    // Some messages end with their remedy already.
    const isSaid = remedy !== null && error.message.includes(remedy);
    return { code: error.code, message: error.message, remedy: isSaid ? null : remedy, details: error.details };
  }
  const message =
    error instanceof Error
      ? process.env['KEYFERRY_DEBUG'] === undefined
        ? error.message
        : (error.stack ?? error.message)
      : String(error);
  return { code: 'ERR_INTERNAL', message, remedy: 'this is a bug; KEYFERRY_DEBUG=1 shows where', details: {} };
}

/**
 * Aligned columns. Cells may be coloured; what is aligned is what is seen.
 *
 * @param rows - the first is the header
 */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => visibleLength(row[column] ?? ''))));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - visibleLength(cell)),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function visibleLength(text: string): number {
  // eslint-disable-next-line no-control-regex
  return [...text.replace(/\u001b\[[0-9;]*m/gu, '')].length;
}

/** @source no-color.org */
function hasColours(stream: NodeJS.WriteStream): boolean {
  const noColor = process.env['NO_COLOR'];
  return stream.isTTY === true && (noColor === undefined || noColor === '') && process.env['TERM'] !== 'dumb';
}
