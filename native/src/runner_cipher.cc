// Steps that compute with a key: encryption, signatures, randomness.
#include "mechanism.h"
#include "runner.h"

namespace keyferry {
namespace {

// Room that is given at once: padding and tags, or the longest RSA modulus. A token that wants more says so.
constexpr CK_ULONG kSymmetricRoom = 128;
constexpr CK_ULONG kModulusRoom = 2112;
constexpr CK_ULONG kVendorMechanisms = 0x80000000;
constexpr CK_ULONG kSignatureRoom = 2112;
// HAZARD: C_Verify of NSS 3.87 and openCryptoki reads a whole MAC whatever the signature's length says.
constexpr CK_ULONG kSignatureReadMax = 2112;

CK_ULONG cipher_room(const CK_MECHANISM& mechanism, CK_ULONG input) {
  const bool symmetric = mechanism.mechanism >= 0x100 && mechanism.mechanism < kVendorMechanisms;
  return input + (symmetric ? kSymmetricRoom : kModulusRoom);
}

}  // namespace

CK_RV Runner::call_init(Call call, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  CK_FUNCTION_LIST_PTR functions = module_->functions();
  ++calls_;
  switch (call) {
    case Call::kEncryptInit:
      return functions->C_EncryptInit(session_, mechanism, key);
    case Call::kDecryptInit:
      return functions->C_DecryptInit(session_, mechanism, key);
    case Call::kSignInit:
      return functions->C_SignInit(session_, mechanism, key);
    default:
      return functions->C_VerifyInit(session_, mechanism, key);
  }
}

CK_RV Runner::call_operation(Call call, Octets data, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  CK_FUNCTION_LIST_PTR functions = module_->functions();
  ++calls_;
  switch (call) {
    case Call::kEncrypt:
      return functions->C_Encrypt(session_, data.octets, data.length, out, length);
    case Call::kDecrypt:
      return functions->C_Decrypt(session_, data.octets, data.length, out, length);
    case Call::kSign:
      return functions->C_Sign(session_, data.octets, data.length, out, length);
    default:
      return functions->C_Verify(session_, data.octets, data.length, out, *length);
  }
}

template <typename Place>
Status Runner::operation(const Step& step, Call init_call, Call call, CK_ULONG room, Octets data, Place place,
                         CK_ULONG& length) {
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  if (!object(step.object, key)) return Status::kReference;
  hold(Hold::kShared);
  CK_MECHANISM mechanism = step.mechanism;
  const auto begin = [&] {
    // HAZARD: AWS CloudHSM takes an IV to write to that is zero, and no other.
    if (init_call == Call::kEncryptInit && step.own_iv != nullptr) memset(step.own_iv, 0, kOwnIvLength);
    return call_init(init_call, &mechanism, key);
  };
  CK_RV rv = begin();
  if (rv == CKR_OPERATION_ACTIVE && replace_session()) rv = begin();
  if (rv == CKR_OPERATION_ACTIVE) {
    failed(init_call, rv, mechanism.mechanism);
    return Status::kSessionLost;
  }
  if (rv != CKR_OK) return failed(init_call, rv, mechanism.mechanism);

  for (bool grown = false;; grown = true) {
    CK_BYTE_PTR out = place(room);
    if (out == nullptr) {
      // The operation is still active: no later job may find it.
      return replace_session() ? Status::kNoMemory : Status::kSessionLost;
    }
    length = room;
    rv = call_operation(call, data, out, &length);
    if (rv == CKR_OPERATION_NOT_INITIALIZED && grown) {
      // Some tokens end the operation when they say that the room is too small.
      rv = begin();
      if (rv != CKR_OK) return failed(init_call, rv, mechanism.mechanism);
      length = room;
      rv = call_operation(call, data, out, &length);
    }
    if (rv != CKR_BUFFER_TOO_SMALL) break;
    if (grown || length <= room || length > kRoomMax) {
      if (!replace_session()) return Status::kSessionLost;
      break;
    }
    room = length;
  }
  if (rv != CKR_OK) return failed(call, rv, mechanism.mechanism);
  // A token that says it wrote more than it had room for is not believed.
  if (length > room && call != Call::kVerify) return failed(call, CKR_GENERAL_ERROR, mechanism.mechanism);
  return Status::kOk;
}

Status Runner::encrypt(const Step& step, ResultWriter& writer) {
  Octets data;
  if (!octets(step.data, data)) return Status::kReference;
  const CK_ULONG front = step.own_iv == nullptr ? 0 : kOwnIvLength;
  uint8_t* place = nullptr;
  CK_ULONG length = 0;
  const Status status = operation(
      step, Call::kEncryptInit, Call::kEncrypt, cipher_room(step.mechanism, data.length), data,
      [&](CK_ULONG room) {
        place = writer.reserve(front + room);
        return place == nullptr ? nullptr : place + front;
      },
      length);
  if (status != Status::kOk) return status;
  if (front > 0) memcpy(place, step.own_iv, front);
  writer.commit(step.output, OutputKind::kBytes, front + length);
  return status;
}

Status Runner::decrypt(const Step& step, ResultWriter& writer) {
  Octets data;
  if (!octets(step.data, data)) return Status::kReference;
  CK_ULONG length = 0;
  const Status status = operation(
      step, Call::kDecryptInit, Call::kDecrypt, cipher_room(step.mechanism, data.length), data,
      [&](CK_ULONG room) { return writer.reserve(room); }, length);
  if (status == Status::kOk) writer.commit(step.output, OutputKind::kBytes, length);
  return status;
}

Status Runner::decrypt_to_secret(const Step& step) {
  Octets data;
  if (!octets(step.data, data)) return Status::kReference;
  uint8_t* secret = nullptr;
  CK_ULONG length = 0;
  const Status status = operation(
      step, Call::kDecryptInit, Call::kDecrypt, cipher_room(step.mechanism, data.length), data,
      [&](CK_ULONG room) { return secret = secret_arena_.take(room); }, length);
  if (status == Status::kOk) secrets_[step.reg] = Secret{secret, length, true};
  return status;
}

Status Runner::sign(const Step& step, ResultWriter& writer) {
  Octets data;
  if (!octets(step.data, data)) return Status::kReference;
  CK_ULONG length = 0;
  const Status status = operation(
      step, Call::kSignInit, Call::kSign, kSignatureRoom, data, [&](CK_ULONG room) { return writer.reserve(room); },
      length);
  if (status == Status::kOk) writer.commit(step.output, OutputKind::kBytes, length);
  return status;
}

Status Runner::verify(const Step& step) {
  Octets data;
  if (!octets(step.data, data)) return Status::kReference;
  const CK_ULONG given = step.signature.length;
  auto* signature = arena_.take_array<uint8_t>(given + kSignatureReadMax);
  if (signature == nullptr) return Status::kNoMemory;
  memcpy(signature, step.signature.octets, given);
  memset(signature + given, 0, kSignatureReadMax);
  CK_ULONG length = 0;
  return operation(
      step, Call::kVerifyInit, Call::kVerify, given, data, [&](CK_ULONG) { return signature; }, length);
}

Status Runner::random(const Step& step, ResultWriter& writer) {
  uint8_t* octets = writer.reserve(step.count);
  if (octets == nullptr) return Status::kNoMemory;
  hold(Hold::kShared);
  const Status status =
      check(Call::kGenerateRandom, module_->functions()->C_GenerateRandom(session_, octets, step.count));
  if (status == Status::kOk) writer.commit(step.output, OutputKind::kBytes, step.count);
  return status;
}

Status Runner::random_secret(const Step& step) {
  uint8_t* octets = secret_arena_.take(step.count);
  if (octets == nullptr) return Status::kNoMemory;
  hold(Hold::kShared);
  const Status status =
      check(Call::kGenerateRandom, module_->functions()->C_GenerateRandom(session_, octets, step.count));
  if (status == Status::kOk) secrets_[step.reg] = Secret{octets, step.count, true};
  return status;
}

Status Runner::reveal(const Step& step, ResultWriter& writer) {
  const Secret& secret = secrets_[step.reg];
  if (!secret.made) return Status::kReference;
  uint8_t* octets = writer.reserve(secret.length);
  if (octets == nullptr) return Status::kNoMemory;
  memcpy(octets, secret.octets, secret.length);
  writer.commit(step.output, OutputKind::kBytes, secret.length);
  return Status::kOk;
}

}  // namespace keyferry
