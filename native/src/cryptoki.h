// PKCS#11 v2.40 as its published headers say it, and the structures of v3.0 that Keyferry uses.
#pragma once

#include "pkcs11.h"

namespace keyferry {

// PKCS#11 v3.0 section 2.62.4 (HKDF).
struct HkdfParams {
  CK_BBOOL extract;
  CK_BBOOL expand;
  CK_MECHANISM_TYPE prf_hash;
  CK_ULONG salt_type;
  CK_BYTE_PTR salt;
  CK_ULONG salt_length;
  CK_OBJECT_HANDLE salt_key;
  CK_BYTE_PTR info;
  CK_ULONG info_length;
};
constexpr CK_ULONG kHkdfSaltNull = 1;
constexpr CK_ULONG kHkdfSaltData = 2;

// PKCS#11 v3.0 section 2.42 (SP 800-108 in counter mode).
struct Sp800108CounterFormat {
  CK_BBOOL little_endian;
  CK_ULONG width_bits;
};
struct Sp800108DataParam {
  CK_ULONG type;
  CK_VOID_PTR value;
  CK_ULONG value_length;
};
struct Sp800108Params {
  CK_MECHANISM_TYPE prf;
  CK_ULONG data_params;
  Sp800108DataParam* data;
  CK_ULONG additional_keys;
  CK_VOID_PTR additional;
};
constexpr CK_ULONG kSp800108IterationVariable = 1;
constexpr CK_ULONG kSp800108ByteArray = 4;

// PKCS#11 v3.0: the 48-octet layout with ulIvBits, which SoftHSM2 and NSS both read.
static_assert(sizeof(CK_GCM_PARAMS) == 48);
static_assert(sizeof(CK_ULONG) == 8, "handles and lengths are 64 bit");

}  // namespace keyferry
