import type { DataSuite } from '../wire/ciphertext_blob.js';
import type { ReplicationSuite } from '../wire/suite.js';
import type { EnforcementName, FactName } from './profile.js';

/** What a region wants its token to do. */
export type StrategyJob =
  | 'deriveRwk'
  | 'wrap'
  | 'unwrap'
  | 'messageKey'
  | 'sign'
  | 'verify'
  | 'mac'
  | 'random'
  | 'trustedDomainKey'
  | 'importOaepSha1'
  | 'importOaepSha256'
  | 'importRsaAesSha1'
  | 'importRsaAesSha256';

/** One way to do a job. */
export interface Strategy {
  /** Unique among all jobs; goes into errors, audit events and the status. */
  readonly id: string;
  readonly job: StrategyJob;
  /** What the token must have been seen to do; none of them is optional. */
  readonly needs: readonly FactName[];
  /** Of a suite of ciphertexts: what it takes to decrypt, where that is less. */
  readonly needsToRead?: readonly FactName[];
  /** What the token must have been seen to refuse: without it the strategy would promise what the token does not keep. */
  readonly needsEnforced?: readonly EnforcementName[];
  /** The suite of the replication protocol that this strategy is. */
  readonly suite?: ReplicationSuite;
  /** The suite of ciphertexts that this strategy is. */
  readonly dataSuite?: DataSuite;
  readonly description: string;
  /** For people: what a token must have to do it. */
  readonly mechanisms: readonly string[];
  /** Whether key octets are outside the token for a moment, in the addon's locked memory: only where the configuration allows it. */
  readonly isOutsideToken?: true;
}

const needsOfEverySuite: readonly FactName[] = [
  'ecKeyPairP384',
  'aesKeyWrapPad',
  'aesKeyUnwrapPad',
  'derivedKeyWraps',
  'derivedKeyUnwraps',
  'hmacSha384',
];

/**
 * Every strategy, by job; within a job the preferred first. The order is what a region's choice goes by, and nothing else.
 *
 * @source docs/PROTOCOL.md, key establishment; docs/CIPHERTEXT.md, message keys
 */
