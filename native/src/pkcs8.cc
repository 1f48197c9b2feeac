#include "pkcs8.h"

#include <cstring>

#include "ber.h"

namespace keyferry {
namespace {

constexpr uint8_t kEcPublicKey[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

bool is_number(Span content, uint8_t value) { return content.length == 1 && content.octets[0] == value; }

bool is_same(Span a, Span b) { return a.length == b.length && memcmp(a.octets, b.octets, a.length) == 0; }

// Whether 0 < scalar < order, big-endian, in time that depends on the lengths only.
bool is_in_range(Span scalar, Span order) {
  if (scalar.length == 0 || scalar.length > order.length) return false;
  uint32_t any = 0;
  uint32_t borrow = 0;
  for (size_t i = 0; i < order.length; ++i) {
    const uint32_t digit = i < scalar.length ? scalar.octets[scalar.length - 1 - i] : 0;
    any |= digit;
    borrow = (digit - order.octets[order.length - 1 - i] - borrow) >> 31;
  }
  return any != 0 && borrow == 1;
}

// The named curve of an element that may be nothing but it.
bool is_curve(Walker& walker, Span curve) {
  Element parameters;
  return walker.expect(kObjectIdentifier, parameters) && is_same(parameters.whole, curve);
}

bool read_point(Span bit_string, Span& point) {
  if (bit_string.length < 2 || bit_string.octets[0] != 0) return false;
  point = Span{bit_string.octets + 1, bit_string.length - 1};
  return true;
}

// RFC 5915.
bool read_ec_private_key(Span octets, Span curve, Span order, EcPrivateKey& key) {
  Walker outer(octets);
  Element sequence, version, scalar;
  if (!outer.expect(kSequence, sequence) || !outer.done()) return false;
  Walker walker(sequence.content);
  if (!walker.expect(kInteger, version) || !is_number(version.content, 1)) return false;
  if (!walker.expect(kOctetString, scalar) || !is_in_range(scalar.content, order)) return false;
  key.scalar = scalar.content;
  Element tagged;
  if (walker.next_is(kContext0)) {
    if (!walker.next(tagged)) return false;
    Walker parameters(tagged.content);
    if (!is_curve(parameters, curve) || !parameters.done()) return false;
  }
  if (walker.next_is(kContext1)) {
    if (!walker.next(tagged)) return false;
    Walker inner(tagged.content);
    Element bits;
    if (!inner.expect(kBitString, bits) || !inner.done() || !read_point(bits.content, key.public_point)) return false;
  }
  return walker.done();
}

}  // namespace

bool parse_ec_private_key(Span pkcs8, Span curve, Span order, EcPrivateKey& key) {
  key = EcPrivateKey{};
  Walker outer(pkcs8);
  Element sequence, version, algorithm, private_key;
  if (!outer.expect(kSequence, sequence) || !outer.done()) return false;
  Walker walker(sequence.content);
  if (!walker.expect(kInteger, version)) return false;
  const bool is_second = is_number(version.content, 1);
  if (!is_second && !is_number(version.content, 0)) return false;
  if (!walker.expect(kSequence, algorithm)) return false;
  Walker identifier(algorithm.content);
  Element oid;
  if (!identifier.expect(kObjectIdentifier, oid) || !is_same(oid.whole, Span{kEcPublicKey, sizeof kEcPublicKey})) {
    return false;
  }
  if (!is_curve(identifier, curve) || !identifier.done()) return false;
  if (!walker.expect(kOctetString, private_key)) return false;
  if (!read_ec_private_key(private_key.content, curve, order, key)) return false;
  Element further;
  // Attributes say nothing about the key.
  if (walker.next_is(kContext0) && !walker.next(further)) return false;
  if (is_second && walker.next_is(kPrimitiveContext1)) {
    Span point{};
    if (!walker.next(further) || !read_point(further.content, point)) return false;
    if (key.public_point.length != 0 && !is_same(point, key.public_point)) return false;
    key.public_point = point;
  }
  return walker.done();
}

}  // namespace keyferry
