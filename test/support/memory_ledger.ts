import { tokenObjectIdOf, type StoredMaterial } from '../../src/hsm/material.js';
import type { TokenObjectLedger } from '../../src/hsm/token_object.js';

/** A ledger of token objects without a database; the test says which records there are. */
export class MemoryLedger implements TokenObjectLedger {
  readonly noted = new Set<string>();
  readonly records: StoredMaterial[] = [];

  note(objectId: string): void {
    this.noted.add(objectId);
  }

  forget(objectId: string): void {
    this.noted.delete(objectId);
  }

  unused(): readonly string[] {
    const used = new Set(this.records.map((record) => tokenObjectIdOf(record)));
    return [...this.noted].filter((objectId) => !used.has(objectId));
  }

  count(): number {
    return this.noted.size;
  }
}
