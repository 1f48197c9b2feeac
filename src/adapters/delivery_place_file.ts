import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { DeliveryPlaces } from '../audit/key_event_delivery.js';
import type { LinePlace } from '../line_files.js';

const PRIVATE_FILE = 0o600;

/** How far each receiver of events has got, in a file. One that was lost or cut makes every receiver a new one. */
export class DeliveryPlaceFile implements DeliveryPlaces {
  readonly #file: string;
  readonly #known: ReadonlyMap<string, LinePlace | null>;

  constructor(file: string) {
    this.#file = file;
    this.#known = readPlaces(file);
  }

  /** {@inheritDoc DeliveryPlaces.placeOf} */
  placeOf(url: string): LinePlace | null | undefined {
    return this.#known.get(url);
  }

  /** {@inheritDoc DeliveryPlaces.write} */
  write(places: ReadonlyMap<string, LinePlace | null>): void {
    // What a crash loses of it is delivered twice.
    writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(places)), { mode: PRIVATE_FILE });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

function readPlaces(file: string): ReadonlyMap<string, LinePlace | null> {
  if (!existsSync(file)) return new Map();
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return new Map();
    return new Map(Object.entries(value).filter((entry): entry is [string, LinePlace | null] => isPlace(entry[1])));
  } catch {
    return new Map();
  }
}

function isPlace(value: unknown): value is LinePlace | null {
  if (value === null) return true;
  if (typeof value !== 'object' || !('file' in value) || !('offset' in value)) return false;
  return typeof value.file === 'string' && Number.isSafeInteger(value.offset) && Number(value.offset) >= 0;
}
