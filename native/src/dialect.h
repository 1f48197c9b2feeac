// What a module calls things, and which attributes it wants or refuses: data that a person gives, from the module's manual.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "arena.h"
#include "program.h"

namespace keyferry {

class Dialect {
 public:
  // Reads what src/token/dialect.ts writes: little-endian words,
  //
  //     count, then (standard, module's) mechanism numbers
  //     count, then (standard, module's) key derivation functions of CKM_ECDH1_DERIVE
  //     count, then rules: calls (bits, see Call), class and key type (kAny for any), attribute, kind, value
  //
  // Null where it is malformed.
  static std::shared_ptr<const Dialect> read(const uint8_t* octets, size_t length);

  // Says a decoded program in the module's words; false where there is no memory.
  bool apply(Program& program, Arena& arena) const;
  // A list of mechanisms that the module told, in standard numbers, in place.
  void to_standard(uint8_t* octets, size_t length) const;

 private:
  static constexpr uint32_t kAny = 0xffffffff;
  enum Call : uint32_t { kGenerate = 1, kDerive = 2, kUnwrap = 4, kCreate = 8, kCopy = 16, kGeneratePublic = 32 };
  enum class Kind : uint32_t { kForbid = 0, kBool = 1, kNumber = 2, kOctets = 3 };

  struct Number {
    uint32_t standard;
    uint32_t own;
  };
  struct Rule {
    uint32_t calls;
    uint32_t object_class;
    uint32_t key_type;
    uint32_t attribute;
    Kind kind;
    std::vector<uint8_t> value;  // as the attribute has it
  };

  static uint32_t own(const std::vector<Number>& numbers, CK_ULONG standard);
  bool rewrite(Template& given, Call call, Arena& arena) const;
  void rename(CK_ATTRIBUTE& attribute) const;

  std::vector<Number> mechanisms_;
  std::vector<Number> kdfs_;
  std::vector<Rule> rules_;
};

}  // namespace keyferry
