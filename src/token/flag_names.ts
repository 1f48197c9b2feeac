/** Bits of `CK_TOKEN_INFO.flags`. @source PKCS#11 v2.40 and v3.0, CK_TOKEN_INFO */
const tokenFlags: readonly (readonly [number, string])[] = [
  [0x0000_0001, 'CKF_RNG'],
  [0x0000_0002, 'CKF_WRITE_PROTECTED'],
  [0x0000_0004, 'CKF_LOGIN_REQUIRED'],
  [0x0000_0008, 'CKF_USER_PIN_INITIALIZED'],
  [0x0000_0020, 'CKF_RESTORE_KEY_NOT_NEEDED'],
  [0x0000_0040, 'CKF_CLOCK_ON_TOKEN'],
  [0x0000_0100, 'CKF_PROTECTED_AUTHENTICATION_PATH'],
  [0x0000_0200, 'CKF_DUAL_CRYPTO_OPERATIONS'],
  [0x0000_0400, 'CKF_TOKEN_INITIALIZED'],
  [0x0000_0800, 'CKF_SECONDARY_AUTHENTICATION'],
  [0x0001_0000, 'CKF_USER_PIN_COUNT_LOW'],
  [0x0002_0000, 'CKF_USER_PIN_FINAL_TRY'],
  [0x0004_0000, 'CKF_USER_PIN_LOCKED'],
  [0x0008_0000, 'CKF_USER_PIN_TO_BE_CHANGED'],
  [0x0010_0000, 'CKF_SO_PIN_COUNT_LOW'],
  [0x0020_0000, 'CKF_SO_PIN_FINAL_TRY'],
  [0x0040_0000, 'CKF_SO_PIN_LOCKED'],
  [0x0080_0000, 'CKF_SO_PIN_TO_BE_CHANGED'],
  [0x0100_0000, 'CKF_ERROR_STATE'],
];

/** Bits of `CK_MECHANISM_INFO.flags`. @source PKCS#11 v3.0, CK_MECHANISM_INFO */
const mechanismFlags: readonly (readonly [number, string])[] = [
  [0x0000_0001, 'CKF_HW'],
  [0x0000_0002, 'CKF_MESSAGE_ENCRYPT'],
  [0x0000_0004, 'CKF_MESSAGE_DECRYPT'],
  [0x0000_0008, 'CKF_MESSAGE_SIGN'],
  [0x0000_0010, 'CKF_MESSAGE_VERIFY'],
  [0x0000_0020, 'CKF_MULTI_MESSAGE'],
  [0x0000_0040, 'CKF_FIND_OBJECTS'],
  [0x0000_0100, 'CKF_ENCRYPT'],
  [0x0000_0200, 'CKF_DECRYPT'],
  [0x0000_0400, 'CKF_DIGEST'],
  [0x0000_0800, 'CKF_SIGN'],
  [0x0000_1000, 'CKF_SIGN_RECOVER'],
  [0x0000_2000, 'CKF_VERIFY'],
  [0x0000_4000, 'CKF_VERIFY_RECOVER'],
  [0x0000_8000, 'CKF_GENERATE'],
  [0x0001_0000, 'CKF_GENERATE_KEY_PAIR'],
  [0x0002_0000, 'CKF_WRAP'],
  [0x0004_0000, 'CKF_UNWRAP'],
  [0x0008_0000, 'CKF_DERIVE'],
  [0x0010_0000, 'CKF_EC_F_P'],
  [0x0020_0000, 'CKF_EC_F_2M'],
  [0x0040_0000, 'CKF_EC_ECPARAMETERS'],
  [0x0080_0000, 'CKF_EC_OID'],
  [0x0100_0000, 'CKF_EC_UNCOMPRESS'],
  [0x0200_0000, 'CKF_EC_COMPRESS'],
  [0x0400_0000, 'CKF_EC_CURVENAME'],
  [0x8000_0000, 'CKF_EXTENSION'],
];

/** Names of the bits that are set; those without a name together, as a number. */
function namesOf(flags: number, table: readonly (readonly [number, string])[]): readonly string[] {
  // As a number of 32 bits without sign: bit 31 is a flag of mechanisms.
  let rest = flags >>> 0;
  const names: string[] = [];
  for (const [bit, name] of table) {
    if ((rest & bit) === 0) continue;
    names.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  return rest === 0 ? names : [...names, `0x${rest.toString(16)}`];
}

/** What a token says about itself by its flags: `CKF_` names. */
export function tokenFlagNames(flags: number): readonly string[] {
  return namesOf(flags, tokenFlags);
}

/** What a mechanism is for, as the token lists it: `CKF_` names. */
export function mechanismFlagNames(flags: number): readonly string[] {
  return namesOf(flags, mechanismFlags);
}
