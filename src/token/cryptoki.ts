/**
 * The numbers of PKCS#11 that Keyferry uses, by the names that the standard gives them, also those of v3.x.
 *
 * @source PKCS#11 v2.40 and v3.1, base and current mechanisms specifications
 * @packageDocumentation
 */

// Object classes
export const CKO_DATA = 0x00;
export const CKO_CERTIFICATE = 0x01;
export const CKO_PUBLIC_KEY = 0x02;
export const CKO_PRIVATE_KEY = 0x03;
export const CKO_SECRET_KEY = 0x04;

// Key types
export const CKK_RSA = 0x00;
export const CKK_EC = 0x03;
export const CKK_GENERIC_SECRET = 0x10;
export const CKK_AES = 0x1f;
export const CKK_SHA_1_HMAC = 0x28;
export const CKK_SHA224_HMAC = 0x2e;
export const CKK_SHA256_HMAC = 0x2b;
export const CKK_SHA384_HMAC = 0x2c;
export const CKK_SHA512_HMAC = 0x2d;
export const CKK_EC_EDWARDS = 0x40;
export const CKK_EC_MONTGOMERY = 0x41;
export const CKK_HKDF = 0x42;

// Attributes
export const CKA_CLASS = 0x00;
export const CKA_TOKEN = 0x01;
export const CKA_PRIVATE = 0x02;
export const CKA_LABEL = 0x03;
export const CKA_UNIQUE_ID = 0x04;
export const CKA_APPLICATION = 0x10;
export const CKA_VALUE = 0x11;
export const CKA_OBJECT_ID = 0x12;
export const CKA_TRUSTED = 0x86;
export const CKA_CHECK_VALUE = 0x90;
export const CKA_KEY_TYPE = 0x0100;
export const CKA_SUBJECT = 0x0101;
export const CKA_ID = 0x0102;
export const CKA_SENSITIVE = 0x0103;
export const CKA_ENCRYPT = 0x0104;
export const CKA_DECRYPT = 0x0105;
export const CKA_WRAP = 0x0106;
export const CKA_UNWRAP = 0x0107;
export const CKA_SIGN = 0x0108;
export const CKA_SIGN_RECOVER = 0x0109;
export const CKA_VERIFY = 0x010a;
export const CKA_VERIFY_RECOVER = 0x010b;
export const CKA_DERIVE = 0x010c;
export const CKA_START_DATE = 0x0110;
export const CKA_END_DATE = 0x0111;
export const CKA_MODULUS = 0x0120;
export const CKA_MODULUS_BITS = 0x0121;
export const CKA_PUBLIC_EXPONENT = 0x0122;
export const CKA_PRIVATE_EXPONENT = 0x0123;
export const CKA_PRIME_1 = 0x0124;
export const CKA_PRIME_2 = 0x0125;
export const CKA_EXPONENT_1 = 0x0126;
export const CKA_EXPONENT_2 = 0x0127;
export const CKA_COEFFICIENT = 0x0128;
export const CKA_PUBLIC_KEY_INFO = 0x0129;
export const CKA_VALUE_LEN = 0x0161;
export const CKA_EXTRACTABLE = 0x0162;
export const CKA_LOCAL = 0x0163;
export const CKA_NEVER_EXTRACTABLE = 0x0164;
export const CKA_ALWAYS_SENSITIVE = 0x0165;
export const CKA_KEY_GEN_MECHANISM = 0x0166;
export const CKA_MODIFIABLE = 0x0170;
export const CKA_COPYABLE = 0x0171;
export const CKA_DESTROYABLE = 0x0172;
export const CKA_EC_PARAMS = 0x0180;
export const CKA_EC_POINT = 0x0181;
export const CKA_ALWAYS_AUTHENTICATE = 0x0202;
export const CKA_WRAP_WITH_TRUSTED = 0x0210;
export const CKA_WRAP_TEMPLATE = 0x40000211;
export const CKA_UNWRAP_TEMPLATE = 0x40000212;
export const CKA_DERIVE_TEMPLATE = 0x40000213;
export const CKA_ALLOWED_MECHANISMS = 0x40000600;
/** Vendor attribute of NSS softoken; NSS 3.87 wants it, with any octet, in the template of an unwrapped EC private key. */
export const CKA_NSS_DB = 0xd5a0db00;

// Mechanisms: RSA
export const CKM_RSA_PKCS_KEY_PAIR_GEN = 0x00;
export const CKM_RSA_PKCS = 0x01;
export const CKM_RSA_X_509 = 0x03;
export const CKM_RSA_PKCS_OAEP = 0x09;
export const CKM_RSA_PKCS_PSS = 0x0d;
export const CKM_SHA256_RSA_PKCS = 0x40;
export const CKM_SHA384_RSA_PKCS = 0x41;
export const CKM_SHA512_RSA_PKCS = 0x42;
export const CKM_SHA256_RSA_PKCS_PSS = 0x43;
export const CKM_SHA384_RSA_PKCS_PSS = 0x44;
export const CKM_SHA512_RSA_PKCS_PSS = 0x45;
export const CKM_RSA_AES_KEY_WRAP = 0x1054;

