import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import type { PinSource } from './native.js';

/** What a PIN was tried on: one that is wrong there may be right for another token, or for its other user. */
export interface PinTarget {
  /** Whose PIN; the user's when absent. */
  readonly user?: 'user' | 'so';
  readonly modulePath: string;
  readonly serial: string;
  readonly label: string;
}

const MARKER_SUFFIX = '.refused';
const PRIVATE_FILE = 0o600;

/** Refusals of this process, by token and PIN source. */
const refusals = new Set<string>();

/**
 * What tells one PIN in a file from another without reading it: device, inode, time of change, length.
 * Undefined where there is no file to look at, which is for the login itself to report.
 */
function fileIdentity(path: string): string | undefined {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file === undefined ? undefined : `${file.dev}:${file.ino}:${file.mtimeNs}:${file.size}`;
}

function targetText(target: PinTarget): string {
  return JSON.stringify([target.user ?? 'user', target.serial, target.label]);
}

function sourceText(source: PinSource): string | undefined {
  switch (source.kind) {
    case 'file': {
      const identity = fileIdentity(source.path);
      return identity === undefined ? undefined : `file ${identity}`;
    }
    case 'environment':
      return `environment ${source.name}`;
    case 'empty':
      return 'empty';
    case 'prompt':
      // Each prompt asks a person anew.
      return undefined;
  }
}

function markerText(target: PinTarget, source: PinSource): string | undefined {
  const from = sourceText(source);
  return from === undefined ? undefined : `${targetText(target)} ${from}\n`;
}

/** Path of the marker beside a PIN file that says that its PIN was refused. */
export function refusalMarker(pinFile: string): string {
  return `${pinFile}${MARKER_SUFFIX}`;
}

/**
 * Whether a token refused this very PIN before: in this process, or, for a PIN in a file, in an earlier one.
 *
 * A PIN that is tried at every restart of a service locks the token.
 */
export function wasRefused(target: PinTarget, source: PinSource): boolean {
  const text = markerText(target, source);
  if (text === undefined) return false;
  if (refusals.has(`${target.modulePath} ${text}`)) return true;
  return source.kind === 'file' && readMarker(source.path) === text;
}

function readMarker(pinFile: string): string | undefined {
  try {
    return readFileSync(refusalMarker(pinFile), 'utf8');
  } catch {
    // No marker, or one that cannot be read: then only this process's memory counts.
    return undefined;
  }
}

/**
 * Remembers that a token refused a PIN. Nothing of the PIN itself is kept.
 *
 * @returns whether a later process will know: false for PINs that are not in a file, and where no marker can be written beside it
 */
export function rememberRefusal(target: PinTarget, source: PinSource): boolean {
  const text = markerText(target, source);
  if (text === undefined) return false;
  refusals.add(`${target.modulePath} ${text}`);
  if (source.kind !== 'file') return false;
  try {
    const marker = openSync(refusalMarker(source.path), 'w', PRIVATE_FILE);
    try {
      writeSync(marker, text);
    } finally {
      closeSync(marker);
    }
    return true;
  } catch {
    // A read-only directory of secrets is usual in containers; the refusal itself is reported by the caller.
    return false;
  }
}

/** Forgets a refusal, after a login that worked. */
export function forgetRefusal(target: PinTarget, source: PinSource): void {
  const text = markerText(target, source);
  if (text !== undefined) refusals.delete(`${target.modulePath} ${text}`);
  if (source.kind === 'file' && readMarker(source.path) !== undefined) {
    try {
      rmSync(refusalMarker(source.path), { force: true });
    } catch {
      // It names a PIN file that has changed since, so it does no harm.
    }
  }
}
