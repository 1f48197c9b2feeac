// Steps that look at imported material in locked memory, for tokens that cannot unwrap it by themselves. They call no token.
//
// Both go on with a decoy where the octets are not what they should be, and tell so in an output that is read when the job is
// over: whatever is wrong with wrapped material, the same calls are made of the token.
#include "oaep.h"
#include "pkcs8.h"
#include "runner.h"

namespace keyferry {

Status Runner::unpad_oaep(const Step& step, ResultWriter& writer) {
  Octets encoded;
  Octets decoy;
  if (!octets(step.data, encoded) || !octets(step.decoy, decoy)) return Status::kReference;
  uint8_t* message = secret_arena_.take(encoded.length > decoy.length ? encoded.length : decoy.length);
  if (message == nullptr) return Status::kNoMemory;
  size_t length = 0;
  const bool good = keyferry::unpad_oaep(static_cast<DigestKind>(step.count), encoded.octets, encoded.length,
                                         MessageLength{step.length_min, step.length_max}, decoy.octets, decoy.length,
                                         message, length);
  secrets_[step.reg] = Secret{message, length, true};
  return writer.number(step.output, OutputKind::kReturnValue, good ? 0 : 1) ? Status::kOk : Status::kNoMemory;
}

// The scalar at the full length of the curve's order; the public point that came with it, which is no secret.
Status Runner::ec_private_value(const Step& step, ResultWriter& writer) {
  Octets pkcs8;
  Octets decoy;
  if (!octets(step.data, pkcs8) || !octets(step.decoy, decoy)) return Status::kReference;
  const size_t length = step.order.length;
  if (decoy.length != length) return Status::kRefused;
  uint8_t* scalar = secret_arena_.take(length);
  if (scalar == nullptr) return Status::kNoMemory;
  EcPrivateKey key{};
  const bool good = parse_ec_private_key(Span{pkcs8.octets, pkcs8.length},
                                         Span{step.signature.octets, step.signature.length},
                                         Span{step.order.octets, length}, key);
  if (good) {
    memset(scalar, 0, length - key.scalar.length);
    memcpy(scalar + length - key.scalar.length, key.scalar.octets, key.scalar.length);
  } else {
    memcpy(scalar, decoy.octets, length);
    key.public_point = Span{nullptr, 0};
  }
  secrets_[step.reg] = Secret{scalar, length, true};
  if (!writer.number(step.output, OutputKind::kReturnValue, good ? 0 : 1)) return Status::kNoMemory;
  uint8_t* point = writer.reserve(key.public_point.length);
  if (point == nullptr) return Status::kNoMemory;
  if (key.public_point.length > 0) memcpy(point, key.public_point.octets, key.public_point.length);
  writer.commit(step.second_output, OutputKind::kBytes, key.public_point.length);
  return Status::kOk;
}

}  // namespace keyferry
