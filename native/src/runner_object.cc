// Steps that make, read, find and destroy objects.
#include <algorithm>

#include "dialect.h"
#include "runner.h"

namespace keyferry {
namespace {

constexpr CK_ULONG kWrappedRoom = 4096;
// Room behind a value, for a token that writes more than it said.
constexpr CK_ULONG kAttributeSlack = 64;
// Room for an attribute whose length is not asked for first.
constexpr CK_ULONG kAttributeRoom = 64;
// Longest secret that is read: a shared secret has 66 octets.
constexpr CK_ULONG kSecretMax = 4096;
constexpr CK_ULONG kRoomMax = CK_ULONG{1} << 28;
constexpr CK_ULONG kHandlesAtOnce = 512;
// Searches beside a slow call, until two agree.
constexpr uint32_t kSearchesMax = 8;

// Attributes that are key octets, except in objects whose class says that they are public.
bool may_be_secret(CK_ATTRIBUTE_TYPE type) {
  switch (type) {
    case CKA_VALUE:
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
      return true;
    default:
      return false;
  }
}

// Attributes that are a boolean or a number, and no secret.
// HAZARD: softoken 3.87 writes an attribute whole, whatever room it is given: no other may be read without its length.
bool is_boolean_or_number(CK_ATTRIBUTE_TYPE type) {
  switch (type) {
    case CKA_CLASS:
    case CKA_KEY_TYPE:
    case CKA_KEY_GEN_MECHANISM:
    case CKA_VALUE_LEN:
    case CKA_MODULUS_BITS:
    case CKA_TOKEN:
    case CKA_PRIVATE:
    case CKA_TRUSTED:
    case CKA_LOCAL:
    case CKA_MODIFIABLE:
    case CKA_SENSITIVE:
    case CKA_ALWAYS_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_NEVER_EXTRACTABLE:
    case CKA_ENCRYPT:
    case CKA_DECRYPT:
    case CKA_SIGN:
    case CKA_SIGN_RECOVER:
    case CKA_VERIFY:
    case CKA_VERIFY_RECOVER:
    case CKA_WRAP:
    case CKA_UNWRAP:
    case CKA_DERIVE:
    case CKA_WRAP_WITH_TRUSTED:
    case CKA_ALWAYS_AUTHENTICATE:
      return true;
    default:
      return false;
  }
}

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

Status Runner::set_attributes(const Step& step) {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  if (!object(step.object, handle)) return Status::kReference;
  hold(Hold::kExclusive);
  return check(Call::kSetAttributeValue, module_->functions()->C_SetAttributeValue(
                                             session_, handle, step.first.attributes, step.first.count));
}

// Whether the class says that CKA_VALUE is public. A class that cannot be read is taken for a secret one.
bool Runner::is_public_class(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, Status& status) {
  if (type != CKA_VALUE) return false;
  CK_ULONG object_class = CK_UNAVAILABLE_INFORMATION;
  CK_ATTRIBUTE attribute{CKA_CLASS, &object_class, sizeof object_class};
  status = check(Call::kGetAttributeValue, module_->functions()->C_GetAttributeValue(session_, handle, &attribute, 1));
  return status == Status::kOk &&
         (object_class == CKO_DATA || object_class == CKO_CERTIFICATE || object_class == CKO_PUBLIC_KEY);
}

// Reads one attribute. The octets of a secret go to locked memory, where nothing but their presence is looked at.
// HAZARD: C_GetAttributeValue of NSS 3.87 writes a value whatever the room it is given: the length is asked for first.
Status Runner::attribute_state(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, bool secret, AttributeState& state,
                               Octets& value) {
  CK_FUNCTION_LIST_PTR functions = module_->functions();
  value = Octets{nullptr, 0};
  state = AttributeState::kUnavailable;
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  uint8_t* octets = nullptr;
  const bool is_simple = is_boolean_or_number(type);
  if (is_simple) {
    octets = arena_.take_array<uint8_t>(kAttributeRoom + kAttributeSlack);
    if (octets == nullptr) return Status::kNoMemory;
    memset(octets, 0, kAttributeRoom + kAttributeSlack);
    attribute.pValue = octets;
    attribute.ulValueLen = kAttributeRoom;
  }
  CK_RV rv = functions->C_GetAttributeValue(session_, handle, &attribute, 1);
  ++calls_;
  CK_ULONG length = kAttributeRoom;
  if (is_simple && rv != CKR_OK && rv != CKR_ATTRIBUTE_SENSITIVE && rv != CKR_ATTRIBUTE_TYPE_INVALID) {
    attribute = CK_ATTRIBUTE{type, nullptr, 0};
    octets = nullptr;
    rv = functions->C_GetAttributeValue(session_, handle, &attribute, 1);
    ++calls_;
  }
  if (octets == nullptr) length = attribute.ulValueLen;
  if (octets == nullptr && rv == CKR_OK && length != CK_UNAVAILABLE_INFORMATION) {
    if (length > kRoomMax) return failed(Call::kGetAttributeValue, CKR_GENERAL_ERROR);
    const CK_ULONG room = length + kAttributeSlack;
    octets = secret ? secret_arena_.take(room) : arena_.take_array<uint8_t>(room);
    if (octets == nullptr) return Status::kNoMemory;
    // HAZARD: an array attribute is written through pointers that the token finds in this memory: none may be there.
    memset(octets, 0, room);
    attribute.pValue = octets;
    rv = functions->C_GetAttributeValue(session_, handle, &attribute, 1);
    ++calls_;
  }
  if (rv == CKR_ATTRIBUTE_SENSITIVE) state = AttributeState::kSensitive;
  if (rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID) return Status::kOk;
  if (rv != CKR_OK) return failed(Call::kGetAttributeValue, rv);
  if (octets == nullptr || attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) return Status::kOk;
  if (attribute.ulValueLen > length) return failed(Call::kGetAttributeValue, CKR_GENERAL_ERROR);
  if (!secret) {
    state = AttributeState::kValue;
    value = Octets{octets, attribute.ulValueLen};
  } else if (attribute.ulValueLen > 0) {
    state = AttributeState::kReadableSecret;
  }
  return Status::kOk;
}

// An attribute of an object that this job has made, into locked memory: the length first, as in attribute_state.
Status Runner::read_into_secret(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, Octets& value) {
  value = Octets{nullptr, 0};
  CK_FUNCTION_LIST_PTR functions = module_->functions();
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  Status status = check(Call::kGetAttributeValue, functions->C_GetAttributeValue(session_, handle, &attribute, 1));
  if (status != Status::kOk) return status;
  const CK_ULONG length = attribute.ulValueLen;
  if (length == 0 || length > kSecretMax) return failed(Call::kGetAttributeValue, CKR_ATTRIBUTE_SENSITIVE);
  uint8_t* octets = secret_arena_.take(length + kAttributeSlack);
  if (octets == nullptr) return Status::kNoMemory;
  attribute.pValue = octets;
  status = check(Call::kGetAttributeValue, functions->C_GetAttributeValue(session_, handle, &attribute, 1));
  if (status != Status::kOk) return status;
  if (attribute.ulValueLen != length) return failed(Call::kGetAttributeValue, CKR_GENERAL_ERROR);
  value = Octets{octets, length};
  return Status::kOk;
}

// CKA_VALUE of an object that this job has made.
Status Runner::read_secret(const Step& step) {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  if (!object(step.object, handle)) return Status::kReference;
  hold(Hold::kShared);
  Octets value;
  const Status status = read_into_secret(handle, CKA_VALUE, value);
  if (status == Status::kOk) secrets_[step.reg] = Secret{value.octets, value.length, true};
  return status;
}

// One output: the number of attributes, then type, state, length and octets of each.
Status Runner::get_attributes(const Step& step, ResultWriter& writer) {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  if (!object(step.object, handle)) return Status::kReference;
  hold(Hold::kShared);
  auto* states = arena_.take_array<AttributeState>(step.count);
  auto* values = arena_.take_array<Octets>(step.count);
  if (states == nullptr || values == nullptr) return Status::kNoMemory;
  size_t length = 4;
  for (uint32_t i = 0; i < step.count; ++i) {
    uint32_t type;
    memcpy(&type, step.types + i, sizeof type);
    Status status = Status::kOk;
    const bool secret = may_be_secret(type) && !is_public_class(handle, type, status);
    if (status != Status::kOk) return status;
    status = attribute_state(handle, type, secret, states[i], values[i]);
    if (status != Status::kOk) return status;
    if (type == CKA_ALLOWED_MECHANISMS && module_->dialect() != nullptr) {
      module_->dialect()->to_standard(values[i].octets, values[i].length);
    }
    length += 12 + (values[i].length + 3) / 4 * 4;
  }
  uint8_t* out = writer.reserve(length);
  if (out == nullptr) return Status::kNoMemory;
  memset(out, 0, length);
  memcpy(out, &step.count, 4);
  out += 4;
  for (uint32_t i = 0; i < step.count; ++i) {
    const uint32_t words[3] = {step.types[i], static_cast<uint32_t>(states[i]),
                               static_cast<uint32_t>(values[i].length)};
    memcpy(out, words, sizeof words);
    if (values[i].length > 0) memcpy(out + 12, values[i].octets, values[i].length);
    out += 12 + (values[i].length + 3) / 4 * 4;
  }
  writer.commit(step.output, OutputKind::kAttributes, length);
  return Status::kOk;
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
