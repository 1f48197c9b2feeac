import { concat, lengthPrefixed, utf8 } from '../bytes.js';
import type { DataSuite } from './ciphertext_blob.js';

const SYMMETRIC_LABEL = 'keyferry-material-record-1';
const LABEL = 'keyferry-material-record-2';

/** What a stored backing key is bound to; all of it is under the record key's MAC. */
export interface MaterialRecord {
  readonly keyId: string;
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly multiRegion: boolean;
  /** Null for all specs but SYMMETRIC_DEFAULT. */
  readonly dataSuite: DataSuite | null;
  readonly materialId: string;
  readonly domainKeyId: string;
  readonly exportedKeyToken: Uint8Array;
  /** Public half of an asymmetric key, DER SubjectPublicKeyInfo; null for secrets. */
  readonly publicKey: Uint8Array | null;
}

/**
 * The octets under the record key's MAC: every member behind its length, in this order.
 *
 * Records with a data suite and without a public half have the label and the members that they always had.
 */
export function encodeMaterialRecord(record: MaterialRecord): Uint8Array {
  const isSymmetric = record.dataSuite !== null && record.publicKey === null;
  const texts = [
    isSymmetric ? SYMMETRIC_LABEL : LABEL,
    record.keyId,
    record.keySpec,
    record.keyUsage,
    record.multiRegion ? 'multi-Region' : 'single-Region',
    record.dataSuite ?? '',
    record.materialId,
    record.domainKeyId,
  ];
  return concat(
    ...texts.map((text) => lengthPrefixed(utf8(text))),
    lengthPrefixed(record.exportedKeyToken),
    ...(isSymmetric ? [] : [lengthPrefixed(record.publicKey ?? new Uint8Array())]),
  );
}