// Mechanisms: elliptic curves
export const CKM_EC_KEY_PAIR_GEN = 0x1040;
export const CKM_ECDSA = 0x1041;
export const CKM_ECDSA_SHA1 = 0x1042;
export const CKM_ECDSA_SHA224 = 0x1043;
export const CKM_ECDSA_SHA256 = 0x1044;
export const CKM_ECDSA_SHA384 = 0x1045;
export const CKM_ECDSA_SHA512 = 0x1046;
export const CKM_ECDH1_DERIVE = 0x1050;
export const CKM_ECDH1_COFACTOR_DERIVE = 0x1051;
export const CKM_ECDH_AES_KEY_WRAP = 0x1053;
export const CKM_EC_EDWARDS_KEY_PAIR_GEN = 0x1055;
export const CKM_EC_MONTGOMERY_KEY_PAIR_GEN = 0x1056;
export const CKM_EDDSA = 0x1057;

// Mechanisms: AES
export const CKM_AES_KEY_GEN = 0x1080;
export const CKM_AES_ECB = 0x1081;
export const CKM_AES_CBC = 0x1082;
export const CKM_AES_CBC_PAD = 0x1085;
export const CKM_AES_CTR = 0x1086;
export const CKM_AES_GCM = 0x1087;
export const CKM_AES_CMAC = 0x108a;
export const CKM_AES_ECB_ENCRYPT_DATA = 0x1104;
export const CKM_AES_CBC_ENCRYPT_DATA = 0x1105;
export const CKM_AES_KEY_WRAP = 0x2109;
/** HAZARD: RFC 5649 on some tokens and RFC 3394 over PKCS#7 padding on others; only a known answer tells which. */
export const CKM_AES_KEY_WRAP_PAD = 0x210a;
/** RFC 5649 (PKCS#11 v3.0). */
export const CKM_AES_KEY_WRAP_KWP = 0x210b;
/** Vendor number of AWS CloudHSM for a key wrap with zero padding. */
export const CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD = 0x8000216f;
/** Vendor number of AWS CloudHSM for GCM with an IV made by the HSM. */
export const CKM_CLOUDHSM_AES_GCM = 0x80001087;

// Mechanisms: digests, MACs, key derivation
export const CKM_GENERIC_SECRET_KEY_GEN = 0x0350;
export const CKM_SHA_1 = 0x0220;
export const CKM_SHA224 = 0x0255;
export const CKM_SHA256 = 0x0250;
export const CKM_SHA384 = 0x0260;
export const CKM_SHA512 = 0x0270;
export const CKM_SHA_1_HMAC = 0x0221;
export const CKM_SHA224_HMAC = 0x0256;
export const CKM_SHA256_HMAC = 0x0251;
export const CKM_SHA384_HMAC = 0x0261;
export const CKM_SHA512_HMAC = 0x0271;
export const CKM_SP800_108_COUNTER_KDF = 0x03ac;
export const CKM_HKDF_DERIVE = 0x402a;
export const CKM_HKDF_DATA = 0x402b;

// Mask generation functions
export const CKG_MGF1_SHA1 = 0x01;
export const CKG_MGF1_SHA224 = 0x05;
export const CKG_MGF1_SHA256 = 0x02;
export const CKG_MGF1_SHA384 = 0x03;
export const CKG_MGF1_SHA512 = 0x04;

// Encoding parameter sources
export const CKZ_DATA_SPECIFIED = 0x01;

// Key derivation functions of ECDH1_DERIVE
export const CKD_NULL = 0x01;
export const CKD_SHA1_KDF = 0x02;
export const CKD_SHA224_KDF = 0x05;
export const CKD_SHA256_KDF = 0x06;
export const CKD_SHA384_KDF = 0x07;
export const CKD_SHA512_KDF = 0x08;
export const CKD_SHA256_KDF_SP800 = 0x10;
export const CKD_SHA384_KDF_SP800 = 0x11;
export const CKD_SHA512_KDF_SP800 = 0x12;

// Users, sessions and flags
export const CKU_SO = 0;
export const CKU_USER = 1;
export const CKF_RW_SESSION = 0x02;
export const CKF_SERIAL_SESSION = 0x04;
export const CKF_OS_LOCKING_OK = 0x02;
export const CKF_LOGIN_REQUIRED = 0x04;
export const CKF_USER_PIN_INITIALIZED = 0x08;
export const CKF_TOKEN_INITIALIZED = 0x400;
export const CKF_USER_PIN_COUNT_LOW = 0x010000;
export const CKF_USER_PIN_FINAL_TRY = 0x020000;
export const CKF_USER_PIN_LOCKED = 0x040000;
/** What a token answers for a number that it does not tell. */
export const CK_UNAVAILABLE_INFORMATION = 0xffffffffffffffffn;
/** A token's answer for "no limit" on sessions. */
export const CK_EFFECTIVELY_INFINITE = 0;
