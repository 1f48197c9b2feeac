#include "import_fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "../src/oaep.h"
#include "../src/pkcs8.h"

namespace keyferry {
namespace {

using Octets = std::vector<uint8_t>;

[[noreturn]] void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

Octets from_hex(const char* text) {
  Octets octets;
  for (; text[0] != '\0'; text += 2) {
    const char digits[3] = {text[0], text[1], '\0'};
    octets.push_back(static_cast<uint8_t>(strtoul(digits, nullptr, 16)));
  }
  return octets;
}

// P-256: the order, the curve, and a private key with its public point, curve named twice (RFC 6979 appendix A.2.5).
const Octets kOrder = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
const Octets kCurve = from_hex("06082a8648ce3d030107");
const Octets kPkcs8 = from_hex(
    "308193020100301306072a8648ce3d020106082a8648ce3d030107047930770201010420"
    "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
    "a00a06082a8648ce3d030107a144034200"
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");

bool parses(const Octets& octets, EcPrivateKey& key) {
  // Its own memory, so that a read behind the end is seen.
  const auto copy = std::make_unique<uint8_t[]>(octets.size());
  if (!octets.empty()) memcpy(copy.get(), octets.data(), octets.size());
  const bool good = parse_ec_private_key(Span{copy.get(), octets.size()}, Span{kCurve.data(), kCurve.size()},
                                         Span{kOrder.data(), kOrder.size()}, key);
  if (!good) return false;
  const uint8_t* end = copy.get() + octets.size();
  if (key.scalar.octets < copy.get() || key.scalar.octets + key.scalar.length > end) fail("a scalar outside its input");
  if (key.scalar.length == 0 || key.scalar.length > kOrder.size()) fail("a scalar of another length");
  return true;
}

Octets changed(const Octets& octets, std::mt19937& random) {
  Octets result = octets;
  for (uint32_t changes = 1 + random() % 4; changes > 0 && !result.empty(); --changes) {
    const size_t at = random() % result.size();
    switch (random() % 4) {
      case 0:
        result[at] = static_cast<uint8_t>(random());
        break;
      case 1:
        result.erase(result.begin() + static_cast<ptrdiff_t>(at));
        break;
      case 2:
        result.insert(result.begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>(random()));
        break;
      default:
        result.resize(at);
    }
  }
  return result;
}

void fuzz_pkcs8(uint32_t count, std::mt19937& random) {
  EcPrivateKey key{};
  if (!parses(kPkcs8, key) || key.scalar.length != 32 || key.public_point.length != 65) fail("a good key is not read");
  if (parses(Octets{}, key)) fail("nothing is read as a key");
  for (uint32_t i = 0; i < count; ++i) parses(changed(kPkcs8, random), key);
  for (size_t length = 0; length < kPkcs8.size(); ++length) {
    if (parses(Octets(kPkcs8.begin(), kPkcs8.begin() + static_cast<ptrdiff_t>(length)), key)) fail("half a key is read");
  }
  // Nested indefinite lengths must not take the stack down.
  if (parses(Octets(100000, 0x30), key)) fail("tags alone are read as a key");
  Octets nested;
  for (int i = 0; i < 50000; ++i) nested.insert(nested.end(), {0x30, 0x80});
  if (parses(nested, key)) fail("nested beginnings are read as a key");
}

void fuzz_oaep(uint32_t count, std::mt19937& random) {
  const Octets decoy(32, 0x55);
  const size_t lengths[] = {256, 384, 512, 65, 64, 42, 41, 1};
  for (uint32_t i = 0; i < count; ++i) {
    const size_t length = lengths[i % 8];
    const auto encoded = std::make_unique<uint8_t[]>(length);
    for (size_t at = 0; at < length; ++at) encoded[at] = static_cast<uint8_t>(random());
    encoded[0] = random() % 2 == 0 ? 0 : encoded[0];
    const size_t room = length > decoy.size() ? length : decoy.size();
    const auto message = std::make_unique<uint8_t[]>(room);
    size_t message_length = 0;
    const DigestKind hash = i % 2 == 0 ? DigestKind::kSha1 : DigestKind::kSha256;
    const bool good = unpad_oaep(hash, encoded.get(), length, MessageLength{0, 512}, decoy.data(), decoy.size(),
                                 message.get(), message_length);
    if (good) fail("random octets have good padding");
    if (message_length != decoy.size() || memcmp(message.get(), decoy.data(), decoy.size()) != 0) {
      fail("something else than the decoy went on");
    }
  }
}

}  // namespace

void fuzz_import(uint32_t count) {
  std::mt19937 random(20240229);
  fuzz_pkcs8(count, random);
  fuzz_oaep(count / 8 + 64, random);
}

}  // namespace keyferry
