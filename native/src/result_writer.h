// A job's flat result. job_result.ts reads the same format.
//
// Header of 12 words: id, length in octets, status, outputs, nanoseconds in the token (2), calls, call that failed,
// its return value, its mechanism, step, failed destructions in the clean-up; then each output: index, kind, length of
// the content in octets, the content padded to a multiple of four.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "arena.h"

namespace keyferry {

constexpr uint32_t kResultHeaderWords = 12;

enum class Status : uint32_t {
  kOk = 0,
  kCallFailed = 1,     // the session is as good as before
  kSessionLost = 2,    // the session or its login is gone
  kReference = 3,      // a step refers to what a failed step would have made
  kNotDestroyed = 4,   // the token said CKR_OK and the object is still there
  kStale = 5,          // handles of another epoch
  kRefused = 6,        // the program is malformed
  kAbandoned = 7,      // the executor gave up
  kNoMemory = 8,
};

enum class OutputKind : uint32_t { kBytes = 1, kObject = 2, kHandles = 3, kAttributes = 4, kReturnValue = 5 };

enum class AttributeState : uint32_t { kValue = 0, kUnavailable = 1, kSensitive = 2, kReadableSecret = 3 };

// Where a job failed; `call` counts in the order of kCallNames in call_names.h.
struct Outcome {
  Status status = Status::kOk;
  uint32_t call = 0;
  uint64_t rv = 0;
  uint32_t mechanism = 0xffffffff;
  uint32_t step = 0;
  uint32_t cleanup_failures = 0;
};

class ResultWriter {
 public:
  explicit ResultWriter(WipedBuffer& buffer) : buffer_(buffer) {}

  void begin() {
    buffer_.clear(false);
    outputs_ = 0;
    // Without memory for a header nobody could be told anything.
    if (buffer_.reserve(kResultHeaderWords * 4) == nullptr) abort();
    buffer_.commit(kResultHeaderWords * 4);
  }

  // Room for an output of at most `length` octets; null where there is no memory. Valid until the next call.
  uint8_t* reserve(size_t length) {
    uint8_t* place = buffer_.reserve(12 + length + 4);
    return place == nullptr ? nullptr : place + 12;
  }

  // Makes the first `length` octets of what was reserved an output.
  void commit(uint32_t index, OutputKind kind, size_t length) {
    uint8_t* place = buffer_.data() + buffer_.size();
    const uint32_t words[3] = {index, static_cast<uint32_t>(kind), static_cast<uint32_t>(length)};
    memcpy(place, words, sizeof words);
    const size_t padded = (length + 3) / 4 * 4;
    memset(place + 12 + length, 0, padded - length);
    buffer_.commit(12 + padded);
    ++outputs_;
  }

  bool number(uint32_t index, OutputKind kind, uint64_t value) {
    uint8_t* place = reserve(sizeof value);
    if (place == nullptr) return false;
    memcpy(place, &value, sizeof value);
    commit(index, kind, sizeof value);
    return true;
  }

  // Takes every output back: a job that failed tells nothing else.
  void discard_outputs() {
    buffer_.truncate(kResultHeaderWords * 4);
    outputs_ = 0;
  }

  void finish(uint32_t id, const Outcome& outcome, uint64_t token_ns, uint32_t calls) {
    const uint32_t words[kResultHeaderWords] = {
        id,
        static_cast<uint32_t>(buffer_.size()),
        static_cast<uint32_t>(outcome.status),
        outputs_,
        static_cast<uint32_t>(token_ns),
        static_cast<uint32_t>(token_ns >> 32),
        calls,
        outcome.call,
        outcome.rv > 0xffffffff ? 0xffffffff : static_cast<uint32_t>(outcome.rv),
        outcome.mechanism,
        outcome.step,
        outcome.cleanup_failures,
    };
    memcpy(buffer_.data(), words, sizeof words);
  }

 private:
  WipedBuffer& buffer_;
  uint32_t outputs_ = 0;
};

}  // namespace keyferry
