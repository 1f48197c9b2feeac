// Which faults the shim makes. One rule a line:
//
//     <C_Function or *> <nth or *> <action> [argument]
//
// nth counts the calls of that function from the moment the rules were read, 1 for the first. Lines that start with #
// say nothing. Actions:
//
//     return <CKR>        answers without calling the module
//     call-return <CKR>   calls the module, then answers something else
//     flip                flips a bit of what the function puts out; of a mechanism's parameter for C_DeriveKey; of
//                         what it is given for C_UnwrapKey and C_Verify
//     silent              answers CKR_OK without calling the module
//     kill, kill-after    SIGKILL for the process, before or after the call
//     delay <ms>          waits before the call
//     close-sessions      closes all sessions of the slot that was used last, between two calls, before the call
//     room <octets>       answers CKR_BUFFER_TOO_SMALL to less room than this, without calling the module
//     room-end <octets>   the same, after ending the operation in the module
//     no-mechanism <CKM>  hides a mechanism and answers CKR_MECHANISM_INVALID for it
//     list <CKM>          lists a mechanism that the module has not (C_GetMechanismList)
//     instead <CKM> <CKM> does the second mechanism where it is asked for the first
//     true <CKA>, false <CKA>  makes a key with this attribute, whatever its template says: the module ignores what it is
//                         asked for. Of a pair, the private half
//     forget <CKA>        takes an attribute out of the template
//     forbid <CKA>        answers CKR_TEMPLATE_INCONSISTENT to a template that has this attribute
//     need <CKA>          answers CKR_TEMPLATE_INCOMPLETE to one that has not
//     rsa-aes <CKM>       C_UnwrapKey does CKM_RSA_AES_KEY_WRAP, which the module has not: by OAEP, then by this mechanism
//     iv-back, iv-front   encrypts under AES-GCM with a random IV of its own, whatever the caller gives, and tells it in
//                         pIv or before the ciphertext (C_EncryptInit)
//     iv-zero             the same as iv-back with an IV of zeros
//     stop-early          C_GetAttributeValue stops at the first attribute that it refuses, and leaves those behind it as they were
//     any-point           C_DeriveKey with ECDH takes every public point, as the base point of P-384
//
// Numbers are hexadecimal with or without 0x; milliseconds, octets and nth are decimal.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "../../src/cryptoki.h"

namespace keyferry_shim {

enum class Action {
  kReturn,
  kCallReturn,
  kFlip,
  kSilent,
  kKill,
  kKillAfter,
  kDelay,
  kCloseSessions,
  kRoom,
  kRoomEnd,
  kNoMechanism,
  kList,
  kInstead,
  kTrue,
  kFalse,
  kForget,
  kAnyPoint,
  kForbid,
  kNeed,
  kRsaAes,
  kIvBack,
  kIvFront,
  kIvZero,
  kStopEarly
};

struct Rule {
  std::string function;
  unsigned long nth;  // 0 for every call
  Action action;
  CK_ULONG argument;
  CK_ULONG other_argument;  // of kInstead
  unsigned long calls;
};

// An attribute that a template gets, or loses.
struct AttributeChange {
  CK_ATTRIBUTE_TYPE type;
  Action action;
};

// What applies to one call.
struct Faults {
  bool answers = false;     // without calling the module
  bool lies = false;        // after calling it
  CK_RV rv = CKR_OK;
  bool flip = false;
  bool kill_after = false;
  bool closes_sessions = false;
  CK_ULONG room = 0;        // octets that the output must have room for
  bool room_ends = false;   // the operation, where there is less
  CK_MECHANISM_TYPE mechanism = ~CK_MECHANISM_TYPE{0};  // to use instead; Rules::kNoMechanism for the one that is given
  std::vector<AttributeChange> attributes;
  std::vector<AttributeChange> refusals;  // attributes that a template must not have, or has to
  bool any_point = false;
  bool stops_early = false;
  CK_MECHANISM_TYPE rsa_aes = ~CK_MECHANISM_TYPE{0};  // of RFC 5649; Rules::kNoMechanism where CKM_RSA_AES_KEY_WRAP is not lent
  bool makes_iv = false;  // of AES-GCM
  Action own_iv{};         // how, where it does
};

// The rules of the file that KEYFERRY_SHIM_RULES names, read again when it changes.
class Rules {
 public:
  // Counts the call, makes its delays, and says which faults it has. kNoMechanism stands for no mechanism.
  Faults apply(const char* function, CK_MECHANISM_TYPE mechanism);
  bool hides(const char* function, CK_MECHANISM_TYPE mechanism);
  // The mechanisms that are listed though the module has them not.
  std::vector<CK_MECHANISM_TYPE> listed();
  // Writes the call's line into the file that KEYFERRY_SHIM_COUNT names.
  void count(const char* function, CK_MECHANISM_TYPE mechanism);

  static constexpr CK_MECHANISM_TYPE kNoMechanism = ~CK_MECHANISM_TYPE{0};

 private:
  void refresh();

  std::mutex mutex_;
  std::vector<Rule> rules_;
  std::string identity_;  // of the file that was read
};

}  // namespace keyferry_shim
