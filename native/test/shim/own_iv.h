// Encryption under AES-GCM with an IV of the token's own, whatever the caller gives.
#pragma once

#include <array>

#include "rules.h"

namespace keyferry_shim {

using GcmIv = std::array<CK_BYTE, 12>;

// What the module is given instead of the caller's mechanism, as long as the call is in it.
struct OwnIv {
  CK_MECHANISM mechanism{};
  CK_GCM_PARAMS gcm{};
  GcmIv iv{};
};

// Begins an encryption with an IV of the token's own; as a token does, before the call and in memory of the caller.
void make_iv(CK_SESSION_HANDLE session, CK_MECHANISM_PTR& given, Action how, OwnIv& own);

// C_Encrypt of an encryption that was begun so: the module writes behind the IV.
CK_RV encrypt_behind_iv(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_length, CK_BYTE_PTR out,
                        CK_ULONG_PTR length);

}  // namespace keyferry_shim
