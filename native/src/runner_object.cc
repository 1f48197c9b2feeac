// Steps that make, find and destroy objects.
#include <algorithm>

#include "runner.h"

namespace keyferry {
namespace {

constexpr CK_ULONG kWrappedRoom = 4096;
constexpr CK_ULONG kHandlesAtOnce = 512;
// Searches beside a slow call, until two agree.
constexpr uint32_t kSearchesMax = 8;

Hold hold_for(const Template& made) { return made.token_object ? Hold::kExclusive : Hold::kShared; }

}  // namespace

Status Runner::generate_key(const Step& step) {
  hold(hold_for(step.first));
  CK_MECHANISM mechanism = step.mechanism;
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  const Status status =
      check(Call::kGenerateKey,
            module_->functions()->C_GenerateKey(session_, &mechanism, step.first.attributes, step.first.count, &handle),
            mechanism.mechanism);
  if (status == Status::kOk) made(step.reg, handle, step.first.token_object);
  return status;
}

Status Runner::generate_key_pair(const Step& step) {
  const bool token_object = step.first.token_object || step.second.token_object;
  const bool is_slow = program_.weight == Weight::kSlow && !token_object;
  hold(is_slow ? Hold::kNothing : token_object ? Hold::kExclusive : Hold::kShared);
  CK_MECHANISM mechanism = step.mechanism;
  CK_OBJECT_HANDLE public_key = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE private_key = CK_INVALID_HANDLE;
  if (is_slow) module_->begin_slow_call();
  const CK_RV rv = module_->functions()->C_GenerateKeyPair(session_, &mechanism, step.first.attributes, step.first.count,
                                                           step.second.attributes, step.second.count, &public_key,
                                                           &private_key);
  if (is_slow) module_->end_slow_call();
  const Status status = check(Call::kGenerateKeyPair, rv, mechanism.mechanism);
  if (status == Status::kOk) {
    made(step.reg, public_key, step.first.token_object);
    made(step.second_reg, private_key, step.second.token_object);
  }
  return status;
}

Status Runner::derive_key(const Step& step) {
  CK_OBJECT_HANDLE base = CK_INVALID_HANDLE;
  if (!object(step.object, base)) return Status::kReference;
  hold(hold_for(step.first));
  CK_MECHANISM mechanism = step.mechanism;
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  const Status status = check(Call::kDeriveKey,
                              module_->functions()->C_DeriveKey(session_, &mechanism, base, step.first.attributes,
                                                                step.first.count, &handle),
                              mechanism.mechanism);
  if (status == Status::kOk) made(step.reg, handle, step.first.token_object);
  return status;
}

Status Runner::wrap_key(const Step& step, ResultWriter& writer) {
  CK_OBJECT_HANDLE wrapping = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  if (!object(step.object, wrapping) || !object(step.second_object, key)) return Status::kReference;
  hold(Hold::kShared);
  CK_MECHANISM mechanism = step.mechanism;
  CK_ULONG room = kWrappedRoom;
  for (bool grown = false;; grown = true) {
    uint8_t* out = writer.reserve(room);
    if (out == nullptr) return Status::kNoMemory;
    CK_ULONG length = room;
    const CK_RV rv = module_->functions()->C_WrapKey(session_, &mechanism, wrapping, key, out, &length);
    if (rv == CKR_BUFFER_TOO_SMALL && !grown && length > room && length <= kRoomMax) {
      room = length;
      continue;
    }
    const Status status = check(Call::kWrapKey, rv, mechanism.mechanism);
    if (status != Status::kOk) return status;
    if (length > room) return failed(Call::kWrapKey, CKR_GENERAL_ERROR, mechanism.mechanism);
    writer.commit(step.output, OutputKind::kBytes, length);
    return Status::kOk;
  }
}

Status Runner::unwrap_key(const Step& step) {
  CK_OBJECT_HANDLE unwrapping = CK_INVALID_HANDLE;
  Octets wrapped;
  if (!object(step.object, unwrapping) || !octets(step.data, wrapped)) return Status::kReference;
  hold(hold_for(step.first));
  CK_MECHANISM mechanism = step.mechanism;
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  const Status status = check(
      Call::kUnwrapKey,
      module_->functions()->C_UnwrapKey(session_, &mechanism, unwrapping, wrapped.octets, wrapped.length,
                                        step.first.attributes, step.first.count, &handle),
      mechanism.mechanism);
  if (status == Status::kOk) made(step.reg, handle, step.first.token_object);
  return status;
}

Status Runner::create_object(const Step& step) {
  CK_ULONG count = step.first.count;
  if (step.second_reg != kNone) {
    const Secret& secret = secrets_[step.second_reg];
    if (!secret.made) return Status::kReference;
    step.first.attributes[count++] = CK_ATTRIBUTE{step.secret_type, secret.octets, secret.length};
  }
  hold(hold_for(step.first));
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  const Status status = check(
      Call::kCreateObject, module_->functions()->C_CreateObject(session_, step.first.attributes, count, &handle));
  if (status == Status::kOk) made(step.reg, handle, step.first.token_object);
  return status;
}

Status Runner::copy_object(const Step& step) {
  CK_OBJECT_HANDLE source = CK_INVALID_HANDLE;
  if (!object(step.object, source)) return Status::kReference;
  // A copy of a token object is one too, unless the template says otherwise.
  hold(Hold::kExclusive);
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  const Status status = check(Call::kCopyObject, module_->functions()->C_CopyObject(session_, source,
                                                                                   step.first.attributes,
                                                                                   step.first.count, &handle));
  if (status == Status::kOk) made(step.reg, handle, true);
  return status;
}

Status Runner::find_objects(const Step& step, ResultWriter& writer) {
  hold(Hold::kExclusive);
  CK_OBJECT_HANDLE* handles = arena_.take_array<CK_OBJECT_HANDLE>(step.count);
  CK_OBJECT_HANDLE* earlier = arena_.take_array<CK_OBJECT_HANDLE>(step.count);
  if (handles == nullptr || earlier == nullptr) return Status::kNoMemory;
  CK_ULONG found = 0;
  CK_ULONG found_earlier = 0;
  for (uint32_t searches = 1; searches <= kSearchesMax; ++searches) {
    const uint32_t begun = module_->slow_calls_begun();
    const bool alone = !module_->has_slow_call();
    const Status status = search(step, handles, found);
    if (status != Status::kOk) return status;
    if (alone && begun == module_->slow_calls_begun()) break;
    // Objects that came into being meanwhile may have been seen half made.
    std::sort(handles, handles + found);
    if (searches > 1 && found == found_earlier && std::equal(handles, handles + found, earlier)) break;
    std::swap(handles, earlier);
    std::swap(found, found_earlier);
    if (searches == kSearchesMax) return failed(Call::kFindObjects, CKR_FUNCTION_FAILED);
  }
  const size_t length = found * sizeof(CK_OBJECT_HANDLE);
  uint8_t* out = writer.reserve(length);
  if (out == nullptr) return Status::kNoMemory;
  memcpy(out, handles, length);
  writer.commit(step.output, OutputKind::kHandles, length);
  return Status::kOk;
}

Status Runner::search(const Step& step, CK_OBJECT_HANDLE* handles, CK_ULONG& found) {
  CK_FUNCTION_LIST_PTR functions = module_->functions();
  found = 0;
  CK_RV rv = functions->C_FindObjectsInit(session_, step.first.attributes, step.first.count);
  if (rv == CKR_OPERATION_ACTIVE && replace_session()) {
    rv = functions->C_FindObjectsInit(session_, step.first.attributes, step.first.count);
  }
  Status status = check(Call::kFindObjectsInit, rv);
  if (status != Status::kOk) return status;
  while (status == Status::kOk && found < step.count) {
    const CK_ULONG wanted = step.count - found < kHandlesAtOnce ? step.count - found : kHandlesAtOnce;
    CK_ULONG count = 0;
    status = check(Call::kFindObjects, functions->C_FindObjects(session_, handles + found, wanted, &count));
    if (status == Status::kOk && count > wanted) status = failed(Call::kFindObjects, CKR_GENERAL_ERROR);
    if (status != Status::kOk || count == 0) break;
    found += count;
  }
  if (status == Status::kSessionLost) return status;
  ++calls_;
  if (functions->C_FindObjectsFinal(session_) != CKR_OK && status == Status::kOk && !replace_session()) {
    return Status::kSessionLost;
  }
  return status;
}

// Unknown counts as a token object: then the lock is held alone.
bool Runner::is_token_object(CK_OBJECT_HANDLE handle) {
  CK_BBOOL token = CK_TRUE;
  CK_ATTRIBUTE attribute{CKA_TOKEN, &token, sizeof token};
  ++calls_;
  return module_->functions()->C_GetAttributeValue(session_, handle, &attribute, 1) != CKR_OK || token != CK_FALSE;
}

Status Runner::destroy_object(const Step& step) {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  if (!object(step.object, handle)) return Status::kReference;
  hold(Hold::kShared);
  const bool token_object =
      step.object.is_register ? objects_[step.object.reg].token_object : is_token_object(handle);
  if (token_object) hold(Hold::kExclusive);
  Status status = check(Call::kDestroyObject, module_->functions()->C_DestroyObject(session_, handle));
  if (status != Status::kOk) return status;
  CK_ULONG object_class = 0;
  CK_ATTRIBUTE attribute{CKA_CLASS, &object_class, sizeof object_class};
  ++calls_;
  if (module_->functions()->C_GetAttributeValue(session_, handle, &attribute, 1) == CKR_OK) {
    failed(Call::kDestroyObject, CKR_OK);
    return Status::kNotDestroyed;
  }
  if (step.object.is_register) objects_[step.object.reg].destroyed = true;
  return Status::kOk;
}

Status Runner::keep(const Step& step, ResultWriter& writer) {
  Object& object = objects_[step.reg];
  if (!object.made || object.destroyed) return Status::kReference;
  object.kept = true;
  return writer.number(step.output, OutputKind::kObject, object.handle) ? Status::kOk : Status::kNoMemory;
}

}  // namespace keyferry
