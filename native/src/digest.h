// SHA-1 and SHA-256 for the padding of RSAES-OAEP: state in memory that the caller wipes, nothing taken from elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace keyferry {

enum class DigestKind : uint32_t { kSha1 = 1, kSha256 = 2 };

constexpr size_t kDigestBytesMax = 32;
constexpr size_t digest_bytes(DigestKind kind) { return kind == DigestKind::kSha1 ? 20 : 32; }

// One digest in the making; wiped when it goes. FIPS 180-4.
class Digest {
 public:
  explicit Digest(DigestKind kind);
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void update(const uint8_t* octets, size_t length);
  // Writes digest_bytes(kind) octets; nothing may be added afterwards.
  void finish(uint8_t* digest);

 private:
  void compress();
  void compress_sha1(uint32_t* schedule);
  void compress_sha256(uint32_t* schedule);

  const DigestKind kind_;
  uint32_t state_[8];
  uint8_t block_[64];
  uint64_t length_ = 0;
};

}  // namespace keyferry
