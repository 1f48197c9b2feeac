#include "secret_bytes.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

namespace keyferry {

void wipe(void* octets, size_t length) {
  if (octets != nullptr && length > 0) explicit_bzero(octets, length);
}

SecretBytes::SecretBytes(size_t capacity) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t wanted = capacity == 0 ? 1 : capacity;
  if (wanted > SIZE_MAX - page) return;
  mapped_ = (wanted + page - 1) / page * page;
  void* block = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) {
    mapped_ = 0;
    return;
  }
  data_ = static_cast<uint8_t*>(block);
  capacity_ = capacity;
  locked_ = mlock(block, mapped_) == 0;
  madvise(block, mapped_, MADV_DONTDUMP);
}

SecretBytes::~SecretBytes() { release(); }

SecretBytes::SecretBytes(SecretBytes&& other) noexcept { *this = std::move(other); }

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
    size_ = std::exchange(other.size_, 0);
    locked_ = std::exchange(other.locked_, false);
  }
  return *this;
}

void SecretBytes::release() {
  if (data_ == nullptr) return;
  wipe(data_, mapped_);
  munmap(data_, mapped_);
  data_ = nullptr;
  capacity_ = mapped_ = size_ = 0;
}

uint8_t* SecretArena::take(size_t length) {
  const size_t rounded = length > SIZE_MAX - 15 ? SIZE_MAX : (length + 15) / 16 * 16;
  if (block_.allocated() && rounded <= kBlockBytes - used_) {
    uint8_t* octets = block_.data() + used_;
    used_ += rounded == 0 ? 16 : rounded;
    if (used_ > kBlockBytes) used_ = kBlockBytes;
    return octets;
  }
  if (overflows_ == kOverflowMax) return nullptr;
  SecretBytes own(length);
  if (!own.allocated()) return nullptr;
  overflow_[overflows_] = std::move(own);
  return overflow_[overflows_++].data();
}

void SecretArena::reset() {
  if (used_ > 0) wipe(block_.data(), used_);
  used_ = 0;
  while (overflows_ > 0) overflow_[--overflows_] = SecretBytes();
}

}  // namespace keyferry
