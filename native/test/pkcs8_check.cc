#include "pkcs8_check.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>

#include "../src/ber.h"
#include "../src/pkcs8_writer.h"
#include "program_writer.h"

namespace keyferry {
namespace {

using Octets = std::vector<uint8_t>;

constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr uint8_t kEd25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};

[[noreturn]] void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

Octets random_octets(std::mt19937& random, size_t length) {
  Octets octets(length);
  for (uint8_t& octet : octets) octet = static_cast<uint8_t>(random());
  // Zeros in front are what the writer has to take off or put there.
  for (size_t i = random() % 4; i-- > 0 && i < length;) octets[i] = 0;
  return octets;
}

Span span(const Octets& octets) { return Span{octets.data(), octets.size()}; }

bool same_digits(Span a, Span b) {
  while (a.length > 0 && a.octets[0] == 0) a = Span{a.octets + 1, a.length - 1};
  while (b.length > 0 && b.octets[0] == 0) b = Span{b.octets + 1, b.length - 1};
  return a.length == b.length && memcmp(a.octets, b.octets, a.length) == 0;
}

// Calls a writer with room of the usual size, and with less: it may refuse, and never writes elsewhere.
template <typename Write, typename Check>
void with_rooms(std::mt19937& random, size_t parts, Write write, Check check) {
  for (const size_t capacity : {pkcs8_room(parts), random() % pkcs8_room(parts)}) {
    const auto room = std::make_unique<uint8_t[]>(capacity);
    Span written{};
    if (!write(room.get(), capacity, written)) {
      if (capacity == pkcs8_room(parts)) fail("a good key is not written");
      continue;
    }
    if (written.octets < room.get() || written.octets + written.length != room.get() + capacity) {
      fail("a key outside its room");
    }
    check(written);
  }
}

void check_ec(std::mt19937& random) {
  static const Octets order(32, 0xff);
  Octets scalar = random_octets(random, 32);
  scalar[31] |= 1;
  scalar[0] &= 0x7f;
  const Octets short_scalar(scalar.begin() + (scalar[0] == 0 ? 1 : 0), scalar.end());
  Octets point = random_octets(random, 65);
  point[0] = 0x04;
  const Span curve{kP256, sizeof kP256};
  with_rooms(
      random, short_scalar.size() + point.size() + curve.length,
      [&](uint8_t* room, size_t capacity, Span& written) {
        return write_ec_private_key(curve, span(short_scalar), 32, span(point), room, capacity, written);
      },
      [&](Span written) {
        EcPrivateKey key{};
        if (!parse_ec_private_key(written, curve, span(order), key)) fail("a written EC key is not read");
        if (key.scalar.length != 32 || !same_digits(key.scalar, span(scalar))) fail("another scalar is read");
        if (key.public_point.length != 65 || memcmp(key.public_point.octets, point.data(), 65) != 0) {
          fail("another point is read");
        }
      });
}

void check_rsa(std::mt19937& random) {
  const size_t modulus = 1 + random() % 512;
  Octets parts[kRsaNumbers];
  Span numbers[kRsaNumbers];
  size_t total = 0;
  for (size_t i = 0; i < kRsaNumbers; ++i) {
    parts[i] = random_octets(random, i == 1 ? 3 : i < 3 ? modulus : modulus / 2 + 1);
    parts[i].back() |= 1;
    numbers[i] = span(parts[i]);
    total += parts[i].size();
  }
  with_rooms(
      random, total,
      [&](uint8_t* room, size_t capacity, Span& written) {
        return write_rsa_private_key(numbers, room, capacity, written);
      },
      [&](Span written) {
        Walker outer(written);
        Element info, element;
        if (!outer.expect(kSequence, info) || !outer.done()) fail("a written RSA key is not read");
        Walker walker(info.content);
        if (!walker.expect(kInteger, element) || !walker.expect(kSequence, element) ||
            !walker.expect(kOctetString, element) || !walker.done()) {
          fail("a written RSA key has other members");
        }
        Walker key(element.content);
        if (!key.expect(kSequence, element) || !key.done()) fail("a written RSA key has no numbers");
        Walker digits(element.content);
        if (!digits.expect(kInteger, element)) fail("a written RSA key has no version");
        for (const Span& number : numbers) {
          if (!digits.expect(kInteger, element) || element.content.octets[0] >= 0x80 ||
              !same_digits(element.content, number)) {
            fail("another number is read");
          }
        }
        if (!digits.done()) fail("a written RSA key has more numbers");
      });
}

}  // namespace

void check_pkcs8_writer(uint32_t count) {
  std::mt19937 random(20240301);
  for (uint32_t i = 0; i < count; ++i) {
    check_ec(random);
    check_rsa(random);
  }
  const Octets zeros(32, 0);
  uint8_t room[256];
  Span written{};
  const Span numbers[kRsaNumbers] = {span(zeros)};
  if (write_rsa_private_key(numbers, room, sizeof room, written)) fail("zero is written as a modulus");
  const Span curve{kP256, sizeof kP256};
  if (write_ec_private_key(curve, span(zeros), 32, span(zeros), room, sizeof room, written)) fail("zero is a scalar");
  const Octets long_scalar(33, 1);
  if (write_ec_private_key(curve, span(long_scalar), 32, span(zeros), room, sizeof room, written)) {
    fail("a scalar is longer than its order");
  }
  const Span edwards{kEd25519, sizeof kEd25519};
  if (!write_edwards_private_key(edwards, span(zeros), 32, room, sizeof room, written) || written.length != 48) {
    fail("an Ed25519 key is not written");
  }
  if (write_edwards_private_key(edwards, span(long_scalar), 32, room, sizeof room, written)) fail("33 octets are a key");
}

std::vector<uint8_t> readable_pair_job() {
  ProgramWriter program(Weight::kLong, 0);
  const auto [public_key, private_key] =
      program.curve_pair(kP256, sizeof kP256, {{CKA_PRIVATE, true}, {CKA_SENSITIVE, false}, {CKA_EXTRACTABLE, true}});
  program.begin(Opcode::kReadPrivateKey);
  program.word(static_cast<uint32_t>(PrivateKeyKind::kCurve));
  program.object(private_key);
  program.object(public_key);
  program.octets(kP256, sizeof kP256);
  program.word(32);
  program.makes_secret();
  program.end();
  program.begin(Opcode::kReveal);
  program.word(0);
  program.makes_output();
  program.end();
  return program.finish();
}

}  // namespace keyferry
