// Walks octets in DER or BER. Copies nothing; what it finds are places in the input.
#pragma once

#include "pkcs8.h"

namespace keyferry {

inline constexpr uint8_t kInteger = 0x02;
inline constexpr uint8_t kBitString = 0x03;
inline constexpr uint8_t kOctetString = 0x04;
inline constexpr uint8_t kObjectIdentifier = 0x06;
inline constexpr uint8_t kSequence = 0x30;
inline constexpr uint8_t kContext0 = 0xa0;
inline constexpr uint8_t kContext1 = 0xa1;
inline constexpr uint8_t kPrimitiveContext1 = 0x81;
inline constexpr uint8_t kConstructed = 0x20;
inline constexpr int kDepthMax = 8;

// One element: its tag, and its content without an end-of-contents marker.
struct Element {
  uint8_t tag;
  Span whole;
  Span content;
};

// Walks the elements of one content, BER.
class Walker {
 public:
  explicit Walker(Span span) : at_(span.octets), end_(span.octets + span.length) {}

  bool done() const { return at_ == end_; }
  bool next_is(uint8_t tag) const { return at_ != end_ && *at_ == tag; }
  bool next(Element& element) { return read(element, 0); }
  bool expect(uint8_t tag, Element& element) { return next_is(tag) && next(element); }

 private:
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  bool read(Element& element, int depth) {
    const uint8_t* start = at_;
    if (left() < 2 || depth > kDepthMax) return false;
    element.tag = *at_++;
    // No tag here is above 30.
    if ((element.tag & 0x1f) == 0x1f) return false;
    const uint8_t first = *at_++;
    if (first == 0x80) return read_indefinite(element, start, depth);
    size_t length = first;
    if (first > 0x80) {
      const size_t octets = first & 0x7fu;
      if (octets > 8 || octets > left()) return false;
      length = 0;
      for (size_t i = 0; i < octets; ++i) {
        if (length >> (8 * sizeof length - 8) != 0) return false;
        length = length << 8 | *at_++;
      }
    }
    if (length > left()) return false;
    element.content = Span{at_, length};
    at_ += length;
    element.whole = Span{start, static_cast<size_t>(at_ - start)};
    return true;
  }

  bool read_indefinite(Element& element, const uint8_t* start, int depth) {
    if ((element.tag & kConstructed) == 0) return false;
    const uint8_t* content = at_;
    while (left() >= 2 && !(at_[0] == 0 && at_[1] == 0)) {
      Element inner;
      if (!read(inner, depth + 1)) return false;
    }
    if (left() < 2) return false;
    element.content = Span{content, static_cast<size_t>(at_ - content)};
    at_ += 2;
    element.whole = Span{start, static_cast<size_t>(at_ - start)};
    return true;
  }

  const uint8_t* at_;
  const uint8_t* const end_;
};

}  // namespace keyferry
