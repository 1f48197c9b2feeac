#include "dialect.h"

#include <cstring>

#include "reader.h"

namespace keyferry {
namespace {

constexpr uint32_t kNumbersMax = 256;
constexpr uint32_t kRulesMax = 256;

CK_ULONG number_in(const Template& given, CK_ATTRIBUTE_TYPE type, CK_ULONG otherwise) {
  for (CK_ULONG i = 0; i < given.count; ++i) {
    const CK_ATTRIBUTE& attribute = given.attributes[i];
    if (attribute.type != type || attribute.ulValueLen != sizeof(CK_ULONG)) continue;
    CK_ULONG value;
    memcpy(&value, attribute.pValue, sizeof value);
    return value;
  }
  return otherwise;
}

}  // namespace

std::shared_ptr<const Dialect> Dialect::read(const uint8_t* octets, size_t length) {
  auto dialect = std::make_shared<Dialect>();
  Reader reader(octets, length);
  for (std::vector<Number>* numbers : {&dialect->mechanisms_, &dialect->kdfs_}) {
    const uint32_t count = reader.word();
    if (count > kNumbersMax) return nullptr;
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t standard = reader.word();
      numbers->push_back(Number{standard, reader.word()});
    }
  }
  const uint32_t count = reader.word();
  if (count > kRulesMax) return nullptr;
  for (uint32_t i = 0; i < count; ++i) {
    Rule rule{reader.word(), reader.word(), reader.word(), reader.word(), static_cast<Kind>(reader.word()), {}};
    uint32_t value_length = 0;
    const uint8_t* value = reader.octets(value_length);
    if (!reader.ok() || rule.kind > Kind::kOctets) return nullptr;
    if (rule.kind == Kind::kBool && value_length != sizeof(CK_BBOOL)) return nullptr;
    if (rule.kind == Kind::kNumber && value_length != sizeof(CK_ULONG)) return nullptr;
    rule.value.assign(value, value + value_length);
    dialect->rules_.push_back(std::move(rule));
  }
  return reader.ok() && reader.left() == 0 ? dialect : nullptr;
}

uint32_t Dialect::own(const std::vector<Number>& numbers, CK_ULONG standard) {
  for (const Number& number : numbers) {
    if (number.standard == standard) return number.own;
  }
  return static_cast<uint32_t>(standard);
}

void Dialect::to_standard(uint8_t* octets, size_t length) const {
  for (size_t at = 0; at + sizeof(CK_ULONG) <= length; at += sizeof(CK_ULONG)) {
    CK_ULONG told;
    memcpy(&told, octets + at, sizeof told);
    for (const Number& number : mechanisms_) {
      if (number.own != told) continue;
      told = number.standard;
      memcpy(octets + at, &told, sizeof told);
      break;
    }
  }
}

// Templates hold lists of mechanisms, and templates that do.
void Dialect::rename(CK_ATTRIBUTE& attribute) const {
  if (attribute.type == CKA_ALLOWED_MECHANISMS) {
    auto* types = static_cast<CK_ULONG*>(attribute.pValue);
    for (CK_ULONG i = 0; i < attribute.ulValueLen / sizeof(CK_ULONG); ++i) types[i] = own(mechanisms_, types[i]);
  } else if (attribute.type == CKA_WRAP_TEMPLATE || attribute.type == CKA_UNWRAP_TEMPLATE) {
    auto* inner = static_cast<CK_ATTRIBUTE_PTR>(attribute.pValue);
    for (CK_ULONG i = 0; i < attribute.ulValueLen / sizeof(CK_ATTRIBUTE); ++i) rename(inner[i]);
  }
}

bool Dialect::rewrite(Template& given, Call call, Arena& arena) const {
  for (CK_ULONG i = 0; i < given.count; ++i) rename(given.attributes[i]);
  const CK_ULONG object_class = number_in(given, CKA_CLASS, kAny);
  const CK_ULONG key_type = number_in(given, CKA_KEY_TYPE, kAny);
  // One more than there can be, as everywhere: the secret of createObject is put behind the others.
  auto* attributes = arena.take_array<CK_ATTRIBUTE>(given.count + rules_.size() + 1);
  if (attributes == nullptr) return false;
  CK_ULONG count = given.count;
  if (count > 0) memcpy(attributes, given.attributes, count * sizeof *attributes);
  for (const Rule& rule : rules_) {
    const bool applies = (rule.calls & call) != 0 && (rule.object_class == kAny || rule.object_class == object_class) &&
                         (rule.key_type == kAny || rule.key_type == key_type);
    if (!applies) continue;
    CK_ULONG at = 0;
    while (at < count && attributes[at].type != rule.attribute) ++at;
    if (rule.kind == Kind::kForbid) {
      if (at < count) {
        memmove(attributes + at, attributes + at + 1, (count - at - 1) * sizeof *attributes);
        --count;
      }
    } else if (at == count) {
      auto* value = const_cast<uint8_t*>(rule.value.data());
      attributes[count++] = CK_ATTRIBUTE{rule.attribute, value, rule.value.size()};
    }
  }
  given.attributes = attributes;
  given.count = count;
  return true;
}

bool Dialect::apply(Program& program, Arena& arena) const {
  for (uint32_t i = 0; i < program.step_count; ++i) {
    Step& step = program.steps[i];
    switch (step.opcode) {
      case Opcode::kGenerateKey:
      case Opcode::kGenerateKeyPair:
      case Opcode::kDeriveKey:
      case Opcode::kWrapKey:
      case Opcode::kUnwrapKey:
      case Opcode::kEncrypt:
      case Opcode::kDecrypt:
      case Opcode::kDecryptToSecret:
      case Opcode::kSign:
      case Opcode::kVerify: {
        CK_MECHANISM& mechanism = step.mechanism;
        const bool is_ecdh = mechanism.mechanism == CKM_ECDH1_DERIVE || mechanism.mechanism == CKM_ECDH1_COFACTOR_DERIVE;
        if (is_ecdh && mechanism.ulParameterLen == sizeof(CK_ECDH1_DERIVE_PARAMS)) {
          auto* ecdh = static_cast<CK_ECDH1_DERIVE_PARAMS*>(mechanism.pParameter);
          ecdh->kdf = own(kdfs_, ecdh->kdf);
        }
        mechanism.mechanism = own(mechanisms_, mechanism.mechanism);
        break;
      }
      default:
        break;
    }
    bool done = true;
    switch (step.opcode) {
      case Opcode::kGenerateKey:
        done = rewrite(step.first, kGenerate, arena);
        break;
      case Opcode::kGenerateKeyPair:
        done = rewrite(step.first, kGeneratePublic, arena) && rewrite(step.second, kGenerate, arena);
        break;
      case Opcode::kDeriveKey:
        done = rewrite(step.first, kDerive, arena);
        break;
      case Opcode::kUnwrapKey:
        done = rewrite(step.first, kUnwrap, arena);
        break;
      case Opcode::kCreateObject:
        done = rewrite(step.first, kCreate, arena);
        break;
      case Opcode::kCopyObject:
        done = rewrite(step.first, kCopy, arena);
        break;
      default:
        break;
    }
    if (!done) return false;
  }
  return true;
}

}  // namespace keyferry
