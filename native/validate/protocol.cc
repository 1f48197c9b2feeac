// Buffers, attributes that cannot be told, the order of calls, initialisation and logins: ROB-03, 04, 05, 07 and 08.
#include <string.h>

#include "report.h"
#include "scenario.h"

namespace keyferry_validate {
namespace {

constexpr CK_BYTE kGuard = 0xc3;
constexpr CK_ULONG kRoom = 1024;

// Asks for the length, then with too little room, then with enough, as one operation.
template <typename Call>
void sized(const std::string& what, const char* name, CK_MECHANISM_TYPE mechanism, Call call) {
  CK_ULONG asked = 0;
  begin(what + ": length", name);
  if (answer(what + ": length", name, call(nullptr, &asked), mechanism) != CKR_OK) return;
  fact(what + ": length", asked);
  if (asked == 0 || asked > kRoom) return;
  std::vector<CK_BYTE> output(kRoom, kGuard);
  const CK_ULONG little = asked / 2;
  CK_ULONG length = little;
  begin(what + ": too little room", name);
  answer(what + ": too little room", name, call(output.data(), &length), mechanism);
  bool intact = true;
  for (size_t at = little; at < output.size(); ++at) intact = intact && output[at] == kGuard;
  fact(what + ": written beyond the room", intact ? "no" : "yes");
  length = asked;
  begin(what + ": enough room", name);
  if (answer(what + ": enough room", name, call(output.data(), &length), mechanism) == CKR_OK) {
    fact(what + ": octets", length);
    if (what == "digest") fact("digest of abc", hexadecimal(output.data(), length));
  }
}

}  // namespace

void buffers(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE session = token.open();
  CK_OBJECT_HANDLE wrapping = kNoObject;
  CK_OBJECT_HANDLE key = kNoObject;
  CK_RV rv = token.generate_aes(session, {.uses = kWrap}, wrapping);
  if (rv == CKR_OK) rv = token.generate_aes(session, {.uses = kEncrypt, .extractable = true}, key);
  if (rv != CKR_OK) refuse("C_GenerateKey", rv);
  CK_BYTE text[] = {'a', 'b', 'c'};
  CK_BYTE block[32] = {};

  CK_MECHANISM sha256 = plain(CKM_SHA256);
  if (token->C_DigestInit(session, &sha256) == CKR_OK) {
    sized("digest", "C_Digest", CKM_SHA256,
          [&](CK_BYTE_PTR out, CK_ULONG_PTR length) { return token->C_Digest(session, text, 3, out, length); });
  }
  CK_MECHANISM ecb = plain(CKM_AES_ECB);
  if (token->C_EncryptInit(session, &ecb, key) == CKR_OK) {
    sized("ciphertext", "C_Encrypt", CKM_AES_ECB, [&](CK_BYTE_PTR out, CK_ULONG_PTR length) {
      return token->C_Encrypt(session, block, sizeof block, out, length);
    });
  }
  Pair pair;
  CK_MECHANISM ecdsa = plain(CKM_ECDSA);
  if (arguments.number("signs", 0) != 0 && token.generate_pair(session, {.uses = kSign}, pair) == CKR_OK &&
      token->C_SignInit(session, &ecdsa, pair.private_key) == CKR_OK) {
    sized("signature", "C_Sign", CKM_ECDSA, [&](CK_BYTE_PTR out, CK_ULONG_PTR length) {
      return token->C_Sign(session, block, sizeof block, out, length);
    });
  }
  CK_MECHANISM wrap = plain(arguments.number("wrap-mechanism", 0));
  if (wrap.mechanism != 0) {
    sized("wrapped key", "C_WrapKey", wrap.mechanism, [&](CK_BYTE_PTR out, CK_ULONG_PTR length) {
      return token->C_WrapKey(session, &wrap, wrapping, key, out, length);
    });
  }
  sized("label", "C_GetAttributeValue", kNoMechanism, [&](CK_BYTE_PTR out, CK_ULONG_PTR length) {
    CK_ATTRIBUTE attribute{CKA_LABEL, out, *length};
    const CK_RV got = token->C_GetAttributeValue(session, key, &attribute, 1);
    *length = attribute.ulValueLen;
    return got;
  });
}

void unavailable_attributes(Token& token, const Arguments&) {
  const CK_SESSION_HANDLE session = token.open();
  CK_OBJECT_HANDLE key = kNoObject;
  if (const CK_RV rv = token.generate_aes(session, {.uses = kEncrypt}, key); rv != CKR_OK) refuse("C_GenerateKey", rv);
  CK_BYTE room[4][64] = {};
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, room[0], sizeof(CK_ULONG)},
                               {CKA_VALUE, room[1], sizeof room[1]},
                               {CKA_MODULUS, room[2], sizeof room[2]},
                               {CKA_LABEL, room[3], sizeof room[3]}};
  begin("four attributes", "C_GetAttributeValue");
  answer("four attributes", "C_GetAttributeValue", token->C_GetAttributeValue(session, key, attributes, 4));
  const auto told = [](const CK_ATTRIBUTE& attribute, size_t octets) {
    if (attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) return "CK_UNAVAILABLE_INFORMATION";
    return attribute.ulValueLen == octets ? "its length" : "another length";
  };
  fact("CKA_CLASS", told(attributes[0], sizeof(CK_ULONG)));
  fact("CKA_VALUE", told(attributes[1], 32));
  fact("CKA_MODULUS", told(attributes[2], 0));
  fact("CKA_LABEL", told(attributes[3], strlen(kLabel)));
  const bool label_told = attributes[3].ulValueLen == strlen(kLabel) && memcmp(room[3], kLabel, strlen(kLabel)) == 0;
  fact("label behind those that are not told", label_told ? "told" : "not told");
  CK_BYTE zeros[sizeof room[1]] = {};
  fact("room of the value that is not told", memcmp(room[1], zeros, sizeof zeros) == 0 ? "untouched" : "written to");
}

