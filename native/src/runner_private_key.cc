// The step that reads a private key which this job has made to be read: a data key pair's. The token gives its numbers into
// locked memory, where they are put together as PKCS#8; nothing of it goes to the result.
#include "pkcs8_writer.h"
#include "runner.h"

namespace keyferry {
namespace {

constexpr CK_ATTRIBUTE_TYPE kRsaAttributes[kRsaNumbers] = {CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT,
                                                           CKA_PRIME_1, CKA_PRIME_2,         CKA_EXPONENT_1,
                                                           CKA_EXPONENT_2, CKA_COEFFICIENT};

// The uncompressed point at the end of CKA_EC_POINT, which is a DER OCTET STRING or bare.
bool point_of(Span attribute, size_t coordinate_octets, Span& point) {
  const size_t length = 1 + 2 * coordinate_octets;
  const size_t header = length < 0x80 ? 2 : 3;
  if (attribute.length != length && attribute.length != length + header) return false;
  point = Span{attribute.octets + (attribute.length - length), length};
  return point.octets[0] == 0x04;
}

}  // namespace

Status Runner::read_private_key(const Step& step) {
  CK_OBJECT_HANDLE private_key = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE public_key = CK_INVALID_HANDLE;
  if (!object(step.object, private_key) || !object(step.second_object, public_key)) return Status::kReference;
  hold(Hold::kShared);
  const auto read = [this](CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, Span& span) {
    Octets octets;
    const Status status = read_into_secret(handle, type, octets);
    span = Span{octets.octets, octets.length};
    return status;
  };

  const auto kind = static_cast<PrivateKeyKind>(step.count);
  Span parts[kRsaNumbers] = {};
  size_t total = 0;
  Status status = Status::kOk;
  if (kind == PrivateKeyKind::kRsa) {
    for (size_t i = 0; i < kRsaNumbers && status == Status::kOk; ++i) {
      status = read(private_key, kRsaAttributes[i], parts[i]);
      total += parts[i].length;
    }
  } else {
    status = read(private_key, CKA_VALUE, parts[0]);
    if (status == Status::kOk && kind == PrivateKeyKind::kCurve) status = read(public_key, CKA_EC_POINT, parts[1]);
    total = step.length_max + parts[1].length + step.data.length;
  }
  if (status != Status::kOk) return status;

  const size_t capacity = pkcs8_room(total);
  uint8_t* room = secret_arena_.take(capacity);
  if (room == nullptr) return Status::kNoMemory;
  const Span curve{step.data.octets, step.data.length};
  Span pkcs8{};
  Span point{};
  bool good = false;
  switch (kind) {
    case PrivateKeyKind::kRsa:
      good = write_rsa_private_key(parts, room, capacity, pkcs8);
      break;
    case PrivateKeyKind::kCurve:
      good = point_of(parts[1], step.length_max, point) &&
             write_ec_private_key(curve, parts[0], step.length_max, point, room, capacity, pkcs8);
      break;
    case PrivateKeyKind::kEdwards:
      good = write_edwards_private_key(curve, parts[0], step.length_max, room, capacity, pkcs8);
      break;
  }
  if (!good) return failed(Call::kGetAttributeValue, CKR_GENERAL_ERROR);
  secrets_[step.reg] = Secret{const_cast<uint8_t*>(pkcs8.octets), pkcs8.length, true};
  return Status::kOk;
}

}  // namespace keyferry
