import { concat, lengthPrefixed, utf8 } from '../bytes.js';

const LABEL = 'keyferry-import-key-record-1';

/** What a stored import key is bound to; all of it is under the record key's MAC. */
export interface ImportKeyRecord {
  readonly id: string;
  readonly keySpec: string;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  readonly domainKeyId: string;
  readonly exportedKeyToken: Uint8Array;
}

/** The octets under the record key's MAC: every member behind its length, in this order. No material's record begins alike. */
export function encodeImportKeyRecord(record: ImportKeyRecord): Uint8Array {
  const texts = [LABEL, record.id, record.keySpec, record.domainKeyId];
  return concat(
    ...texts.map((text) => lengthPrefixed(utf8(text))),
    lengthPrefixed(record.publicKey),
    lengthPrefixed(record.exportedKeyToken),
  );
}