void call_order(Token& token, const Arguments&) {
  const CK_SESSION_HANDLE session = token.open();
  CK_OBJECT_HANDLE key = kNoObject;
  if (const CK_RV rv = token.generate_aes(session, {.uses = kEncrypt}, key); rv != CKR_OK) refuse("C_GenerateKey", rv);
  CK_BYTE block[64] = {};
  CK_ULONG length = sizeof block;
  CK_ULONG count = 0;
  CK_OBJECT_HANDLE found = kNoObject;
  CK_MECHANISM ecb = plain(CKM_AES_ECB);
  CK_MECHANISM sha256 = plain(CKM_SHA256);
  const auto step = [](const char* what, const char* call, auto make) {
    begin(what, call);
    answer(what, call, make());
  };
  step("not begun", "C_Encrypt", [&] { return token->C_Encrypt(session, block, 16, block + 16, &length); });
  step("not begun", "C_Decrypt", [&] { return token->C_Decrypt(session, block, 16, block + 16, &length); });
  step("not begun", "C_Sign", [&] { return token->C_Sign(session, block, 16, block + 16, &length); });
  step("not begun", "C_Verify", [&] { return token->C_Verify(session, block, 16, block + 16, 16); });
  step("not begun", "C_Digest", [&] { return token->C_Digest(session, block, 16, block + 16, &length); });
  step("not begun", "C_EncryptUpdate",
       [&] { return token->C_EncryptUpdate(session, block, 16, block + 16, &length); });
  step("not begun", "C_SignFinal", [&] { return token->C_SignFinal(session, block, &length); });
  step("not begun", "C_FindObjects", [&] { return token->C_FindObjects(session, &found, 1, &count); });
  step("not begun", "C_FindObjectsFinal", [&] { return token->C_FindObjectsFinal(session); });
  step("begun", "C_EncryptInit", [&] { return token->C_EncryptInit(session, &ecb, key); });
  step("begun already", "C_EncryptInit", [&] { return token->C_EncryptInit(session, &ecb, key); });
  length = 16;
  step("brought to its end", "C_Encrypt",
       [&] { return token->C_Encrypt(session, block, 16, block + 16, &length); });
  step("ended", "C_Encrypt", [&] { return token->C_Encrypt(session, block, 16, block + 16, &length); });
  step("begun", "C_DigestInit", [&] { return token->C_DigestInit(session, &sha256); });
  step("begun already", "C_DigestInit", [&] { return token->C_DigestInit(session, &sha256); });
  length = 32;
  step("brought to its end", "C_Digest", [&] { return token->C_Digest(session, block, 3, block + 16, &length); });
  step("begun", "C_FindObjectsInit", [&] { return token->C_FindObjectsInit(session, nullptr, 0); });
  step("begun already", "C_FindObjectsInit", [&] { return token->C_FindObjectsInit(session, nullptr, 0); });
  step("brought to its end", "C_FindObjectsFinal", [&] { return token->C_FindObjectsFinal(session); });
  step("ended", "C_FindObjects", [&] { return token->C_FindObjects(session, &found, 1, &count); });
}

