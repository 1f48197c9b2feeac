#include "program.h"

#include "mechanism.h"
#include "reader.h"

namespace keyferry {
namespace {

enum class ValueKind : uint32_t { kBool = 0, kNumber = 1, kOctets = 2, kNumbers = 3, kTemplate = 4 };

// What one program has defined so far: a step may only use what an earlier step makes.
class Decoder {
 public:
  Decoder(Reader& reader, Arena& arena, Program& program) : reader_(reader), arena_(arena), program_(program) {}

  const char* step(Step& step);
  const char* finish() const {
    if (objects_ != program_.objects || secrets_ != program_.secrets || outputs_ != program_.outputs) {
      return "registers or outputs are not what the header says";
    }
    return nullptr;
  }

 private:
  bool body(Step& step);
  bool object_operand(ObjectOperand& operand);
  bool bytes_operand(BytesOperand& operand);
  bool secret_operand(uint32_t& reg);
  bool secret_bytes(BytesOperand& operand);
  bool read_template(Template& result, uint32_t depth);
  bool attribute(CK_ATTRIBUTE& attribute, Template& owner, uint32_t depth);
  bool mechanism(Step& step) {
    return read_mechanism(reader_, arena_, step.mechanism, step.own_iv) &&
           (step.own_iv == nullptr || step.opcode == Opcode::kEncrypt);
  }
  bool makes_object(uint32_t& reg) { return (reg = reader_.word()) == objects_ && objects_++ < program_.objects; }
  bool makes_secret(uint32_t& reg) { return (reg = reader_.word()) == secrets_ && secrets_++ < program_.secrets; }
  bool makes_output(uint32_t& index) { return (index = reader_.word()) == outputs_ && outputs_++ < program_.outputs; }

