// Reads PKCS#8 of an elliptic-curve key that lies in locked memory. Copies nothing; what it finds are places in the input.
#pragma once

#include <cstddef>
#include <cstdint>

namespace keyferry {

struct Span {
  const uint8_t* octets;
  size_t length;
};

struct EcPrivateKey {
  Span scalar;        // big-endian, as long as the curve's order or shorter
  Span public_point;  // empty where the key carries none
};

// Parses PrivateKeyInfo (RFC 5208, or RFC 5958 with a public key) around ECPrivateKey (RFC 5915), in DER or in BER with
// lengths that are longer than they need be or indefinite; strings are in one piece. Both places for the curve's parameters
// may only hold `curve`, an OBJECT IDENTIFIER with its tag: explicit parameters are refused, as is every encrypted key.
// `order` is the order of the curve's base point: 0 < scalar < order.
bool parse_ec_private_key(Span pkcs8, Span curve, Span order, EcPrivateKey& key);

}  // namespace keyferry
