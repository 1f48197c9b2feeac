// Reads words and octets, and remembers when there were fewer than asked for.
#pragma once

#include <cstdint>
#include <cstring>

namespace keyferry {

class Reader {
 public:
  Reader(const uint8_t* octets, size_t length) : at_(octets), end_(octets + length) {}

  uint32_t word() {
    if (left() < 4) return fail();
    uint32_t value;
    memcpy(&value, at_, 4);
    at_ += 4;
    return value;
  }

  uint64_t number() {
    const uint64_t low = word();
    return low | static_cast<uint64_t>(word()) << 32;
  }

  // Octets behind their length; never null, also where there are none.
  const uint8_t* octets(uint32_t& length) {
    length = word();
    const size_t padded = (static_cast<size_t>(length) + 3) / 4 * 4;
    if (left() < padded) {
      length = fail();
      return at_;
    }
    const uint8_t* octets = at_;
    at_ += padded;
    return octets;
  }

  // `count` words in place.
  const uint32_t* words(uint32_t count) {
    if (left() / 4 < count) {
      fail();
      return nullptr;
    }
    const auto* words = reinterpret_cast<const uint32_t*>(at_);
    at_ += static_cast<size_t>(count) * 4;
    return words;
  }

  size_t left() const { return static_cast<size_t>(end_ - at_); }
  const uint8_t* position() const { return at_; }
  bool ok() const { return ok_; }
  uint32_t fail() {
    ok_ = false;
    at_ = end_;
    return 0;
  }

 private:
  const uint8_t* at_;
  const uint8_t* const end_;
  bool ok_ = true;
};

}  // namespace keyferry
