// The token that is looked at: loaded, initialised and logged in to by this process alone.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "../src/cryptoki.h"
#include "../src/pin_source.h"

namespace keyferry_validate {

// What the command line says: name=value.
class Arguments {
 public:
  Arguments(int count, char** values);
  std::string text(const std::string& name) const;  // empty where it is missing
  unsigned long number(const std::string& name, unsigned long otherwise) const;

 private:
  std::map<std::string, std::string> values_;
};

// Attributes with the octets that they point to.
class Template {
 public:
  Template() = default;
  Template(Template&&) = default;
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;
  Template& flag(CK_ATTRIBUTE_TYPE type, bool value);
  Template& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  Template& octets(CK_ATTRIBUTE_TYPE type, const void* octets, size_t length);
  Template& text(CK_ATTRIBUTE_TYPE type, const std::string& value);
  CK_ATTRIBUTE_PTR data() { return attributes_.data(); }
  CK_ULONG size() const { return attributes_.size(); }

 private:
  std::deque<std::vector<CK_BYTE>> values_;
  std::vector<CK_ATTRIBUTE> attributes_;
};

constexpr CK_OBJECT_HANDLE kNoObject = CK_INVALID_HANDLE;
// Label of every object that the validation makes.
extern const char* const kLabel;

// Uses of a key, as bits.
enum Use : unsigned { kEncrypt = 1, kSign = 2, kWrap = 4, kDerive = 8 };

struct KeyShape {
  unsigned uses;
  bool token = false;
  bool extractable = false;
  std::string id = {};
};

// Templates that say of every use whether it is allowed: modules differ in what they take for granted.
Template aes_key(const KeyShape& shape, bool with_length);
Template generic_key(const KeyShape& shape, CK_ULONG octets);
Template ec_public_key(const KeyShape& shape);
Template ec_private_key(const KeyShape& shape);

struct Pair {
  CK_OBJECT_HANDLE public_key = kNoObject;
  CK_OBJECT_HANDLE private_key = kNoObject;
};

class Token {
 public:
  // Loads the module; says why not, and ends the process.
  explicit Token(const Arguments& arguments);

  CK_FUNCTION_LIST_PTR operator->() const { return functions_; }
  CK_SLOT_ID slot() const { return slot_; }

  // Takes the slot of the token that the command line names by its label.
  CK_RV initialise(bool with_locks = true);
  CK_RV open_session(CK_SESSION_HANDLE& session) const;
  CK_RV login(CK_SESSION_HANDLE session);
  // Initialises, opens a session and logs in, or refuses.
  CK_SESSION_HANDLE open(bool with_locks = true);

  CK_RV generate_aes(CK_SESSION_HANDLE session, const KeyShape& shape, CK_OBJECT_HANDLE& key) const;
  CK_RV generate_pair(CK_SESSION_HANDLE session, const KeyShape& shape, Pair& pair) const;
  // CKA_EC_POINT as the token tells it; empty where it does not.
  std::vector<CK_BYTE> point(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE public_key) const;
  // Objects of the template; their number is bounded by `most`.
  CK_RV find(CK_SESSION_HANDLE session, Template& wanted, std::vector<CK_OBJECT_HANDLE>& found,
             CK_ULONG batch = 64) const;

 private:
  CK_RV find_slot();

  CK_FUNCTION_LIST_PTR functions_ = nullptr;
  CK_SLOT_ID slot_;
  std::string label_;  // empty where the slot is given
  std::string parameters_;
  keyferry::PinSource pin_;
};

CK_MECHANISM plain(CK_MECHANISM_TYPE type);

// Monotonic time, microseconds.
double now_us();

}  // namespace keyferry_validate
