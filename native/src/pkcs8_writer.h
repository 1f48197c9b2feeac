// Writes PKCS#8 of a private key from its parts, in memory that the caller locks and wipes. DER, in the one form that OpenSSL
// writes too.
#pragma once

#include "pkcs8.h"

namespace keyferry {

// What RFC 8017 appendix A.1.2 lists, in its order: n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p. Big-endian; zeros in
// front are allowed.
constexpr size_t kRsaNumbers = 8;

// Room that is enough for what the functions below write around parts of so many octets together.
constexpr size_t pkcs8_room(size_t parts) { return parts + 128; }

// All three write to the end of `room` and tell the place in `pkcs8`; false where there is too little room, or where the parts
// cannot be those of such a key.

// PrivateKeyInfo (RFC 5208) around RSAPrivateKey.
bool write_rsa_private_key(const Span (&numbers)[kRsaNumbers], uint8_t* room, size_t capacity, Span& pkcs8);

// PrivateKeyInfo around ECPrivateKey (RFC 5915) with the public point. `curve` is an OBJECT IDENTIFIER with its tag; the scalar is
// brought to `scalar_octets`, which is what its curve's order has.
bool write_ec_private_key(Span curve, Span scalar, size_t scalar_octets, Span point, uint8_t* room, size_t capacity,
                          Span& pkcs8);

// PrivateKeyInfo of a curve whose keys are octets (RFC 8410).
bool write_edwards_private_key(Span curve, Span key, size_t key_octets, uint8_t* room, size_t capacity, Span& pkcs8);

}  // namespace keyferry
