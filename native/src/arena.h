// Memory for what one decoded job needs, given back all at once and wiped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "secret_bytes.h"

namespace keyferry {

struct FreeDeleter {
  void operator()(void* memory) const { free(memory); }
};
using HeapOctets = std::unique_ptr<uint8_t[], FreeDeleter>;

class Arena {
 public:
  Arena() { add(kChunkBytes); }
  ~Arena() { reset(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Aligned for any type; null where there is no memory.
  void* take(size_t length) {
    if (length > kTakeMax) return nullptr;
    const size_t rounded = (length + 15) / 16 * 16;
    const bool fits = chunks_.back().capacity - chunks_.back().used >= rounded;
    if (!fits && !add(rounded > kChunkBytes ? rounded : kChunkBytes)) return nullptr;
    Chunk& chunk = chunks_.back();
    void* memory = chunk.octets.get() + chunk.used;
    chunk.used += rounded;
    return memory;
  }

  template <typename T>
  T* take_array(size_t count) {
    if (count > kTakeMax / sizeof(T)) return nullptr;
    return static_cast<T*>(take(count == 0 ? sizeof(T) : count * sizeof(T)));
  }

  // Wipes what was taken; keeps the first chunk.
  void reset() {
    for (Chunk& chunk : chunks_) wipe(chunk.octets.get(), chunk.used);
    while (chunks_.size() > 1) chunks_.pop_back();
    chunks_.front().used = 0;
  }

 private:
  static constexpr size_t kChunkBytes = 16384;
  static constexpr size_t kTakeMax = size_t{1} << 30;

  struct Chunk {
    HeapOctets octets;
    size_t capacity;
    size_t used;
  };

  bool add(size_t capacity) {
    HeapOctets octets(static_cast<uint8_t*>(malloc(capacity)));
    if (octets == nullptr) return false;
    chunks_.push_back(Chunk{std::move(octets), capacity, 0});
    return true;
  }

  std::vector<Chunk> chunks_;
};

// Octets that grow and are wiped whenever their memory is given up or used again.
class WipedBuffer {
 public:
  WipedBuffer() = default;
  ~WipedBuffer() { clear(true); }
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;

  uint8_t* data() { return octets_.get(); }
  const uint8_t* data() const { return octets_.get(); }
  size_t size() const { return size_; }

  // Room for `length` more octets behind size(); null where there is no memory. All of it counts as touched.
  uint8_t* reserve(size_t length) {
    if (length > kBytesMax || size_ > kBytesMax - length) return nullptr;
    const size_t needed = size_ + length;
    if (needed > capacity_ && !grow(needed)) return nullptr;
    if (needed > touched_) touched_ = needed;
    return octets_.get() + size_;
  }

  // Makes `length` octets of what was reserved part of the content.
  void commit(size_t length) { size_ += length; }

  // Gives up everything behind the first `size` octets, and wipes it.
  void truncate(size_t size) {
    wipe(octets_.get() + size, touched_ - size);
    size_ = touched_ = size;
  }

  void clear(bool release) {
    wipe(octets_.get(), touched_);
    size_ = touched_ = 0;
    if (release || capacity_ > kKeepBytes) {
      octets_.reset();
      capacity_ = 0;
    }
  }

 private:
  static constexpr size_t kBytesMax = size_t{1} << 30;
  static constexpr size_t kKeepBytes = 65536;

  bool grow(size_t needed) {
    size_t capacity = capacity_ == 0 ? 4096 : capacity_;
    while (capacity < needed) capacity *= 2;
    HeapOctets larger(static_cast<uint8_t*>(malloc(capacity)));
    if (larger == nullptr) return false;
    if (size_ > 0) memcpy(larger.get(), octets_.get(), size_);
    wipe(octets_.get(), touched_);
    octets_ = std::move(larger);
    capacity_ = capacity;
    touched_ = size_;
    return true;
  }

  HeapOctets octets_;
  size_t size_ = 0;
  size_t capacity_ = 0;
  size_t touched_ = 0;
};

}  // namespace keyferry
