// The PKCS#11 functions that the addon calls, by number: results carry the number, errors the name.
#pragma once

#include <cstdint>

namespace keyferry {

enum class Call : uint32_t {
  kNone,
  kOpenSession,
  kGenerateKey,
  kGenerateKeyPair,
  kDeriveKey,
  kWrapKey,
  kUnwrapKey,
  kEncryptInit,
  kEncrypt,
  kDecryptInit,
  kDecrypt,
  kSignInit,
  kSign,
  kVerifyInit,
  kVerify,
  kGenerateRandom,
  kCreateObject,
  kCopyObject,
  kGetAttributeValue,
  kSetAttributeValue,
  kFindObjectsInit,
  kFindObjects,
  kDestroyObject,
};

constexpr const char* kCallNames[] = {
    "none",           "C_OpenSession",   "C_GenerateKey",       "C_GenerateKeyPair",   "C_DeriveKey",
    "C_WrapKey",      "C_UnwrapKey",     "C_EncryptInit",       "C_Encrypt",           "C_DecryptInit",
    "C_Decrypt",      "C_SignInit",      "C_Sign",              "C_VerifyInit",        "C_Verify",
    "C_GenerateRandom", "C_CreateObject", "C_CopyObject",       "C_GetAttributeValue", "C_SetAttributeValue",
    "C_FindObjectsInit", "C_FindObjects", "C_DestroyObject",
};
static_assert(sizeof kCallNames / sizeof kCallNames[0] == static_cast<uint32_t>(Call::kDestroyObject) + 1);

constexpr const char* call_name(Call call) { return kCallNames[static_cast<uint32_t>(call)]; }

}  // namespace keyferry
