// A job's program: the flat octets that the encoder writes, and what they decode to. Nothing in them is trusted.
//
// All numbers are little-endian 32-bit words; 64-bit numbers are two words, the low one first; octets are padded to a
// multiple of four. job_encoder.ts writes the same format and names the same numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "arena.h"
#include "cryptoki.h"

namespace keyferry {

// Grows with each change of programs or results, so that an addon is not taken for one that understands what came later.
constexpr uint32_t kJobFormat = 3;
constexpr uint32_t kProgramMagic = 0x314a464b;  // "KFJ1"
constexpr uint32_t kHeaderWords = 8;
constexpr uint32_t kNone = 0xffffffff;

// Bounds of one job; the encoder has the same.
constexpr uint32_t kProgramBytesMax = 128u << 20;
constexpr uint32_t kStepsMax = 1024;
constexpr uint32_t kRegistersMax = 1024;
constexpr uint32_t kOutputsMax = 2048;
constexpr uint32_t kAttributesMax = 128;
constexpr uint32_t kTemplateDepthMax = 3;
constexpr uint32_t kHandlesMax = 1u << 20;
constexpr uint32_t kRandomBytesMax = 65536;
// The longest private value of an elliptic curve: P-521.
constexpr uint32_t kScalarBytesMax = 66;

// How long a job may take: it decides which thread runs it.
// Of the jobs that hold the module's objects alone one runs at a time: another would wait for it on its thread.
enum class Weight : uint32_t { kShort = 0, kLong = 1, kSlow = 2, kAlone = 3 };
constexpr uint32_t kWeights = 4;

enum class Opcode : uint32_t {
  kGenerateKey = 1,
  kGenerateKeyPair = 2,
  kDeriveKey = 3,
  kWrapKey = 4,
  kUnwrapKey = 5,
  kEncrypt = 6,
  kDecrypt = 7,
  kDecryptToSecret = 8,
  kSign = 9,
  kVerify = 10,
  kRandom = 11,
  kRandomSecret = 12,
  kReveal = 13,
  kCreateObject = 14,
  kCopyObject = 15,
  kGetAttributes = 16,
  kSetAttributes = 17,
  kFindObjects = 18,
  kDestroyObject = 19,
  kKeep = 20,
  kReadSecret = 21,
  kUnpadOaep = 22,
  kEcPrivateValue = 23,
  kReadPrivateKey = 24,
};

// What kReadPrivateKey is asked for.
enum class PrivateKeyKind : uint32_t { kRsa = 1, kCurve = 2, kEdwards = 3 };

struct ObjectOperand {
  bool is_register;
  uint32_t reg;
  CK_OBJECT_HANDLE handle;
};

struct BytesOperand {
  bool is_register;
  uint32_t reg;
  const uint8_t* octets;
  uint32_t length;
};

struct Template {
  CK_ATTRIBUTE_PTR attributes;
  CK_ULONG count;
  bool token_object;  // CKA_TOKEN is true
};

// One step; each opcode uses the members that its PKCS#11 function has arguments for.
struct Step {
  Opcode opcode;
  uint32_t attempt_output;  // where the return value goes, or kNone
  uint32_t output;
  uint32_t reg;         // object or secret that the step makes
  uint32_t second_reg;  // the private key of a pair; the secret of kCreateObject or kNone
  uint32_t count;       // octets of randomness, handles, or attribute types
  uint32_t second_output;
  uint32_t length_min;
  uint32_t length_max;
  CK_MECHANISM mechanism;
  CK_BYTE_PTR own_iv;  // where the token writes the IV that kEncrypt puts before the ciphertext, or null
  ObjectOperand object;
  ObjectOperand second_object;
  BytesOperand data;
  BytesOperand signature;
  BytesOperand decoy;
  BytesOperand order;
  Template first;
  Template second;
  CK_ATTRIBUTE_TYPE secret_type;
  const uint32_t* types;
};

struct Program {
  Weight weight;
  uint32_t epoch;  // epoch of the handles in it; 0 where there are none
  uint32_t objects;
  uint32_t secrets;
  uint32_t outputs;
  uint32_t step_count;
  std::vector<Step> steps;  // keeps its length from job to job; the first step_count count
};

// What can be told without decoding the steps, or false.
struct ProgramHeader {
  uint32_t length;
  Weight weight;
  uint32_t epoch;
};
bool read_header(const uint8_t* octets, size_t length, ProgramHeader& header);

// Decodes a whole program before anything of it runs. Pointers in `program` lead into `octets` and `arena`.
// Null, or why the program is refused.
const char* decode_program(const uint8_t* octets, size_t length, Arena& arena, Program& program);

}  // namespace keyferry
