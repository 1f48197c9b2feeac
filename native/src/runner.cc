#include "runner.h"

#include <time.h>

#include "dialect.h"

namespace keyferry {
namespace {

constexpr size_t kSessionsSetAsideMax = 8;

uint64_t now_ns() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

CK_RV Runner::open_session() {
  close_session();
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  const CK_RV rv =
      module_->functions()->C_OpenSession(slot_, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
  if (rv != CKR_OK) return rv;
  session_ = session;
  logged_in_ = is_logged_in(session);
  return CKR_OK;
}

bool Runner::is_logged_in(CK_SESSION_HANDLE session) {
  CK_SESSION_INFO info{};
  return module_->functions()->C_GetSessionInfo(session, &info) == CKR_OK && info.state != CKS_RW_PUBLIC_SESSION;
}

void Runner::close_session() {
  if (!abandoned_.exchange(false)) {
    if (session_ != CK_INVALID_HANDLE) module_->functions()->C_CloseSession(session_);
    for (const CK_SESSION_HANDLE session : set_aside_) module_->functions()->C_CloseSession(session);
  }
  set_aside_.clear();
  keeps_objects_ = false;
  session_ = CK_INVALID_HANDLE;
}

void Runner::abandon_lost_session() {
  CK_SESSION_INFO info{};
  if (module_->functions()->C_GetSessionInfo(session_, &info) != CKR_OK) abandoned_ = true;
}

bool Runner::replace_session() {
  if (abandoned_) return false;
  bool has_objects = keeps_objects_;
  for (const Object& object : objects_) has_objects = has_objects || (object.made && !object.destroyed);
  if (has_objects && set_aside_.size() >= kSessionsSetAsideMax) return false;
  CK_SESSION_HANDLE fresh = CK_INVALID_HANDLE;
  if (module_->functions()->C_OpenSession(slot_, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &fresh) !=
      CKR_OK) {
    return false;
  }
  // The login went with the sessions: in a new one a search would find nothing, and say that all is well.
  if (logged_in_ && !is_logged_in(fresh)) {
    module_->functions()->C_CloseSession(fresh);
    return false;
  }
  if (has_objects) {
    set_aside_.push_back(session_);
  } else {
    module_->functions()->C_CloseSession(session_);
  }
  session_ = fresh;
  keeps_objects_ = false;
  return true;
}

void Runner::hold(Hold wanted) {
  if (hold_ == wanted) return;
  if (hold_ != Hold::kNothing) module_->unlock();
  if (wanted == Hold::kShared) module_->lock_shared();
  if (wanted == Hold::kExclusive) module_->lock_exclusive();
  hold_ = wanted;
}

// Whether the session, its login or its token is gone. Some return values also mean something else, so the session is
// asked: CKR_USER_NOT_LOGGED_IN is also a refusal of an attribute, CKR_DEVICE_ERROR also a failed verification.
bool Runner::session_is_lost(CK_RV rv) {
  switch (rv) {
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
      return true;
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_DEVICE_ERROR:
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED: {
      CK_SESSION_INFO info{};
      if (module_->functions()->C_GetSessionInfo(session_, &info) != CKR_OK) return true;
      const bool was_logged_in = logged_in_;
      logged_in_ = info.state != CKS_RW_PUBLIC_SESSION;
      return was_logged_in && !logged_in_;
    }
    default:
      return false;
  }
}

Status Runner::failed(Call call, CK_RV rv, CK_MECHANISM_TYPE mechanism) {
  outcome_.call = static_cast<uint32_t>(call);
  outcome_.rv = rv;
  outcome_.mechanism = static_cast<uint32_t>(mechanism);
  return session_is_lost(rv) ? Status::kSessionLost : Status::kCallFailed;
}

Status Runner::abandoned(Call call) {
  outcome_.call = static_cast<uint32_t>(call);
  outcome_.rv = CKR_SESSION_HANDLE_INVALID;
  return Status::kSessionLost;
}

Outcome Runner::run(uint32_t id, const uint8_t* octets, size_t length, WipedBuffer& result) {
  outcome_ = Outcome{};
  calls_ = 0;
  token_ns_ = 0;
  ResultWriter writer(result);
  writer.begin();
  if (decode_program(octets, length, arena_, program_) != nullptr) {
    outcome_.status = Status::kRefused;
  } else if (module_->dialect() != nullptr && !module_->dialect()->apply(program_, arena_)) {
    outcome_.status = Status::kNoMemory;
  } else {
    const uint64_t start = now_ns();
    outcome_.status = execute(writer);
    ended_ns_ = now_ns();
    token_ns_ = ended_ns_ - start;
  }
  if (outcome_.status != Status::kOk) writer.discard_outputs();
  writer.finish(id, outcome_, token_ns_, calls_);
  arena_.reset();
  secret_arena_.reset();
  return outcome_;
}

Status Runner::execute(ResultWriter& writer) {
  objects_.assign(program_.objects, Object{});
  secrets_.assign(program_.secrets, Secret{});
  Status status = Status::kOk;
  for (uint32_t i = 0; i < program_.step_count && status == Status::kOk; ++i) {
    outcome_.step = i;
    status = abandoned_ ? abandoned(Call::kNone) : step(program_.steps[i], writer);
  }
  if (abandoned_ && status != Status::kOk) status = Status::kSessionLost;
  // With a lost session its objects are gone; what is left of them goes when it is closed.
  if (status != Status::kSessionLost) status = clean_up(status);
  hold(Hold::kNothing);
  return status;
}

Status Runner::step(const Step& step, ResultWriter& writer) {
  Status status = run_step(step, writer);
  if (step.attempt_output == kNone) return status;
  uint64_t rv = CKR_OK;
  if (status == Status::kCallFailed) {
    rv = outcome_.rv;
  } else if (status == Status::kReference) {
    rv = CKR_OBJECT_HANDLE_INVALID;
  } else if (status != Status::kOk) {
    return status;
  }
  outcome_ = Outcome{};
  return writer.number(step.attempt_output, OutputKind::kReturnValue, rv) ? Status::kOk : Status::kNoMemory;
}

Status Runner::run_step(const Step& step, ResultWriter& writer) {
  switch (step.opcode) {
    case Opcode::kGenerateKey:
      return generate_key(step);
    case Opcode::kGenerateKeyPair:
      return generate_key_pair(step);
    case Opcode::kDeriveKey:
      return derive_key(step);
    case Opcode::kWrapKey:
      return wrap_key(step, writer);
    case Opcode::kUnwrapKey:
      return unwrap_key(step);
    case Opcode::kEncrypt:
      return encrypt(step, writer);
    case Opcode::kDecrypt:
      return decrypt(step, writer);
    case Opcode::kDecryptToSecret:
      return decrypt_to_secret(step);
    case Opcode::kSign:
      return sign(step, writer);
    case Opcode::kVerify:
      return verify(step);
    case Opcode::kRandom:
      return random(step, writer);
    case Opcode::kRandomSecret:
      return random_secret(step);
    case Opcode::kReveal:
      return reveal(step, writer);
    case Opcode::kCreateObject:
      return create_object(step);
    case Opcode::kCopyObject:
      return copy_object(step);
    case Opcode::kGetAttributes:
      return get_attributes(step, writer);
    case Opcode::kSetAttributes:
      return set_attributes(step);
    case Opcode::kFindObjects:
      return find_objects(step, writer);
    case Opcode::kDestroyObject:
      return destroy_object(step);
    case Opcode::kKeep:
      return keep(step, writer);
    case Opcode::kUnpadOaep:
      return unpad_oaep(step, writer);
    case Opcode::kEcPrivateValue:
      return ec_private_value(step, writer);
    case Opcode::kReadSecret:
      return read_secret(step);
    case Opcode::kReadPrivateKey:
      return read_private_key(step);
  }
  return Status::kRefused;
}

// Destroys what the job made and nobody keeps, the last first; after a failure also what was to be kept.
// A failed destruction fails the job, because keys that should be gone are not; what failed first is what is told.
Status Runner::clean_up(Status status) {
  for (size_t i = objects_.size(); i-- > 0;) {
    Object& object = objects_[i];
    if (!object.made || object.destroyed || (object.kept && status == Status::kOk)) continue;
    hold(object.token_object ? Hold::kExclusive : Hold::kShared);
    object.destroyed = true;
    ++calls_;
    if (abandoned_) return abandoned(Call::kDestroyObject);
    const CK_RV rv = module_->functions()->C_DestroyObject(session_, object.handle);
    if (rv == CKR_OK) continue;
    ++outcome_.cleanup_failures;
    if (status != Status::kOk) continue;
    status = failed(Call::kDestroyObject, rv);
    if (status == Status::kSessionLost) return status;
    i = objects_.size();  // once more from the end, now with what was to be kept
  }
  if (status == Status::kOk) {
    for (const Object& object : objects_) keeps_objects_ = keeps_objects_ || (object.kept && !object.token_object);
  }
  return status;
}

void Runner::made(uint32_t reg, CK_OBJECT_HANDLE handle, bool token_object) {
  objects_[reg] = Object{handle, true, false, false, token_object};
}

bool Runner::object(const ObjectOperand& operand, CK_OBJECT_HANDLE& handle) const {
  if (!operand.is_register) {
    handle = operand.handle;
    return true;
  }
  const Object& object = objects_[operand.reg];
  handle = object.handle;
  return object.made && !object.destroyed;
}

bool Runner::octets(const BytesOperand& operand, Octets& octets) const {
  if (!operand.is_register) {
    octets = Octets{const_cast<CK_BYTE_PTR>(operand.octets), operand.length};
    return true;
  }
  const Secret& secret = secrets_[operand.reg];
  octets = Octets{secret.octets, secret.length};
  return secret.made;
}

}  // namespace keyferry
