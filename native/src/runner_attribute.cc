// Steps that read and change attributes of objects.
#include <algorithm>

#include "dialect.h"
#include "runner.h"

namespace keyferry {
namespace {

// Room behind a value, for a token that writes more than it said.
constexpr CK_ULONG kAttributeSlack = 64;
// Room for an attribute whose length is not asked for first.
constexpr CK_ULONG kAttributeRoom = 64;
// Longest secret that is read: a shared secret has 66 octets.
constexpr CK_ULONG kSecretMax = 4096;

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

// Attributes that are neither, no secret, and no template: octets whose length is asked for.
bool is_octets(CK_ATTRIBUTE_TYPE type) {
  return !is_boolean_or_number(type) && !may_be_secret(type) && (type & CKF_ARRAY_ATTRIBUTE) == 0;
}

// Room for a value, and behind it; zero. Null where there is no memory.
uint8_t* attribute_room(Arena& arena, CK_ULONG length) {
  auto* octets = arena.take_array<uint8_t>(length + kAttributeSlack);
  if (octets != nullptr) memset(octets, 0, length + kAttributeSlack);
  return octets;
}

}  // namespace

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

// Reads what is public in three calls: booleans and numbers, the lengths of all others, their octets. SoftHSM2 takes 6 us for a call,
// however many attributes it is for. Where a call fails no answer of it counts, and each attribute is asked for alone: some modules
// stop at the first one that an object has not, and leave what looks like a value behind it.
Status Runner::read_together(CK_OBJECT_HANDLE handle, const Step& step, Octets* values) {
  for (const bool simple : {true, false}) {
    auto* attributes = arena_.take_array<CK_ATTRIBUTE>(step.count);
    auto* places = arena_.take_array<uint32_t>(step.count);
    if (attributes == nullptr || places == nullptr) return Status::kNoMemory;
    CK_ULONG count = 0;
    for (uint32_t i = 0; i < step.count; ++i) {
      uint32_t type;
      memcpy(&type, step.types + i, sizeof type);
      if (!(simple ? is_boolean_or_number(type) : is_octets(type))) continue;
      attributes[count] = CK_ATTRIBUTE{type, nullptr, kAttributeRoom};
      places[count++] = i;
    }
    if (count < 2 || (!simple && !ask_for(handle, attributes, count))) continue;
    const Status status = read_values(handle, attributes, count, places, values);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

// Reads attributes of known lengths in one call; those that were told go to their places among the values.
Status Runner::read_values(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE* attributes, CK_ULONG count, const uint32_t* places,
                           Octets* values) {
  auto* lengths = arena_.take_array<CK_ULONG>(count);
  if (lengths == nullptr) return Status::kNoMemory;
  for (CK_ULONG i = 0; i < count; ++i) {
    lengths[i] = attributes[i].ulValueLen;
    if (lengths[i] > kRoomMax) return Status::kOk;
    attributes[i].pValue = attribute_room(arena_, lengths[i]);
    if (attributes[i].pValue == nullptr) return Status::kNoMemory;
  }
  if (!ask_for(handle, attributes, count)) return Status::kOk;
  for (CK_ULONG i = 0; i < count; ++i) {
    if (attributes[i].ulValueLen > lengths[i]) continue;
    values[places[i]] = Octets{static_cast<uint8_t*>(attributes[i].pValue), attributes[i].ulValueLen};
  }
  return Status::kOk;
}

bool Runner::ask_for(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE* attributes, CK_ULONG count) {
  ++calls_;
  return module_->functions()->C_GetAttributeValue(session_, handle, attributes, count) == CKR_OK;
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
    octets = attribute_room(arena_, kAttributeRoom);
    if (octets == nullptr) return Status::kNoMemory;
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
  std::fill_n(states, step.count, AttributeState::kValue);
  std::fill_n(values, step.count, Octets{nullptr, 0});
  Status status = read_together(handle, step, values);
  if (status != Status::kOk) return status;
  size_t length = 4;
  for (uint32_t i = 0; i < step.count; ++i) {
    uint32_t type;
    memcpy(&type, step.types + i, sizeof type);
    if (values[i].octets == nullptr) {
      const bool secret = may_be_secret(type) && !is_public_class(handle, type, status);
      if (status != Status::kOk) return status;
      status = attribute_state(handle, type, secret, states[i], values[i]);
      if (status != Status::kOk) return status;
    }
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

}  // namespace keyferry
