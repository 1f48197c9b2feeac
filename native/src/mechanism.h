// Packs the C structures of mechanism parameters, whose pointers JavaScript cannot express.
#pragma once

#include "arena.h"
#include "cryptoki.h"
#include "reader.h"

namespace keyferry {

enum class ParameterKind : uint32_t {
  kNone = 0,
  kOctets = 1,
  kGcm = 2,
  kEcdh1 = 3,
  kAesCbcEncryptData = 4,
  kStringData = 5,
  kOaep = 6,
  kPss = 7,
  kHkdf = 8,
  kSp800108Counter = 9,
  kRsaAesKeyWrap = 10,
};

// Reads one mechanism; false where it is malformed or there is no memory. Pointers lead into the program and the arena.
bool read_mechanism(Reader& reader, Arena& arena, CK_MECHANISM& mechanism);

}  // namespace keyferry
