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
  kGcmOwnIv = 11,
};

// How a token tells the IV that it has made: in pIv, or before the ciphertext.
enum class IvPlace : uint32_t { kWrittenBack = 1, kPrepended = 2 };
// Length of such an IV. Source: NIST SP 800-38D section 8.2
constexpr CK_ULONG kOwnIvLength = 12;

// Reads one mechanism; false where it is malformed or there is no memory. Pointers lead into the program and the arena.
// `own_iv` becomes the place of kOwnIvLength octets that the token writes its IV to, or null where it writes none.
bool read_mechanism(Reader& reader, Arena& arena, CK_MECHANISM& mechanism, CK_BYTE_PTR& own_iv);

}  // namespace keyferry
