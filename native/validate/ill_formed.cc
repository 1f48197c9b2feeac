// Octets and attributes that are not as they should be: ROB-15 and ROB-18.
#include <string.h>

#include "report.h"
#include "scenario.h"

namespace keyferry_validate {
namespace {

constexpr size_t kRoom = 4096;
constexpr size_t kHuge = 1 << 20;

class Cases {
 public:
  explicit Cases(const Arguments& arguments) : from_(arguments.number("from", 0)) {}
  template <typename Run>
  void run(const std::string& name, const char* call, CK_MECHANISM_TYPE mechanism, Run make) {
    if (at_++ < from_) return;
    begin(name, call);
    answer(name, call, make(), mechanism);
  }

 private:
  const unsigned long from_;
  unsigned long at_ = 0;
};

std::vector<CK_BYTE> resized(const std::vector<CK_BYTE>& octets, size_t length) {
  std::vector<CK_BYTE> other(octets);
  other.resize(length, 0x5a);
  return other;
}

void unwrap_cases(Token& token, CK_SESSION_HANDLE session, Cases& cases, CK_MECHANISM_TYPE type) {
  CK_OBJECT_HANDLE wrapping = kNoObject;
  CK_OBJECT_HANDLE key = kNoObject;
  CK_RV rv = token.generate_aes(session, {.uses = kWrap}, wrapping);
  if (rv == CKR_OK) rv = token.generate_aes(session, {.uses = kEncrypt, .extractable = true}, key);
  if (rv != CKR_OK) refuse("C_GenerateKey", rv);
  CK_MECHANISM mechanism = plain(type);
  std::vector<CK_BYTE> blob(kRoom);
  CK_ULONG length = blob.size();
  rv = token->C_WrapKey(session, &mechanism, wrapping, key, blob.data(), &length);
  if (rv != CKR_OK) return;
  blob.resize(length);

  const auto unwrap = [&](std::vector<CK_BYTE> octets) {
    CK_OBJECT_HANDLE made = kNoObject;
    Template shape = aes_key({.uses = kEncrypt}, false);
    // A length of nought still has a place, so that it is not a missing pointer that is refused.
    octets.reserve(1);
    const CK_RV unwrapped = token->C_UnwrapKey(session, &mechanism, wrapping, octets.data(), octets.size(),
                                               shape.data(), shape.size(), &made);
    if (unwrapped == CKR_OK) token->C_DestroyObject(session, made);
    return unwrapped;
  };
  for (const size_t octets : {size_t{0}, size_t{1}, size_t{7}, size_t{8}, size_t{9}, size_t{15}, size_t{16},
                              size_t{17}, size_t{23}, size_t{24}, size_t{32}, size_t{length - 1}}) {
    if (octets >= length) continue;
    cases.run("the first " + std::to_string(octets) + " octets of a wrapped key", "C_UnwrapKey", type,
              [&] { return unwrap(resized(blob, octets)); });
  }
  for (const size_t more : {size_t{1}, size_t{7}, size_t{8}, size_t{16}, kRoom, kHuge}) {
    cases.run("a wrapped key and " + std::to_string(more) + " octets behind it", "C_UnwrapKey", type,
              [&] { return unwrap(resized(blob, length + more)); });
  }
  for (const size_t at : {size_t{0}, size_t{7}, size_t{8}, size_t{length - 1}}) {
    cases.run("a wrapped key with a changed bit in octet " + std::to_string(at), "C_UnwrapKey", type, [&] {
      std::vector<CK_BYTE> changed(blob);
      changed[at] ^= 1;
      return unwrap(std::move(changed));
    });
  }
  token->C_DestroyObject(session, wrapping);
  token->C_DestroyObject(session, key);
}

void point_cases(Token& token, CK_SESSION_HANDLE session, Cases& cases) {
  Pair pair;
  if (token.generate_pair(session, {.uses = kDerive}, pair) != CKR_OK) return;
  const std::vector<CK_BYTE> point = token.point(session, pair.public_key);
  for (const size_t octets : {size_t{0}, size_t{1}, size_t{48}, size_t{96}, size_t{98}, size_t{145}, kHuge}) {
    cases.run("a point of " + std::to_string(octets) + " octets", "C_DeriveKey", CKM_ECDH1_DERIVE, [&] {
      std::vector<CK_BYTE> changed = resized(point, octets);
      changed.reserve(1);
      CK_ECDH1_DERIVE_PARAMS parameter{CKD_NULL, 0, nullptr, changed.size(), changed.data()};
      CK_MECHANISM mechanism{CKM_ECDH1_DERIVE, &parameter, sizeof parameter};
      Template shape = generic_key({.uses = kSign}, 48);
      CK_OBJECT_HANDLE made = kNoObject;
      const CK_RV rv =
          token->C_DeriveKey(session, &mechanism, pair.private_key, shape.data(), shape.size(), &made);
      if (rv == CKR_OK) token->C_DestroyObject(session, made);
      return rv;
    });
  }
  token->C_DestroyObject(session, pair.private_key);
  token->C_DestroyObject(session, pair.public_key);
}

}  // namespace

void wrapped_blobs(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE session = token.open();
  Cases cases(arguments);
  for (const char* name : {"wrap-mechanism", "wrap-pad-mechanism"}) {
    const CK_MECHANISM_TYPE type = arguments.number(name, 0);
    if (type != 0) unwrap_cases(token, session, cases, type);
  }
  if (arguments.number("derives", 0) != 0) point_cases(token, session, cases);
}

void templates(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE session = token.open();
  Cases cases(arguments);
  CK_MECHANISM mechanism = plain(CKM_AES_KEY_GEN);
  const auto generate = [&](Template& attributes) {
    CK_OBJECT_HANDLE made = kNoObject;
    const CK_RV rv = token->C_GenerateKey(session, &mechanism, attributes.data(), attributes.size(), &made);
    if (rv == CKR_OK) token->C_DestroyObject(session, made);
    return rv;
  };
  const CK_BYTE four[4] = {1, 0, 0, 0};
  const auto with = [&](auto change) {
    Template attributes = aes_key({.uses = kEncrypt}, true);
    change(attributes);
    return generate(attributes);
  };
  cases.run("an attribute that does not exist", "C_GenerateKey", CKM_AES_KEY_GEN,
            [&] { return with([](Template& each) { each.flag(0x7ffffff0, true); }); });
  cases.run("an attribute of another vendor", "C_GenerateKey", CKM_AES_KEY_GEN,
            [&] { return with([](Template& each) { each.flag(0xfedcba98, true); }); });
  cases.run("an attribute of another kind of object", "C_GenerateKey", CKM_AES_KEY_GEN,
            [&] { return with([&](Template& each) { each.octets(CKA_MODULUS, four, sizeof four); }); });
  cases.run("a flag of four octets", "C_GenerateKey", CKM_AES_KEY_GEN,
            [&] { return with([&](Template& each) { each.octets(CKA_MODIFIABLE, four, sizeof four); }); });
  cases.run("an attribute twice, with two values", "C_GenerateKey", CKM_AES_KEY_GEN,
            [&] { return with([](Template& each) { each.flag(CKA_ENCRYPT, false); }); });
  cases.run("no length for a key that needs one", "C_GenerateKey", CKM_AES_KEY_GEN, [&] {
    Template attributes = aes_key({.uses = kEncrypt}, false);
    return generate(attributes);
  });
  cases.run("a length that no AES key has", "C_GenerateKey", CKM_AES_KEY_GEN, [&] {
    Template attributes = aes_key({.uses = kEncrypt}, false);
    attributes.number(CKA_VALUE_LEN, 33);
    return generate(attributes);
  });
  cases.run("a secret key without a value", "C_CreateObject", kNoMechanism, [&] {
    Template attributes = aes_key({.uses = kEncrypt}, false);
    CK_OBJECT_HANDLE made = kNoObject;
    const CK_RV rv = token->C_CreateObject(session, attributes.data(), attributes.size(), &made);
    if (rv == CKR_OK) token->C_DestroyObject(session, made);
    return rv;
  });
}

}  // namespace keyferry_validate
