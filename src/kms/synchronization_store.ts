import type { KeyId } from './key_id.js';

/** What a primary last brought to each of its replicas, as far as it takes to tell whether anything is new. */
export interface SynchronizationStore {
  /**
   * Notes what a replica has confirmed. Joins the transaction that is open.
   *
   * @param contextHash - of the metadata that it was sent, as it was sent
   * @returns whether it is something else than the last time
   */
  note(keyId: KeyId, region: string, contextHash: string): boolean;
}
