#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>

#include "../src/module_table.h"
#include "report.h"

namespace keyferry_validate {
namespace {

// OBJECT IDENTIFIER of P-384.
constexpr CK_BYTE kP384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr CK_ULONG kAesBytes = 32;

void common(Template& attributes, const KeyShape& shape) {
  attributes.flag(CKA_TOKEN, shape.token)
      .flag(CKA_PRIVATE, true)
      .text(CKA_LABEL, kLabel)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, shape.extractable);
  if (!shape.id.empty()) attributes.text(CKA_ID, shape.id);
}

void secret_uses(Template& attributes, unsigned uses) {
  attributes.flag(CKA_ENCRYPT, (uses & kEncrypt) != 0)
      .flag(CKA_DECRYPT, (uses & kEncrypt) != 0)
      .flag(CKA_SIGN, (uses & kSign) != 0)
      .flag(CKA_VERIFY, (uses & kSign) != 0)
      .flag(CKA_WRAP, (uses & kWrap) != 0)
      .flag(CKA_UNWRAP, (uses & kWrap) != 0)
      .flag(CKA_DERIVE, (uses & kDerive) != 0);
}

}  // namespace

const char* const kLabel = "keyferry validation";

Arguments::Arguments(int count, char** values) {
  for (int at = 0; at < count; ++at) {
    const std::string word = values[at];
    const size_t sign = word.find('=');
    if (sign == std::string::npos) {
      fprintf(stderr, "%s is no name=value\n", word.c_str());
      _Exit(2);
    }
    values_[word.substr(0, sign)] = word.substr(sign + 1);
  }
}

std::string Arguments::text(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? "" : found->second;
}

unsigned long Arguments::number(const std::string& name, unsigned long otherwise) const {
  const std::string value = text(name);
  return value.empty() ? otherwise : strtoul(value.c_str(), nullptr, 10);
}

Template& Template::flag(CK_ATTRIBUTE_TYPE type, bool value) {
  const CK_BBOOL octet = value ? CK_TRUE : CK_FALSE;
  return octets(type, &octet, sizeof octet);
}

Template& Template::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) { return octets(type, &value, sizeof value); }

Template& Template::octets(CK_ATTRIBUTE_TYPE type, const void* octets, size_t length) {
  const auto* first = static_cast<const CK_BYTE*>(octets);
  values_.emplace_back(first, first + length);
  attributes_.push_back({type, values_.back().data(), length});
  return *this;
}

Template& Template::text(CK_ATTRIBUTE_TYPE type, const std::string& value) {
  return octets(type, value.data(), value.size());
}

Template aes_key(const KeyShape& shape, bool with_length) {
  Template attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
  common(attributes, shape);
  secret_uses(attributes, shape.uses);
  if (with_length) attributes.number(CKA_VALUE_LEN, kAesBytes);
  return attributes;
}

Template generic_key(const KeyShape& shape, CK_ULONG octets) {
  Template attributes;
  attributes.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  common(attributes, shape);
  secret_uses(attributes, shape.uses);
  attributes.number(CKA_VALUE_LEN, octets);
  return attributes;
}

Template ec_public_key(const KeyShape& shape) {
  Template attributes;
  attributes.number(CKA_CLASS, CKO_PUBLIC_KEY)
      .number(CKA_KEY_TYPE, CKK_EC)
      .flag(CKA_TOKEN, shape.token)
      .text(CKA_LABEL, kLabel)
      .octets(CKA_EC_PARAMS, kP384, sizeof kP384)
      .flag(CKA_VERIFY, (shape.uses & kSign) != 0);
  if (!shape.id.empty()) attributes.text(CKA_ID, shape.id);
  return attributes;
}

Template ec_private_key(const KeyShape& shape) {
  Template attributes;
  attributes.number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_EC);
  common(attributes, shape);
  attributes.flag(CKA_SIGN, (shape.uses & kSign) != 0).flag(CKA_DERIVE, (shape.uses & kDerive) != 0);
  return attributes;
}

Token::Token(const Arguments& arguments)
    : slot_(strtoul(arguments.text("slot").c_str(), nullptr, 10)),
      label_(arguments.text("slot").empty() ? arguments.text("label") : ""),
      parameters_(arguments.text("parameters")),
      pin_{arguments.text("pin-kind"), arguments.text("pin-where")} {
  const keyferry::LoadedModule loaded =
      keyferry::load_module(arguments.text("module"), arguments.text("deep-bind") != "off");
  if (loaded.module == nullptr) {
    fprintf(stderr, "%s\n", loaded.refusal.c_str());
    refuse("C_GetFunctionList", CKR_GENERAL_ERROR);
  }
  functions_ = loaded.module->functions();
}