void initialisation(Token& token, const Arguments&) {
  CK_INFO info{};
  CK_SESSION_INFO about{};
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  const auto step = [](const char* what, const char* call, auto make) {
    begin(what, call);
    return answer(what, call, make());
  };
  step("before C_Initialize", "C_GetInfo", [&] { return token->C_GetInfo(&info); });
  step("before C_Initialize", "C_OpenSession", [&] { return token.open_session(session); });
  step("before C_Initialize", "C_Finalize", [&] { return token->C_Finalize(nullptr); });
  const CK_SESSION_HANDLE old_session = token.open();
  step("a second time", "C_Initialize", [&] { return token.initialise(); });
  CK_OBJECT_HANDLE old_key = kNoObject;
  step("before C_Finalize", "C_GenerateKey",
       [&] { return token.generate_aes(old_session, {.uses = kEncrypt}, old_key); });
  step("at its end", "C_Finalize", [&] { return token->C_Finalize(nullptr); });
  step("after C_Finalize", "C_GetSessionInfo", [&] { return token->C_GetSessionInfo(old_session, &about); });
  step("after C_Finalize", "C_OpenSession", [&] { return token.open_session(session); });
  if (step("again", "C_Initialize", [&] { return token.initialise(); }) != CKR_OK) return;
  step("the session of before", "C_GetSessionInfo", [&] { return token->C_GetSessionInfo(old_session, &about); });
  if (step("again", "C_OpenSession", [&] { return token.open_session(session); }) != CKR_OK) return;
  step("again", "C_Login", [&] { return token.login(session); });
  CK_OBJECT_CLASS kind = 0;
  CK_ATTRIBUTE attribute{CKA_CLASS, &kind, sizeof kind};
  step("the session object of before", "C_GetAttributeValue",
       [&] { return token->C_GetAttributeValue(session, old_key, &attribute, 1); });
  CK_OBJECT_HANDLE key = kNoObject;
  step("again", "C_GenerateKey", [&] { return token.generate_aes(session, {.uses = kEncrypt}, key); });
}

void logins(Token& token, const Arguments&) {
  const CK_SESSION_HANDLE first = token.open();
  CK_SESSION_HANDLE second = CK_INVALID_HANDLE;
  const auto step = [](const char* what, const char* call, auto make) {
    begin(what, call);
    return answer(what, call, make());
  };
  const auto state = [&](const char* name, CK_SESSION_HANDLE session) {
    CK_SESSION_INFO about{};
    const CK_RV rv = token->C_GetSessionInfo(session, &about);
    fact(name, rv == CKR_OK ? std::to_string(about.state) : "none");
  };
  const auto private_objects = [&](const char* name, CK_SESSION_HANDLE session) {
    Template wanted;
    wanted.flag(CKA_PRIVATE, true).text(CKA_LABEL, kLabel);
    std::vector<CK_OBJECT_HANDLE> found;
    const CK_RV rv = token.find(session, wanted, found);
    fact(name, rv == CKR_OK ? std::to_string(found.size()) : "error " + hexadecimal(rv));
  };
  CK_OBJECT_HANDLE key = kNoObject;
  step("while logged in", "C_GenerateKey", [&] { return token.generate_aes(first, {.uses = kEncrypt}, key); });
  step("logged in already", "C_Login", [&] { return token.login(first); });
  step("a second session", "C_OpenSession", [&] { return token.open_session(second); });
  state("state of a session that is opened after the login", second);
  private_objects("private objects while logged in", second);
  step("in the second session", "C_Logout", [&] { return token->C_Logout(second); });
  state("state of the first session after the logout", first);
  private_objects("private objects after the logout", first);
  CK_BYTE block[16] = {};
  CK_MECHANISM ecb = plain(CKM_AES_ECB);
  // The handle, if anything: begin and end, so that nothing stays open where it works.
  step("a private key after the logout", "C_EncryptInit", [&] {
    const CK_RV rv = token->C_EncryptInit(first, &ecb, key);
    CK_ULONG length = sizeof block;
    if (rv == CKR_OK) token->C_Encrypt(first, block, sizeof block, block, &length);
    return rv;
  });
  step("logged out already", "C_Logout", [&] { return token->C_Logout(first); });
  step("again", "C_Login", [&] { return token.login(first); });
  state("state of the second session after the second login", second);
  step("after the second login", "C_GenerateKey",
       [&] { return token.generate_aes(second, {.uses = kEncrypt}, key); });
}

}  // namespace keyferry_validate
