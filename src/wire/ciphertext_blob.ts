import { concat, lengthPrefixed, toHex, utf8 } from '../bytes.js';
import { encodeEncryptionContext } from './encryption_context.js';

/**
 * How message keys are made from a backing key (docs/CIPHERTEXT.md).
 *
 * `SP800108-GCM`: SP 800-108 counter mode with HMAC-SHA-256. `CBCDATA-GCM`: `CKM_AES_CBC_ENCRYPT_DATA` with the nonce as IV
 * over two fixed blocks. `DIRECT-GCM`: the backing key itself with a random IV. `*-GCM-TOKENIV`: a message key as in the suite without,
 * and an IV that is not in the additional data, so that a token may make it while it encrypts.
 */
export type DataSuite = 'SP800108-GCM' | 'CBCDATA-GCM' | 'SP800108-GCM-TOKENIV' | 'CBCDATA-GCM-TOKENIV' | 'DIRECT-GCM';

/** All data suites, the preferred first. */
export const DATA_SUITES: readonly DataSuite[] = [
  'SP800108-GCM',
  'CBCDATA-GCM',
  'SP800108-GCM-TOKENIV',
  'CBCDATA-GCM-TOKENIV',
  'DIRECT-GCM',
];

/** Longest plaintext of one blob, octets. */
export const PLAINTEXT_OCTETS_MAX = 4096;
/** Longest blob, octets. */
export const BLOB_OCTETS_MAX = 6144;

const VERSION = 1;
const MATERIAL_ID_OCTETS = 32;
const NONCE_OCTETS = 16;
const IV_OCTETS = 12;
const TAG_OCTETS = 16;
const IV_AT = 2 + MATERIAL_ID_OCTETS + NONCE_OCTETS;
const HEADER_OCTETS = IV_AT + IV_OCTETS;

const octetOfSuite: Readonly<Record<DataSuite, number>> = {
  'SP800108-GCM': 1,
  'CBCDATA-GCM': 2,
  'DIRECT-GCM': 3,
  'SP800108-GCM-TOKENIV': 4,
  'CBCDATA-GCM-TOKENIV': 5,
};
const suiteOfOctet = new Map<number, DataSuite>(DATA_SUITES.map((suite) => [octetOfSuite[suite], suite]));

/** Everything of a blob that is not ciphertext. All of it is authenticated: another IV than the message's own fails the tag. */
export interface CiphertextHeader {
  readonly suite: DataSuite;
  /** 64 lower-case hex digits. */
  readonly materialId: string;
  /** 16 octets; makes the message key. */
  readonly nonce: Uint8Array;
  /** 12 octets. */
  readonly iv: Uint8Array;
}

/** A blob taken apart. */
export interface CiphertextBlob extends CiphertextHeader {
  /** Ciphertext and the 16-octet tag behind it, as `C_Decrypt` takes them. */
  readonly ciphertextAndTag: Uint8Array;
  /** The header's own octets. */
  readonly header: Uint8Array;
}

/** The header's octets: version, suite, key material id, nonce, IV; 62 octets, or 50 without the IV, which then comes later. */
export function encodeCiphertextHeader(
  header: Omit<CiphertextHeader, 'iv'> & { readonly iv?: Uint8Array },
): Uint8Array {
  const octets = Buffer.alloc(header.iv === undefined ? IV_AT : HEADER_OCTETS);
  octets[0] = VERSION;
  octets[1] = octetOfSuite[header.suite];
  octets.write(header.materialId, 2, 'hex');
  octets.set(header.nonce, 2 + MATERIAL_ID_OCTETS);
  if (header.iv !== undefined) octets.set(header.iv, IV_AT);
  return octets;
}

/**
 * Takes a ciphertext blob apart, strictly.
 *
 * @returns null for anything that is not a blob; it never says why, as no decryption failure does
 */
export function parseCiphertextBlob(octets: Uint8Array): CiphertextBlob | null {
  const length = plaintextOctets(octets);
  if (length < 1 || length > PLAINTEXT_OCTETS_MAX || octets[0] !== VERSION) return null;
  const suite = suiteOfOctet.get(octets[1] ?? 0);
  if (suite === undefined) return null;
  const own = Uint8Array.from(octets);
  const nonceAt = 2 + MATERIAL_ID_OCTETS;
  return {
    suite,
    materialId: toHex(own.subarray(2, nonceAt)),
    nonce: own.subarray(nonceAt, IV_AT),
    iv: own.subarray(IV_AT, HEADER_OCTETS),
    ciphertextAndTag: own.subarray(HEADER_OCTETS),
    header: own.subarray(0, HEADER_OCTETS),
  };
}

/** Octets of the plaintext of a blob. */
export function plaintextOctets(blob: Uint8Array): number {
  return blob.length - HEADER_OCTETS - TAG_OCTETS;
}

/** Whether a suite's IV is not in the additional data, because the token may make it only after it has seen them. */
export function leavesIvToToken(suite: DataSuite): boolean {
  return suite === 'SP800108-GCM-TOKENIV' || suite === 'CBCDATA-GCM-TOKENIV';
}

/**
 * What a blob authenticates besides its plaintext: its header, the key id and the encryption context, so that the same material
 * under another key id, or with another context, does not decrypt.
 *
 * @param header - with or without the IV, which is left out where the suite leaves it to the token
 * @param keyId - key id without ARN; related multi-Region keys share it
 */
export function additionalData(
  header: Uint8Array,
  keyId: string,
  context: Readonly<Record<string, string>>,
): Uint8Array {
  const suite = suiteOfOctet.get(header[1] ?? 0);
  const bound = suite !== undefined && leavesIvToToken(suite) ? header.subarray(0, IV_AT) : header;
  return concat(bound, lengthPrefixed(utf8(keyId)), encodeEncryptionContext(context));
}
