// Writes programs for the engine's own tests, without JavaScript: the format of program.h.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <utility>
#include <vector>

#include "../src/mechanism.h"
#include "../src/program.h"

namespace keyferry {

class ProgramWriter {
 public:
  ProgramWriter(Weight weight, uint32_t epoch)
      : words_{kProgramMagic, 0, static_cast<uint32_t>(weight), epoch, 0, 0, 0, 0} {}

  void begin(Opcode opcode) {
    start_ = words_.size();
    words_.insert(words_.end(), {static_cast<uint32_t>(opcode), attempted_ ? 1u : 0u, 0});
    if (attempted_) words_.push_back(outputs_++);
    attempted_ = false;
    ++words_[4];
  }
  void end() { words_[start_ + 2] = static_cast<uint32_t>((words_.size() - start_) * 4); }

  void attempt() { attempted_ = true; }
  void word(uint32_t value) { words_.push_back(value); }
  void number(uint64_t value) {
    word(static_cast<uint32_t>(value));
    word(static_cast<uint32_t>(value >> 32));
  }
  void octets(const void* octets, size_t length) {
    word(static_cast<uint32_t>(length));
    const size_t at = words_.size();
    words_.resize(at + (length + 3) / 4);
    if (length > 0) memcpy(&words_[at], octets, length);
  }
  void handle(CK_OBJECT_HANDLE handle) {
    word(0);
    number(handle);
  }
  void object(uint32_t reg) {
    word(1);
    number(reg);
  }
  void secret(uint32_t reg) {
    word(1);
    word(reg);
  }
  void data(const void* data, size_t length) {
    word(0);
    octets(data, length);
  }
  void mechanism(CK_MECHANISM_TYPE type, ParameterKind kind = ParameterKind::kNone) {
    word(static_cast<uint32_t>(type));
    word(static_cast<uint32_t>(kind));
  }
  void attributes(uint32_t count) { word(count); }
  void boolean(CK_ATTRIBUTE_TYPE type, bool value) {
    words_.insert(words_.end(), {static_cast<uint32_t>(type), 0, value ? 1u : 0u});
  }
  void ulong(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    words_.insert(words_.end(), {static_cast<uint32_t>(type), 1});
    number(value);
  }
  uint32_t makes_object() { return next_register(5); }
  uint32_t makes_secret() { return next_register(6); }
  uint32_t makes_output() {
    word(outputs_);
    return outputs_++;
  }

  struct Pair {
    uint32_t public_key;
    uint32_t private_key;
  };
  // A session key pair on the curve that CKA_EC_PARAMS names.
  Pair curve_pair(const uint8_t* params, size_t length,
                  std::initializer_list<std::pair<CK_ATTRIBUTE_TYPE, bool>> private_attributes) {
    begin(Opcode::kGenerateKeyPair);
    mechanism(CKM_EC_KEY_PAIR_GEN);
    attributes(2);
    word(CKA_EC_PARAMS);
    word(2);
    octets(params, length);
    boolean(CKA_TOKEN, false);
    attributes(static_cast<uint32_t>(1 + private_attributes.size()));
    boolean(CKA_TOKEN, false);
    for (const auto& [type, value] : private_attributes) boolean(type, value);
    const uint32_t public_key = makes_object();
    const uint32_t private_key = makes_object();
    end();
    return {public_key, private_key};
  }

  // The whole program; the job's id in front of it where the executor wants one.
  std::vector<uint8_t> finish() {
    words_[1] = static_cast<uint32_t>(words_.size() * 4);
    words_[7] = outputs_;
    std::vector<uint8_t> octets(words_.size() * 4);
    memcpy(octets.data(), words_.data(), octets.size());
    return octets;
  }

 private:
  uint32_t next_register(size_t counter) {
    const uint32_t reg = words_[counter]++;
    word(reg);
    return reg;
  }

  std::vector<uint32_t> words_;
  size_t start_ = 0;
  uint32_t outputs_ = 0;
  bool attempted_ = false;
};

}  // namespace keyferry
