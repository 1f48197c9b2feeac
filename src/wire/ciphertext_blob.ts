/**
 * How message keys are made from a backing key (design section 6).
 *
 * `SP800108-GCM`: SP 800-108 counter mode with HMAC-SHA-256. `CBCDATA-GCM`: `CKM_AES_CBC_ENCRYPT_DATA` with the nonce as IV
 * over two fixed blocks. `DIRECT-GCM`: the backing key itself with a random IV.
 */
export type DataSuite = 'SP800108-GCM' | 'CBCDATA-GCM' | 'DIRECT-GCM';
