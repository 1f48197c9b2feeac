import { concat, lengthPrefixed, utf8 } from '../bytes.js';
import type { DataSuite } from './ciphertext_blob.js';

const LABEL = 'keyferry-material-record-1';

/** What a stored backing key is bound to; all of it is under the record key's MAC. */
export interface MaterialRecord {
  readonly keyId: string;
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly multiRegion: boolean;
  readonly dataSuite: DataSuite;
  readonly materialId: string;
  readonly domainKeyId: string;
  readonly exportedKeyToken: Uint8Array;
}

/** The octets under the record key's MAC: every member behind its length, in this order. */
export function encodeMaterialRecord(record: MaterialRecord): Uint8Array {
  const texts = [
    LABEL,
    record.keyId,
    record.keySpec,
    record.keyUsage,
    record.multiRegion ? 'multi-Region' : 'single-Region',
    record.dataSuite,
    record.materialId,
    record.domainKeyId,
  ];
  return concat(...texts.map((text) => lengthPrefixed(utf8(text))), lengthPrefixed(record.exportedKeyToken));
}
