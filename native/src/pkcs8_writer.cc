#include "pkcs8_writer.h"

#include <cstring>

#include "ber.h"

namespace keyferry {
namespace {

constexpr uint8_t kNull[] = {0x05, 0x00};
constexpr uint8_t kVersion0[] = {kInteger, 0x01, 0x00};
constexpr uint8_t kVersion1[] = {kInteger, 0x01, 0x01};
constexpr uint8_t kRsaEncryption[] = {kObjectIdentifier, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
constexpr uint8_t kEcPublicKey[] = {kObjectIdentifier, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

// Writes elements from the end of the room to its front, so that each length is known when it is written.
class DerWriter {
 public:
  DerWriter(uint8_t* room, size_t capacity) : room_(room), at_(room + capacity), end_(at_) {}

  const uint8_t* here() const { return at_; }

  void put(uint8_t octet) { put(Span{&octet, 1}); }
  void put(Span octets) {
    if (!ok_ || static_cast<size_t>(at_ - room_) < octets.length) {
      ok_ = false;
      return;
    }
    at_ -= octets.length;
    if (octets.length > 0) memcpy(at_, octets.octets, octets.length);
  }
  void zeros(size_t count) {
    for (; ok_ && count > 0; --count) put(uint8_t{0});
  }
  // Puts tag and length in front of everything that was written since `end`.
  void close(uint8_t tag, const uint8_t* end) {
    size_t length = static_cast<size_t>(end - at_);
    if (length < 0x80) {
      put(static_cast<uint8_t>(length));
    } else {
      uint8_t octets = 0;
      for (; length > 0; length >>= 8, ++octets) put(static_cast<uint8_t>(length));
      put(static_cast<uint8_t>(0x80 | octets));
    }
    put(tag);
  }
  bool finish(Span& written) const {
    if (ok_) written = Span{at_, static_cast<size_t>(end_ - at_)};
    return ok_;
  }

 private:
  uint8_t* const room_;
  uint8_t* at_;
  const uint8_t* const end_;
  bool ok_ = true;
};

Span without_zeros(Span digits) {
  while (digits.length > 0 && digits.octets[0] == 0) digits = Span{digits.octets + 1, digits.length - 1};
  return digits;
}

void put_positive(DerWriter& der, Span digits) {
  const uint8_t* end = der.here();
  der.put(digits);
  if (digits.octets[0] >= 0x80) der.put(uint8_t{0});
  der.close(kInteger, end);
}

// What stands around the private key of every kind: `end` is where PrivateKeyInfo ends.
void close_private_key_info(DerWriter& der, const uint8_t* end, Span algorithm, Span parameters) {
  der.close(kOctetString, end);
  const uint8_t* identifier_end = der.here();
  der.put(parameters);
  der.put(algorithm);
  der.close(kSequence, identifier_end);
  der.put(Span{kVersion0, sizeof kVersion0});
  der.close(kSequence, end);
}

}  // namespace

bool write_rsa_private_key(const Span (&numbers)[kRsaNumbers], uint8_t* room, size_t capacity, Span& pkcs8) {
  DerWriter der(room, capacity);
  const uint8_t* end = der.here();
  for (size_t i = kRsaNumbers; i-- > 0;) {
    const Span digits = without_zeros(numbers[i]);
    if (digits.length == 0) return false;
    put_positive(der, digits);
  }
  der.put(Span{kVersion0, sizeof kVersion0});
  der.close(kSequence, end);
  close_private_key_info(der, end, Span{kRsaEncryption, sizeof kRsaEncryption}, Span{kNull, sizeof kNull});
  return der.finish(pkcs8);
}

bool write_ec_private_key(Span curve, Span scalar, size_t scalar_octets, Span point, uint8_t* room, size_t capacity,
                          Span& pkcs8) {
  const Span digits = without_zeros(scalar);
  if (digits.length == 0 || digits.length > scalar_octets) return false;
  DerWriter der(room, capacity);
  const uint8_t* end = der.here();
  der.put(point);
  der.put(uint8_t{0});
  der.close(kBitString, end);
  der.close(kContext1, end);
  const uint8_t* scalar_end = der.here();
  der.put(digits);
  der.zeros(scalar_octets - digits.length);
  der.close(kOctetString, scalar_end);
  der.put(Span{kVersion1, sizeof kVersion1});
  der.close(kSequence, end);
  close_private_key_info(der, end, Span{kEcPublicKey, sizeof kEcPublicKey}, curve);
  return der.finish(pkcs8);
}

bool write_edwards_private_key(Span curve, Span key, size_t key_octets, uint8_t* room, size_t capacity, Span& pkcs8) {
  if (key.length != key_octets) return false;
  DerWriter der(room, capacity);
  const uint8_t* end = der.here();
  der.put(key);
  der.close(kOctetString, end);
  close_private_key_info(der, end, curve, Span{nullptr, 0});
  return der.finish(pkcs8);
}

}  // namespace keyferry
