#include "digest.h"

#include <bit>
#include <cstring>

#include "secret_bytes.h"

namespace keyferry {
namespace {

constexpr uint32_t kSha1Start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
constexpr uint32_t kSha256Start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
constexpr uint32_t kSha256Round[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t load_be(const uint8_t* octets) {
  return static_cast<uint32_t>(octets[0]) << 24 | static_cast<uint32_t>(octets[1]) << 16 |
         static_cast<uint32_t>(octets[2]) << 8 | octets[3];
}

void store_be(uint8_t* octets, uint32_t word) {
  for (int i = 0; i < 4; ++i) octets[i] = static_cast<uint8_t>(word >> (24 - 8 * i));
}

}  // namespace

Digest::Digest(DigestKind kind) : kind_(kind), state_{} {
  if (kind == DigestKind::kSha1) {
    memcpy(state_, kSha1Start, sizeof kSha1Start);
  } else {
    memcpy(state_, kSha256Start, sizeof kSha256Start);
  }
}

Digest::~Digest() {
  wipe(state_, sizeof state_);
  wipe(block_, sizeof block_);
}

void Digest::update(const uint8_t* octets, size_t length) {
  while (length > 0) {
    const size_t used = length_ % sizeof block_;
    const size_t taken = length < sizeof block_ - used ? length : sizeof block_ - used;
    memcpy(block_ + used, octets, taken);
    octets += taken;
    length -= taken;
    length_ += taken;
    if (length_ % sizeof block_ == 0) compress();
  }
}

void Digest::finish(uint8_t* digest) {
  const uint64_t bits = length_ * 8;
  const uint8_t one = 0x80;
  const uint8_t zero = 0;
  update(&one, 1);
  while (length_ % sizeof block_ != sizeof block_ - 8) update(&zero, 1);
  uint8_t length[8];
  store_be(length, static_cast<uint32_t>(bits >> 32));
  store_be(length + 4, static_cast<uint32_t>(bits));
  update(length, sizeof length);
  for (size_t i = 0; i < digest_bytes(kind_) / 4; ++i) store_be(digest + 4 * i, state_[i]);
}

void Digest::compress() {
  uint32_t schedule[80];
  for (int i = 0; i < 16; ++i) schedule[i] = load_be(block_ + 4 * i);
  if (kind_ == DigestKind::kSha1) {
    compress_sha1(schedule);
  } else {
    compress_sha256(schedule);
  }
  wipe(schedule, sizeof schedule);
}

void Digest::compress_sha1(uint32_t* schedule) {
  for (int i = 16; i < 80; ++i) {
    schedule[i] = std::rotl(schedule[i - 3] ^ schedule[i - 8] ^ schedule[i - 14] ^ schedule[i - 16], 1);
  }
  uint32_t a = state_[0], b = state_[1], c = state_[2], d = state_[3], e = state_[4];
  for (int i = 0; i < 80; ++i) {
    uint32_t mixed;
    if (i < 20) {
      mixed = ((b & c) | (~b & d)) + 0x5a827999;
    } else if (i < 40) {
      mixed = (b ^ c ^ d) + 0x6ed9eba1;
    } else if (i < 60) {
      mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    } else {
      mixed = (b ^ c ^ d) + 0xca62c1d6;
    }
    const uint32_t next = std::rotl(a, 5) + mixed + e + schedule[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const uint32_t words[5] = {a, b, c, d, e};
  for (int i = 0; i < 5; ++i) state_[i] += words[i];
}

void Digest::compress_sha256(uint32_t* schedule) {
  for (int i = 16; i < 64; ++i) {
    const uint32_t early = schedule[i - 15];
    const uint32_t late = schedule[i - 2];
    schedule[i] = schedule[i - 16] + (std::rotr(early, 7) ^ std::rotr(early, 18) ^ early >> 3) + schedule[i - 7] +
                  (std::rotr(late, 17) ^ std::rotr(late, 19) ^ late >> 10);
  }
  uint32_t word[8];
  memcpy(word, state_, sizeof word);
  for (int i = 0; i < 64; ++i) {
    const uint32_t a = word[0];
    const uint32_t e = word[4];
    const uint32_t first = word[7] + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                           ((e & word[5]) ^ (~e & word[6])) + kSha256Round[i] + schedule[i];
    const uint32_t second = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) +
                            ((a & word[1]) ^ (a & word[2]) ^ (word[1] & word[2]));
    memmove(word + 1, word, 7 * sizeof word[0]);
    word[4] += first;
    word[0] = first + second;
  }
  for (int i = 0; i < 8; ++i) state_[i] += word[i];
  wipe(word, sizeof word);
}

}  // namespace keyferry
