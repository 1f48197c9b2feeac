// Changed PKCS#8 and changed OAEP blocks against the code that reads them outside a token.
#pragma once

#include <cstdint>

namespace keyferry {

// Reads `count` changed inputs of each kind, each in memory of exactly its length, and ends the process where an unchanged
// one is not read or the answer to a changed one breaks a promise.
void fuzz_import(uint32_t count);

}  // namespace keyferry