CK_RV Token::initialise(bool with_locks) {
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = with_locks ? CKF_OS_LOCKING_OK : 0;
  if (!parameters_.empty()) arguments.pReserved = parameters_.data();
  const bool without_arguments = parameters_.empty() && !with_locks;
  const CK_RV rv = functions_->C_Initialize(without_arguments ? nullptr : &arguments);
  return rv == CKR_OK && !label_.empty() ? find_slot() : rv;
}

CK_RV Token::find_slot() {
  std::vector<CK_SLOT_ID> slots(64);
  CK_ULONG count = slots.size();
  if (const CK_RV rv = functions_->C_GetSlotList(CK_TRUE, slots.data(), &count); rv != CKR_OK) return rv;
  slots.resize(count);
  const std::string padded = label_ + std::string(32 - std::min<size_t>(label_.size(), 32), ' ');
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    const bool told = functions_->C_GetTokenInfo(slot, &info) == CKR_OK;
    if (told && memcmp(info.label, padded.data(), sizeof info.label) == 0) slot_ = slot;
  }
  // A token that is not there is refused where it is used: C_OpenSession says why.
  return CKR_OK;
}

CK_RV Token::open_session(CK_SESSION_HANDLE& session) const {
  return functions_->C_OpenSession(slot_, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
}

CK_RV Token::login(CK_SESSION_HANDLE session) {
  keyferry::Pin pin = keyferry::read_pin(pin_);
  if (!pin.refusal.empty()) {
    fprintf(stderr, "no PIN from %s %s: %s\n", pin_.kind.c_str(), pin_.where.c_str(), pin.refusal.c_str());
    refuse("C_Login", CKR_PIN_INVALID);
  }
  return functions_->C_Login(session, CKU_USER, pin.octets.data(), pin.octets.size());
}

CK_SESSION_HANDLE Token::open(bool with_locks) {
  CK_RV rv = initialise(with_locks);
  if (rv != CKR_OK) refuse("C_Initialize", rv);
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  rv = open_session(session);
  if (rv != CKR_OK) refuse("C_OpenSession", rv);
  rv = login(session);
  if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) refuse("C_Login", rv);
  return session;
}

CK_RV Token::generate_aes(CK_SESSION_HANDLE session, const KeyShape& shape, CK_OBJECT_HANDLE& key) const {
  Template attributes = aes_key(shape, true);
  CK_MECHANISM mechanism = plain(CKM_AES_KEY_GEN);
  return functions_->C_GenerateKey(session, &mechanism, attributes.data(), attributes.size(), &key);
}

CK_RV Token::generate_pair(CK_SESSION_HANDLE session, const KeyShape& shape, Pair& pair) const {
  Template public_half = ec_public_key(shape);
  Template private_half = ec_private_key(shape);
  CK_MECHANISM mechanism = plain(CKM_EC_KEY_PAIR_GEN);
  return functions_->C_GenerateKeyPair(session, &mechanism, public_half.data(), public_half.size(), private_half.data(),
                                       private_half.size(), &pair.public_key, &pair.private_key);
}

std::vector<CK_BYTE> Token::point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key) const {
  std::vector<CK_BYTE> octets(256);
  CK_ATTRIBUTE attribute{CKA_EC_POINT, octets.data(), octets.size()};
  if (functions_->C_GetAttributeValue(session, public_key, &attribute, 1) != CKR_OK) return {};
  octets.resize(attribute.ulValueLen > octets.size() ? 0 : attribute.ulValueLen);
  // The bare point: every module takes it.
  if (octets.size() == 99 && octets[0] == 0x04 && octets[1] == 97) octets.erase(octets.begin(), octets.begin() + 2);
  return octets;
}

CK_RV Token::find(CK_SESSION_HANDLE session, Template& wanted, std::vector<CK_OBJECT_HANDLE>& found,
                  CK_ULONG batch) const {
  CK_RV rv = functions_->C_FindObjectsInit(session, wanted.data(), wanted.size());
  if (rv != CKR_OK) return rv;
  std::vector<CK_OBJECT_HANDLE> some(batch);
  for (CK_ULONG count = batch; count > 0;) {
    rv = functions_->C_FindObjects(session, some.data(), some.size(), &count);
    if (rv != CKR_OK) break;
    found.insert(found.end(), some.begin(), some.begin() + static_cast<long>(count));
  }
  const CK_RV ended = functions_->C_FindObjectsFinal(session);
  return rv == CKR_OK ? ended : rv;
}

CK_MECHANISM plain(CK_MECHANISM_TYPE type) { return {type, nullptr, 0}; }

double now_us() {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

}  // namespace keyferry_validate
