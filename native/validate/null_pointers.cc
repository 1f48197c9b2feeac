// NULL where the standard wants something: ROB-02.
#include <functional>

#include "report.h"
#include "scenario.h"

namespace keyferry_validate {
namespace {

struct Case {
  const char* name;
  const char* call;
  CK_MECHANISM_TYPE mechanism;
  std::function<CK_RV()> run;
};

constexpr CK_ULONG kFour = 4;
constexpr CK_ULONG kBlob = 40;
constexpr CK_ULONG kIvBytes = 16;

}  // namespace

void null_pointers(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE first = token.open();
  CK_SESSION_HANDLE session = first;
  CK_OBJECT_HANDLE key = kNoObject;
  CK_OBJECT_HANDLE other = kNoObject;
  const KeyShape shape{.uses = kEncrypt | kWrap, .extractable = true};
  CK_RV rv = token.generate_aes(session, shape, key);
  if (rv == CKR_OK) rv = token.generate_aes(session, shape, other);
  if (rv != CKR_OK) refuse("C_GenerateKey", rv);
  Pair agreement;
  // Where there are no pairs, the key below is the wrong one for the mechanism, and that is refused.
  if (token.generate_pair(session, {.uses = kDerive}, agreement) != CKR_OK) agreement.private_key = key;

  CK_MECHANISM aes = plain(CKM_AES_KEY_GEN);
  CK_MECHANISM ec = plain(CKM_EC_KEY_PAIR_GEN);
  CK_MECHANISM wrap = plain(CKM_AES_KEY_WRAP);
  CK_MECHANISM sha256 = plain(CKM_SHA256);
  CK_MECHANISM cbc_without_iv{CKM_AES_CBC, nullptr, kIvBytes};
  CK_MECHANISM ecdh_without_parameter{CKM_ECDH1_DERIVE, nullptr, sizeof(CK_ECDH1_DERIVE_PARAMS)};
  Template secret = aes_key(shape, true);
  Template unwrapped = aes_key(shape, false);
  Template public_half = ec_public_key({.uses = kSign});
  Template private_half = ec_private_key({.uses = kSign});
  CK_OBJECT_HANDLE made = kNoObject;
  Pair pair;
  CK_ULONG length = 0;
  CK_BYTE octets[64] = {};
  Token& t = token;

  const Case cases[] = {
      {"no place for the answer", "C_GetInfo", kNoMechanism, [&] { return t->C_GetInfo(nullptr); }},
      {"no place for the number of slots", "C_GetSlotList", kNoMechanism,
       [&] { return t->C_GetSlotList(CK_TRUE, nullptr, nullptr); }},
      {"no place for the answer", "C_GetSlotInfo", kNoMechanism, [&] { return t->C_GetSlotInfo(t.slot(), nullptr); }},
      {"no place for the answer", "C_GetTokenInfo", kNoMechanism, [&] { return t->C_GetTokenInfo(t.slot(), nullptr); }},
      {"no place for the number of mechanisms", "C_GetMechanismList", kNoMechanism,
       [&] { return t->C_GetMechanismList(t.slot(), nullptr, nullptr); }},
      {"no place for the answer", "C_GetMechanismInfo", CKM_AES_KEY_GEN,
       [&] { return t->C_GetMechanismInfo(t.slot(), CKM_AES_KEY_GEN, nullptr); }},
      {"no place for the handle", "C_OpenSession", kNoMechanism,
       [&] { return t->C_OpenSession(t.slot(), CKF_SERIAL_SESSION, nullptr, nullptr, nullptr); }},
      {"no place for the answer", "C_GetSessionInfo", kNoMechanism,
       [&] { return t->C_GetSessionInfo(session, nullptr); }},
      {"no PIN, with a length", "C_SetPIN", kNoMechanism,
       [&] { return t->C_SetPIN(session, nullptr, kFour, nullptr, kFour); }},
      {"no place for the octets", "C_GenerateRandom", kNoMechanism,
       [&] { return t->C_GenerateRandom(session, nullptr, kIvBytes); }},
      {"no mechanism", "C_GenerateKey", kNoMechanism,
       [&] { return t->C_GenerateKey(session, nullptr, secret.data(), secret.size(), &made); }},
      {"no template, with a count", "C_GenerateKey", CKM_AES_KEY_GEN,
       [&] { return t->C_GenerateKey(session, &aes, nullptr, kFour, &made); }},
      {"no place for the handle", "C_GenerateKey", CKM_AES_KEY_GEN,
       [&] { return t->C_GenerateKey(session, &aes, secret.data(), secret.size(), nullptr); }},
      {"no mechanism", "C_GenerateKeyPair", kNoMechanism,
       [&] {
         return t->C_GenerateKeyPair(session, nullptr, public_half.data(), public_half.size(), private_half.data(),
                                     private_half.size(), &pair.public_key, &pair.private_key);
       }},
      {"no public template, with a count", "C_GenerateKeyPair", CKM_EC_KEY_PAIR_GEN,
       [&] {
         return t->C_GenerateKeyPair(session, &ec, nullptr, kFour, private_half.data(), private_half.size(),
                                     &pair.public_key, &pair.private_key);
       }},
      {"no private template, with a count", "C_GenerateKeyPair", CKM_EC_KEY_PAIR_GEN,
       [&] {
         return t->C_GenerateKeyPair(session, &ec, public_half.data(), public_half.size(), nullptr, kFour,
                                     &pair.public_key, &pair.private_key);
       }},
      {"no place for the handles", "C_GenerateKeyPair", CKM_EC_KEY_PAIR_GEN,
       [&] {
         return t->C_GenerateKeyPair(session, &ec, public_half.data(), public_half.size(), private_half.data(),
                                     private_half.size(), nullptr, nullptr);
       }},
      {"no template, with a count", "C_CreateObject", kNoMechanism,
       [&] { return t->C_CreateObject(session, nullptr, kFour, &made); }},
      {"no template, with a count", "C_CopyObject", kNoMechanism,
       [&] { return t->C_CopyObject(session, key, nullptr, kFour, &made); }},
      {"no template, with a count", "C_GetAttributeValue", kNoMechanism,
       [&] { return t->C_GetAttributeValue(session, key, nullptr, kFour); }},
      {"no template, with a count", "C_SetAttributeValue", kNoMechanism,
       [&] { return t->C_SetAttributeValue(session, key, nullptr, kFour); }},
      {"no template, with a count", "C_FindObjectsInit", kNoMechanism,
       [&] { return t->C_FindObjectsInit(session, nullptr, kFour); }},
      {"no place for the handles", "C_FindObjects", kNoMechanism,
       [&] {
         if (const CK_RV begun = t->C_FindObjectsInit(session, nullptr, 0); begun != CKR_OK) return begun;
         const CK_RV found = t->C_FindObjects(session, nullptr, kFour, nullptr);
         t->C_FindObjectsFinal(session);
         return found;
       }},
      {"no mechanism", "C_DigestInit", kNoMechanism, [&] { return t->C_DigestInit(session, nullptr); }},
      {"no place for the length", "C_Digest", CKM_SHA256,
       [&] {
         if (const CK_RV begun = t->C_DigestInit(session, &sha256); begun != CKR_OK) return begun;
         return t->C_Digest(session, octets, sizeof octets, octets, nullptr);
       }},
      {"no mechanism", "C_EncryptInit", kNoMechanism, [&] { return t->C_EncryptInit(session, nullptr, key); }},
      {"no initialisation vector, with a length", "C_EncryptInit", CKM_AES_CBC,
       [&] { return t->C_EncryptInit(session, &cbc_without_iv, key); }},
      {"no mechanism", "C_DecryptInit", kNoMechanism, [&] { return t->C_DecryptInit(session, nullptr, key); }},
      {"no mechanism", "C_SignInit", kNoMechanism, [&] { return t->C_SignInit(session, nullptr, key); }},
      {"no mechanism", "C_VerifyInit", kNoMechanism, [&] { return t->C_VerifyInit(session, nullptr, key); }},
      {"no mechanism", "C_WrapKey", kNoMechanism,
       [&] {
         length = sizeof octets;
         return t->C_WrapKey(session, nullptr, key, other, octets, &length);
       }},
      {"no place for the length", "C_WrapKey", CKM_AES_KEY_WRAP,
       [&] { return t->C_WrapKey(session, &wrap, key, other, octets, nullptr); }},
      {"no mechanism", "C_UnwrapKey", kNoMechanism,
       [&] {
         return t->C_UnwrapKey(session, nullptr, key, octets, kBlob, unwrapped.data(), unwrapped.size(), &made);
       }},
      {"no wrapped key, with a length", "C_UnwrapKey", CKM_AES_KEY_WRAP,
       [&] { return t->C_UnwrapKey(session, &wrap, key, nullptr, kBlob, unwrapped.data(), unwrapped.size(), &made); }},
      {"no template, with a count", "C_UnwrapKey", CKM_AES_KEY_WRAP,
       [&] { return t->C_UnwrapKey(session, &wrap, key, octets, kBlob, nullptr, kFour, &made); }},
      {"no mechanism", "C_DeriveKey", kNoMechanism,
       [&] { return t->C_DeriveKey(session, nullptr, key, secret.data(), secret.size(), &made); }},
      {"no parameter, with a length", "C_DeriveKey", CKM_ECDH1_DERIVE,
       [&] {
         return t->C_DeriveKey(session, &ecdh_without_parameter, agreement.private_key, secret.data(), secret.size(), &made);
       }},
  };
  const unsigned long from = arguments.number("from", 0);
  unsigned long at = 0;
  for (const Case& each : cases) {
    if (at++ < from) continue;
    // An operation that a refused call leaves active is not the next case's.
    if (token.open_session(session) != CKR_OK) session = first;
    begin(each.name, each.call);
    answer(each.name, each.call, each.run(), each.mechanism);
    if (session != first) token->C_CloseSession(session);
  }
}

}  // namespace keyferry_validate
