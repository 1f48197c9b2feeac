// Octets that must not outlive their use: locked, left out of core dumps, wiped.
#pragma once

#include <cstddef>
#include <cstdint>

namespace keyferry {

// Wipes octets in a way that the compiler keeps.
void wipe(void* octets, size_t length);

// A block of locked memory. Move-only; wiped when it goes.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(size_t capacity);
  ~SecretBytes();
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  uint8_t* data() { return data_; }
  size_t capacity() const { return capacity_; }
  size_t size() const { return size_; }
  void resize(size_t size) { size_ = size <= capacity_ ? size : capacity_; }
  bool allocated() const { return data_ != nullptr; }
  // False where the system's limit for locked memory is used up: the octets are wiped all the same.
  bool locked() const { return locked_; }

 private:
  void release();

  uint8_t* data_ = nullptr;
  size_t capacity_ = 0;
  size_t mapped_ = 0;
  size_t size_ = 0;
  bool locked_ = false;
};

// Locked memory for the secrets of one job after another: taken from the front, wiped at the end of each job.
class SecretArena {
 public:
  SecretArena() : block_(kBlockBytes) {}

  // Null where the system has no memory. Valid until reset().
  uint8_t* take(size_t length);
  // Wipes everything that was taken.
  void reset();

 private:
  static constexpr size_t kBlockBytes = 32768;
  static constexpr size_t kOverflowMax = 64;

  SecretBytes block_;
  size_t used_ = 0;
  SecretBytes overflow_[kOverflowMax];
  size_t overflows_ = 0;
};

}  // namespace keyferry
