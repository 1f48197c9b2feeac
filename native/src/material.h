// A customer's key material on its way to an import: read into locked memory, looked at, and wrapped there.
#pragma once

#include <string>
#include <vector>

#include "digest.h"
#include "pkcs8.h"
#include "secret_bytes.h"

namespace keyferry {

struct Material {
  SecretBytes octets;
  std::string refusal;  // empty where there is material
};

// Reads a file, or standard input where `path` is empty, to its end. May block.
Material read_material(const std::string& path);

// What material looks like from outside: nothing of it is secret.
struct MaterialFacts {
  // pem, pkcs8, encrypted-pkcs8, pkcs1, sec1, public-key or octets
  const char* form = "octets";
  Span algorithm{nullptr, 0};   // of PKCS#8: OBJECT IDENTIFIER with its tag
  Span parameters{nullptr, 0};  // of PKCS#8: the algorithm's parameters with their tag
  size_t modulus_bits = 0;      // of an RSA key in PKCS#8
  bool more_primes = false;     // an RSA key of more than two primes
  bool trailing = false;        // octets follow the structure
};

MaterialFacts describe_material(Span material);

struct Wrapped {
  std::vector<uint8_t> octets;
  std::string refusal;  // empty where there are octets
};

// Wraps material as ImportKeyMaterial takes it: RSAES-OAEP under the public key (DER SubjectPublicKeyInfo), hash and MGF1
// alike, no label; with `aes_key`, RFC 5649 under a fresh AES-256 key, behind that key under RSAES-OAEP.
Wrapped wrap_material(Span material, Span public_key, DigestKind hash, bool aes_key);

}  // namespace keyferry
