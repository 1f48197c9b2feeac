// Takes the padding of RSAES-OAEP off in time that does not depend on whether, or where, it is wrong.
#pragma once

#include <cstddef>
#include <cstdint>

#include "digest.h"

namespace keyferry {

// What the message must be like.
struct MessageLength {
  size_t min;
  size_t max;
};

// Unpads an encoded message of `length` octets in place (RFC 8017 section 7.1.2, empty label, MGF1 with the same hash).
//
// `message` gets the message, or the decoy where anything is wrong with the padding or the message's length; it has room for
// `length` or `decoy_length` octets, whichever is more, and `message_length` says how many of them count. The decoy and
// `length` decide how long this takes; nothing else does. Whether the padding was good.
bool unpad_oaep(DigestKind hash, uint8_t* encoded, size_t length, MessageLength wanted, const uint8_t* decoy,
                size_t decoy_length, uint8_t* message, size_t& message_length);

}  // namespace keyferry