  Reader& reader_;
  Arena& arena_;
  Program& program_;
  uint32_t objects_ = 0;
  uint32_t secrets_ = 0;
  uint32_t outputs_ = 0;
};

bool Decoder::object_operand(ObjectOperand& operand) {
  const uint32_t tag = reader_.word();
  const uint64_t value = reader_.number();
  if (tag > 1) return false;
  operand = ObjectOperand{tag == 1, static_cast<uint32_t>(value), value};
  if (tag == 1) return value < objects_;
  return program_.epoch != 0;
}

bool Decoder::bytes_operand(BytesOperand& operand) {
  const uint32_t tag = reader_.word();
  operand = BytesOperand{};
  if (tag == 1) {
    operand.is_register = true;
    return secret_operand(operand.reg);
  }
  operand.octets = reader_.octets(operand.length);
  return tag == 0;
}

bool Decoder::secret_operand(uint32_t& reg) {
  reg = reader_.word();
  return reg < secrets_;
}

bool Decoder::secret_bytes(BytesOperand& operand) {
  operand = BytesOperand{};
  operand.is_register = true;
  return secret_operand(operand.reg);
}

bool Decoder::attribute(CK_ATTRIBUTE& attribute, Template& owner, uint32_t depth) {
  attribute.type = reader_.word();
  switch (static_cast<ValueKind>(reader_.word())) {
    case ValueKind::kBool: {
      auto* value = arena_.take_array<CK_BBOOL>(1);
      const uint32_t truth = reader_.word();
      if (value == nullptr || truth > 1) return false;
      *value = truth == 1 ? CK_TRUE : CK_FALSE;
      if (attribute.type == CKA_TOKEN && truth == 1) owner.token_object = true;
      attribute.pValue = value;
      attribute.ulValueLen = sizeof *value;
      return true;
    }
    case ValueKind::kNumber: {
      auto* value = arena_.take_array<CK_ULONG>(1);
      if (value == nullptr) return false;
      *value = reader_.number();
      attribute.pValue = value;
      attribute.ulValueLen = sizeof *value;
      return true;
    }
    case ValueKind::kOctets: {
      uint32_t length = 0;
      const uint8_t* octets = reader_.octets(length);
      if (attribute.type == CKA_TOKEN && length > 0 && octets[0] != 0) owner.token_object = true;
      attribute.pValue = const_cast<uint8_t*>(octets);
      attribute.ulValueLen = length;
      return true;
    }
    case ValueKind::kNumbers: {
      const uint32_t count = reader_.word();
      if (count > kAttributesMax) return false;
      auto* values = arena_.take_array<CK_ULONG>(count);
      if (values == nullptr) return false;
      for (uint32_t i = 0; i < count; ++i) values[i] = reader_.number();
      attribute.pValue = values;
      attribute.ulValueLen = count * sizeof(CK_ULONG);
      return true;
    }
    case ValueKind::kTemplate: {
      Template inner;
      if (!read_template(inner, depth + 1)) return false;
      attribute.pValue = inner.attributes;
      attribute.ulValueLen = inner.count * sizeof(CK_ATTRIBUTE);
      return true;
    }
  }
  return false;
}

bool Decoder::read_template(Template& result, uint32_t depth) {
  const uint32_t count = reader_.word();
  if (count > kAttributesMax || depth > kTemplateDepthMax) return false;
  // One attribute more than there are: the secret of createObject is put behind the others.
  result = Template{arena_.take_array<CK_ATTRIBUTE>(count + 1), count, false};
  if (result.attributes == nullptr) return false;
  for (uint32_t i = 0; i < count; ++i) {
    if (!attribute(result.attributes[i], result, depth) || !reader_.ok()) return false;
  }
  return reader_.ok();
}

bool Decoder::body(Step& step) {
  switch (step.opcode) {
    case Opcode::kGenerateKey:
      return mechanism(step) && read_template(step.first, 0) && makes_object(step.reg);
    case Opcode::kGenerateKeyPair:
      return mechanism(step) && read_template(step.first, 0) && read_template(step.second, 0) &&
             makes_object(step.reg) && makes_object(step.second_reg);
    case Opcode::kDeriveKey:
      return mechanism(step) && object_operand(step.object) && read_template(step.first, 0) && makes_object(step.reg);
    case Opcode::kWrapKey:
      return mechanism(step) && object_operand(step.object) && object_operand(step.second_object) &&
             makes_output(step.output);
    case Opcode::kUnwrapKey:
      return mechanism(step) && object_operand(step.object) && bytes_operand(step.data) &&
             read_template(step.first, 0) && makes_object(step.reg);
    case Opcode::kEncrypt:
    case Opcode::kDecrypt:
    case Opcode::kSign:
      return mechanism(step) && object_operand(step.object) && bytes_operand(step.data) && makes_output(step.output);
    case Opcode::kDecryptToSecret:
      return mechanism(step) && object_operand(step.object) && bytes_operand(step.data) && makes_secret(step.reg);
    case Opcode::kVerify:
      step.signature = BytesOperand{};
      if (!mechanism(step) || !object_operand(step.object) || !bytes_operand(step.data)) return false;
      step.signature.octets = reader_.octets(step.signature.length);
      return true;
    case Opcode::kRandom:
      step.count = reader_.word();
      return step.count <= kRandomBytesMax && makes_output(step.output);
    case Opcode::kRandomSecret:
      step.count = reader_.word();
      return step.count <= kRandomBytesMax && makes_secret(step.reg);
    case Opcode::kReveal:
      return secret_operand(step.reg) && makes_output(step.output);
    case Opcode::kCreateObject: {
      const bool has_template = read_template(step.first, 0);
      const uint32_t with_secret = reader_.word();
      step.second_reg = kNone;
      if (!has_template || with_secret > 1) return false;
      if (with_secret == 1) {
        step.secret_type = reader_.word();
        if (!secret_operand(step.second_reg)) return false;
      }
      return makes_object(step.reg);
    }
    case Opcode::kCopyObject:
      return object_operand(step.object) && read_template(step.first, 0) && makes_object(step.reg);
    case Opcode::kGetAttributes:
      if (!object_operand(step.object)) return false;
      step.count = reader_.word();
      if (step.count > kAttributesMax) return false;
      step.types = reader_.words(step.count);
      return step.types != nullptr && makes_output(step.output);
    case Opcode::kSetAttributes:
      return object_operand(step.object) && read_template(step.first, 0);
    case Opcode::kFindObjects:
      step.count = reader_.word();
      return step.count <= kHandlesMax && read_template(step.first, 0) && makes_output(step.output);
    case Opcode::kDestroyObject:
      return object_operand(step.object);
    case Opcode::kUnpadOaep:
      step.count = reader_.word();
      step.length_min = reader_.word();
      step.length_max = reader_.word();
      return step.count >= 1 && step.count <= 2 && secret_bytes(step.data) && secret_bytes(step.decoy) &&
             makes_secret(step.reg) && makes_output(step.output);
    case Opcode::kEcPrivateValue:
      step.signature = BytesOperand{};
      step.order = BytesOperand{};
      if (!secret_bytes(step.data) || !secret_bytes(step.decoy)) return false;
      step.signature.octets = reader_.octets(step.signature.length);
      step.order.octets = reader_.octets(step.order.length);
      return step.order.length > 0 && makes_secret(step.reg) && makes_output(step.output) &&
             makes_output(step.second_output);
    case Opcode::kReadPrivateKey: {
      step.count = reader_.word();
      const bool has_objects = object_operand(step.object) && step.object.is_register &&
                               object_operand(step.second_object) && step.second_object.is_register;
      step.data = BytesOperand{};
      step.data.octets = reader_.octets(step.data.length);
      step.length_max = reader_.word();
      return has_objects && step.count >= 1 && step.count <= 3 && step.length_max <= kScalarBytesMax &&
             makes_secret(step.reg);
    }
    case Opcode::kKeep:
      step.reg = reader_.word();
      return step.reg < objects_ && makes_output(step.output);
    case Opcode::kReadSecret: {
      const bool has_object = object_operand(step.object) && step.object.is_register;
      return has_object && makes_secret(step.reg);
    }
  }
  return false;
}

const char* Decoder::step(Step& step) {
  const uint8_t* start = reader_.position();
  step.opcode = static_cast<Opcode>(reader_.word());
  const uint32_t attempted = reader_.word();
  const uint32_t length = reader_.word();
  step.attempt_output = kNone;
  step.mechanism.mechanism = kNone;
  if (attempted > 1) return "an attempt is neither there nor not";
  if (attempted == 1 && !makes_output(step.attempt_output)) return "an output is out of order";
  if (!body(step) || !reader_.ok()) return "a step is malformed";
  if (static_cast<size_t>(reader_.position() - start) != length) return "a step is longer than its arguments";
  return nullptr;
}

}  // namespace

bool read_header(const uint8_t* octets, size_t length, ProgramHeader& header) {
  Reader reader(octets, length);
  const uint32_t magic = reader.word();
  header.length = reader.word();
  const uint32_t weight = reader.word();
  header.epoch = reader.word();
  if (!reader.ok() || magic != kProgramMagic || weight >= kWeights) return false;
  header.weight = static_cast<Weight>(weight);
  return header.length >= kHeaderWords * 4 && header.length <= kProgramBytesMax && header.length % 4 == 0 &&
         header.length <= length;
}

const char* decode_program(const uint8_t* octets, size_t length, Arena& arena, Program& program) {
  ProgramHeader header;
  if (!read_header(octets, length, header) || header.length != length) return "the header is malformed";
  program.weight = header.weight;
  program.epoch = header.epoch;
  Reader reader(octets, length);
  reader.words(4);
  const uint32_t steps = reader.word();
  program.objects = reader.word();
  program.secrets = reader.word();
  program.outputs = reader.word();
  if (steps > kStepsMax || program.objects > kRegistersMax || program.secrets > kRegistersMax ||
      program.outputs > kOutputsMax) {
    return "it has too many steps, registers or outputs";
  }
  if (program.steps.size() < steps) program.steps.resize(steps);
  Decoder decoder(reader, arena, program);
  for (uint32_t i = 0; i < steps; ++i) {
    if (const char* refusal = decoder.step(program.steps[i]); refusal != nullptr) return refusal;
  }
  if (reader.left() != 0) return "octets are left over behind the last step";
  program.step_count = steps;
  return decoder.finish();
}

}  // namespace keyferry