export const strategies: readonly Strategy[] = [
  {
    id: 'ecdh-one-step',
    job: 'deriveRwk',
    suite: 'OSKDF-A256KWP',
    needs: ['ecdh1Sp800Sha384', ...needsOfEverySuite],
    description: 'ECDH with the one-step KDF of SP 800-56C in one call',
    mechanisms: ['CKM_ECDH1_DERIVE', 'CKD_SHA384_KDF_SP800'],
  },
  {
    id: 'ecdh-hkdf',
    job: 'deriveRwk',
    suite: 'HKDF384-A256KWP',
    needs: ['ecdh1Null48', 'hkdfSha384', ...needsOfEverySuite],
    description: 'ECDH to the shared secret in the token, then HKDF with SHA-384',
    mechanisms: ['CKM_ECDH1_DERIVE', 'CKD_NULL', 'CKM_HKDF_DERIVE'],
  },
  {
    id: 'ecdh-sp800-108',
    job: 'deriveRwk',
    suite: 'SP800108-A256KWP',
    needs: ['ecdh1Null48', 'sp800108HmacSha384OnZ', ...needsOfEverySuite],
    description: 'ECDH to the shared secret in the token, then SP 800-108 counter mode with HMAC-SHA-384',
    mechanisms: ['CKM_ECDH1_DERIVE', 'CKD_NULL', 'CKM_SP800_108_COUNTER_KDF', 'CKM_SHA384_HMAC'],
  },
  {
    id: 'ecdh-x963',
    job: 'deriveRwk',
    suite: 'X963-A256KWP',
    needs: ['ecdh1X963Sha384', ...needsOfEverySuite],
    description: 'ECDH with the X9.63 KDF in one call',
    mechanisms: ['CKM_ECDH1_DERIVE', 'CKD_SHA384_KDF'],
  },
  {
    id: 'ecdh-cbc-data',
    job: 'deriveRwk',
    suite: 'CBCDERIVE-A256KWP',
    needs: ['ecdh1NullAes256Trailing', 'cbcDerive', ...needsOfEverySuite],
    description:
      'ECDH to an AES key from the trailing 32 octets, then AES-CBC over the hash of the context; not an approved KDF',
    mechanisms: ['CKM_ECDH1_DERIVE', 'CKD_NULL', 'CKM_AES_CBC_ENCRYPT_DATA'],
  },
  {
    id: 'aes-kwp-wrap',
    job: 'wrap',
    needs: ['aesKeyWrapPad'],
    description: 'AES key wrap with padding (RFC 5649)',
    mechanisms: ['CKM_AES_KEY_WRAP_KWP'],
  },
  {
    id: 'aes-kwp-unwrap',
    job: 'unwrap',
    needs: ['aesKeyUnwrapPad'],
    description: 'AES key unwrap with padding (RFC 5649)',
    mechanisms: ['CKM_AES_KEY_WRAP_KWP'],
  },
  {
    id: 'message-key-sp800-108',
    job: 'messageKey',
    dataSuite: 'SP800108-GCM',
    needs: ['sp800108HmacSha256OnAes', 'aesGcm', 'random'],
    needsToRead: ['sp800108HmacSha256OnAes', 'aesGcmAnyIv'],
    description: 'a fresh key for each message by SP 800-108 counter mode, then AES-256-GCM',
    mechanisms: ['CKM_SP800_108_COUNTER_KDF', 'CKM_SHA256_HMAC', 'CKM_AES_GCM'],
  },
  {
    id: 'message-key-cbc-data',
    job: 'messageKey',
    dataSuite: 'CBCDATA-GCM',
    needs: ['aesCbcEncryptDataAes256', 'aesGcm', 'random'],
    needsToRead: ['aesCbcEncryptDataAes256', 'aesGcmAnyIv'],
    description: 'a fresh key for each message by AES-CBC with the nonce as IV, then AES-256-GCM',
    mechanisms: ['CKM_AES_CBC_ENCRYPT_DATA', 'CKM_AES_GCM'],
  },
  {
    id: 'message-key-sp800-108-token-iv',
    job: 'messageKey',
    dataSuite: 'SP800108-GCM-TOKENIV',
    needs: ['sp800108HmacSha256OnAes', 'aesGcmAnyIv', 'random'],
    description:
      'a fresh key for each message by SP 800-108 counter mode, then AES-256-GCM with an IV that the token may make',
    mechanisms: ['CKM_SP800_108_COUNTER_KDF', 'CKM_SHA256_HMAC', 'CKM_AES_GCM'],
  },
  {
    id: 'message-key-cbc-data-token-iv',
    job: 'messageKey',
    dataSuite: 'CBCDATA-GCM-TOKENIV',
    needs: ['aesCbcEncryptDataAes256', 'aesGcmAnyIv', 'random'],
    description:
      'a fresh key for each message by AES-CBC with the nonce as IV, then AES-256-GCM with an IV that the token may make',
    mechanisms: ['CKM_AES_CBC_ENCRYPT_DATA', 'CKM_AES_GCM'],
  },
  {
    id: 'message-key-direct',
    job: 'messageKey',
    dataSuite: 'DIRECT-GCM',
    needs: ['aesGcm', 'random'],
    needsToRead: ['aesGcmAnyIv'],
    description: 'the backing key itself with AES-256-GCM and a random IV',
    mechanisms: ['CKM_AES_GCM'],
  },
  {
    id: 'sign-ecdsa',
    job: 'sign',
    needs: ['ecKeyPairP384', 'ecdsa'],
    description: 'SHA-384 outside the token, ECDSA P-384 inside',
    mechanisms: ['CKM_ECDSA'],
  },
  {
    id: 'sign-ecdsa-sha384',
    job: 'sign',
    needs: ['ecKeyPairP384', 'ecdsaSha384'],
    description: 'SHA-384 and ECDSA P-384 in the token',
    mechanisms: ['CKM_ECDSA_SHA384'],
  },
  {
    id: 'verify-software',
    job: 'verify',
    needs: [],
    description: 'ECDSA verification in software: it needs no secret',
    mechanisms: [],
  },
  {
    id: 'mac-hmac-sha384',
    job: 'mac',
    needs: ['hmacSha384'],
    description: 'HMAC-SHA-384 under the key confirmation key',
    mechanisms: ['CKM_SHA384_HMAC'],
  },
  {
    id: 'mac-aes-cmac',
    job: 'mac',
    needs: ['aesCmac'],
    description: 'AES-256-CMAC under the key confirmation key; no suite uses it yet',
    mechanisms: ['CKM_AES_CMAC'],
  },
  {
    id: 'random-token',
    job: 'random',
    needs: ['random'],
    description: 'the token’s random generator',
    mechanisms: [],
  },
  {
    id: 'domain-key-trusted',
    job: 'trustedDomainKey',
    needs: ['trustedKeyBySo'],
    needsEnforced: ['wrapWithTrusted', 'trustedByUser', 'extractableFalse'],
    description: 'a domain key that the security officer marks CKA_TRUSTED',
    mechanisms: ['CKA_TRUSTED', 'CKA_WRAP_WITH_TRUSTED'],
  },
  {
    id: 'domain-key-plain',
    job: 'trustedDomainKey',
    needs: [],
    description: 'an ordinary domain key: only Keyferry keeps other keys from wrapping backing keys',
    mechanisms: [],
  },
  {
    id: 'import-oaep-sha1',
    job: 'importOaepSha1',
    needs: ['rsaOaepSha1Unwrap'],
    description: 'RSA-OAEP with SHA-1, unwrapped in the token',
    mechanisms: ['CKM_RSA_PKCS_OAEP'],
  },
  {
    id: 'import-oaep-sha1-outside',
    job: 'importOaepSha1',
    needs: ['rsaRawDecrypt', 'createSecretKey'],
    description: 'raw RSA in the token, OAEP padding taken off in locked memory',
    mechanisms: ['CKM_RSA_X_509'],
    isOutsideToken: true,
  },
  {
    id: 'import-oaep-sha256',
    job: 'importOaepSha256',
    needs: ['rsaOaepSha256Unwrap'],
    description: 'RSA-OAEP with SHA-256, unwrapped in the token',
    mechanisms: ['CKM_RSA_PKCS_OAEP'],
  },
  {
    id: 'import-oaep-sha256-outside',
    job: 'importOaepSha256',
    needs: ['rsaRawDecrypt', 'createSecretKey'],
    description: 'raw RSA in the token, OAEP padding taken off in locked memory',
    mechanisms: ['CKM_RSA_X_509'],
    isOutsideToken: true,
  },
  {
    id: 'import-rsa-aes-sha1',
    job: 'importRsaAesSha1',
    needs: ['rsaAesKeyWrapSha1'],
    description: 'RSA-AES key unwrap with SHA-1 in one call',
    mechanisms: ['CKM_RSA_AES_KEY_WRAP'],
  },
  {
    id: 'import-rsa-aes-sha1-two-steps',
    job: 'importRsaAesSha1',
    needs: ['rsaOaepSha1Unwrap', 'aesKeyUnwrapPad'],
    description: 'RSA-OAEP with SHA-1 to an AES key, then RFC 5649, both in the token',
    mechanisms: ['CKM_RSA_PKCS_OAEP', 'CKM_AES_KEY_WRAP_KWP'],
  },
  {
    id: 'import-rsa-aes-sha256',
    job: 'importRsaAesSha256',
    needs: ['rsaAesKeyWrapSha256'],
    description: 'RSA-AES key unwrap with SHA-256 in one call',
    mechanisms: ['CKM_RSA_AES_KEY_WRAP'],
  },
  {
    id: 'import-rsa-aes-sha256-two-steps',
    job: 'importRsaAesSha256',
    needs: ['rsaOaepSha256Unwrap', 'aesKeyUnwrapPad'],
    description: 'RSA-OAEP with SHA-256 to an AES key, then RFC 5649, both in the token',
    mechanisms: ['CKM_RSA_PKCS_OAEP', 'CKM_AES_KEY_WRAP_KWP'],
  },
  {
    id: 'import-rsa-aes-sha256-outside',
    job: 'importRsaAesSha256',
    needs: ['rsaRawDecrypt', 'createSecretKey', 'aesKeyUnwrapPad'],
    description: 'the AES key by raw RSA with the padding taken off in locked memory, then RFC 5649 in the token',
    mechanisms: ['CKM_RSA_X_509', 'CKM_AES_KEY_WRAP_KWP'],
    isOutsideToken: true,
  },
];
