#include "oaep.h"

#include <cstring>

#include "secret_bytes.h"

namespace keyferry {
namespace {

// Masks: all ones or zero, made without a branch. Values stay below 2^31.
using Mask = uint32_t;

// Keeps the compiler from seeing that a mask has two values only, and from branching on it.
Mask opaque(Mask value) {
  asm volatile("" : "+r"(value));
  return value;
}

Mask is_zero(uint32_t value) { return opaque(0 - ((~value & (value - 1)) >> 31)); }
Mask is_equal(uint32_t a, uint32_t b) { return is_zero(a ^ b); }
Mask is_below(uint32_t a, uint32_t b) { return opaque(0 - ((a - b) >> 31)); }
uint32_t select(Mask mask, uint32_t yes, uint32_t no) { return (mask & yes) | (~mask & no); }
uint8_t select_octet(Mask mask, uint8_t yes, uint8_t no) { return static_cast<uint8_t>(select(mask, yes, no)); }

// XORs MGF1 of the seed over the octets.
void mask_octets(DigestKind hash, const uint8_t* seed, size_t seed_length, uint8_t* octets, size_t length) {
  const size_t step = digest_bytes(hash);
  uint8_t block[kDigestBytesMax];
  for (uint32_t counter = 0; counter * step < length; ++counter) {
    const uint8_t counter_octets[4] = {static_cast<uint8_t>(counter >> 24), static_cast<uint8_t>(counter >> 16),
                                       static_cast<uint8_t>(counter >> 8), static_cast<uint8_t>(counter)};
    Digest digest(hash);
    digest.update(seed, seed_length);
    digest.update(counter_octets, sizeof counter_octets);
    digest.finish(block);
    const size_t start = counter * step;
    const size_t count = length - start < step ? length - start : step;
    for (size_t i = 0; i < count; ++i) octets[start + i] ^= block[i];
  }
  wipe(block, sizeof block);
}

}  // namespace

bool unpad_oaep(DigestKind hash, uint8_t* encoded, size_t length, MessageLength wanted, const uint8_t* decoy,
                size_t decoy_length, uint8_t* message, size_t& message_length) {
  const size_t digest = digest_bytes(hash);
  message_length = decoy_length;
  // The modulus is public, and with it this length.
  if (length < 2 * digest + 2) {
    memcpy(message, decoy, decoy_length);
    return false;
  }
  uint8_t* seed = encoded + 1;
  uint8_t* block = encoded + 1 + digest;
  const size_t block_length = length - 1 - digest;
  mask_octets(hash, block, block_length, seed, digest);
  mask_octets(hash, seed, digest, block, block_length);

  uint8_t empty_label[kDigestBytesMax];
  Digest(hash).finish(empty_label);
  uint32_t different = encoded[0];
  for (size_t i = 0; i < digest; ++i) different |= static_cast<uint32_t>(block[i] ^ empty_label[i]);
  Mask good = is_zero(different);

  // Behind the label's digest: zeros, a one, the message.
  uint8_t* rest = block + digest;
  const uint32_t rest_length = static_cast<uint32_t>(block_length - digest);
  Mask found = 0;
  uint32_t separator = 0;
  for (uint32_t i = 0; i < rest_length; ++i) {
    const Mask is_one = is_equal(rest[i], 1);
    separator = select(~found & is_one, i, separator);
    found |= is_one;
    good &= found | is_zero(rest[i]);
  }
  good &= found;
  const uint32_t found_length = select(good, rest_length - separator - 1, 0);
  good &= ~is_below(found_length, static_cast<uint32_t>(wanted.min));
  good &= ~is_below(static_cast<uint32_t>(wanted.max), found_length);

  // Moves the message to the front in steps of powers of two, so that no address depends on where it began.
  const uint32_t distance = separator + 1;
  for (uint32_t step = 1; step <= rest_length; step <<= 1) {
    const Mask moves = ~is_zero(distance & step);
    for (uint32_t i = 0; i < rest_length; ++i) {
      const uint8_t further = i + step < rest_length ? rest[i + step] : 0;
      rest[i] = select_octet(moves, further, rest[i]);
    }
  }
  const size_t room = length > decoy_length ? length : decoy_length;
  for (size_t i = 0; i < room; ++i) {
    const uint8_t real = i < rest_length ? rest[i] : 0;
    const uint8_t other = i < decoy_length ? decoy[i] : 0;
    message[i] = select_octet(good, real, other);
  }
  message_length = select(good, found_length, static_cast<uint32_t>(decoy_length));
  return good != 0;
}

}  // namespace keyferry
