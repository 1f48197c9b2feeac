// Runs decoded programs on one PKCS#11 session.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "call_names.h"
#include "module_table.h"
#include "program.h"
#include "result_writer.h"
#include "secret_bytes.h"

namespace keyferry {

// Most room that a token gets when it asks for more, octets.
constexpr CK_ULONG kRoomMax = CK_ULONG{1} << 28;

// How a runner holds the module's lock on objects.
enum class Hold { kNothing, kShared, kExclusive };

// One thread's session and the memory its jobs run in. Used by one thread at a time.
class Runner {
 public:
  Runner(std::shared_ptr<Module> module, CK_SLOT_ID slot) : module_(std::move(module)), slot_(slot) {}
  ~Runner() { close_session(); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Opens the read-write session, after closing an older one.
  CK_RV open_session();
  void close_session();
  // Called while another thread runs a job: where the session is gone the job ends after the call that it is in, and
  // neither the session's handle nor handles of its objects are used any more. They may be somebody else's by then.
  void abandon_lost_session();
  bool logged_in() const { return logged_in_; }

  // Runs one program and leaves its result in `result`; the caller gives handles of its epoch only.
  Outcome run(uint32_t id, const uint8_t* octets, size_t length, WipedBuffer& result);

  // Time that the last job spent from its first PKCS#11 call to its last one.
  uint64_t token_ns() const { return token_ns_; }
  uint32_t calls() const { return calls_; }
  // When the last job ended, on the monotonic clock.
  uint64_t ended_ns() const { return ended_ns_; }

 private:
  struct Object {
    CK_OBJECT_HANDLE handle;
    bool made;
    bool kept;
    bool destroyed;
    bool token_object;
  };
  struct Secret {
    uint8_t* octets;
    size_t length;
    bool made;
  };
  struct Octets {
    CK_BYTE_PTR octets;
    CK_ULONG length;
  };

  Status execute(ResultWriter& writer);
  Status step(const Step& step, ResultWriter& writer);
  Status run_step(const Step& step, ResultWriter& writer);

  Status generate_key(const Step& step);
  Status generate_key_pair(const Step& step);
  Status derive_key(const Step& step);
  Status wrap_key(const Step& step, ResultWriter& writer);
  Status unwrap_key(const Step& step);
  Status encrypt(const Step& step, ResultWriter& writer);
  Status decrypt(const Step& step, ResultWriter& writer);
  Status decrypt_to_secret(const Step& step);
  Status sign(const Step& step, ResultWriter& writer);
  Status verify(const Step& step);
  Status random(const Step& step, ResultWriter& writer);
  Status random_secret(const Step& step);
  Status reveal(const Step& step, ResultWriter& writer);
  Status create_object(const Step& step);
  Status copy_object(const Step& step);
  Status get_attributes(const Step& step, ResultWriter& writer);
  Status set_attributes(const Step& step);
  Status find_objects(const Step& step, ResultWriter& writer);
  Status search(const Step& step, CK_OBJECT_HANDLE* handles, CK_ULONG& found);
  Status destroy_object(const Step& step);
  Status keep(const Step& step, ResultWriter& writer);
  Status unpad_oaep(const Step& step, ResultWriter& writer);
  Status ec_private_value(const Step& step, ResultWriter& writer);
  Status read_secret(const Step& step);
  Status read_private_key(const Step& step);

  // Runs an *Init and its operation into the room that `place` gives, with more room where the token asks for it.
  template <typename Place>
  Status operation(const Step& step, Call init_call, Call call, CK_ULONG room, Octets data, Place place,
                   CK_ULONG& length);
  CK_RV call_init(Call call, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key);
  CK_RV call_operation(Call call, Octets data, CK_BYTE_PTR out, CK_ULONG_PTR length);
  // Puts the session aside, because an operation is active on it that nobody can end; what it made stays.
  bool replace_session();

  bool object(const ObjectOperand& operand, CK_OBJECT_HANDLE& handle) const;
  bool octets(const BytesOperand& operand, Octets& octets) const;
  bool is_public_class(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, Status& status);
  Status read_together(CK_OBJECT_HANDLE handle, const Step& step, Octets* values);
  Status read_values(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE* attributes, CK_ULONG count, const uint32_t* places,
                     Octets* values);
  bool ask_for(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE* attributes, CK_ULONG count);
  Status attribute_state(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, bool secret, AttributeState& state,
                         Octets& value);
  // Reads an attribute that a caller may know into locked memory.
  Status read_into_secret(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE_TYPE type, Octets& value);
  void made(uint32_t reg, CK_OBJECT_HANDLE handle, bool token_object);
  bool is_token_object(CK_OBJECT_HANDLE handle);
  Status failed(Call call, CK_RV rv, CK_MECHANISM_TYPE mechanism = kNone);
  Status check(Call call, CK_RV rv, CK_MECHANISM_TYPE mechanism = kNone) {
    ++calls_;
    if (abandoned_.load(std::memory_order_relaxed)) return abandoned(call);
    return rv == CKR_OK ? Status::kOk : failed(call, rv, mechanism);
  }
  Status abandoned(Call call);
  bool session_is_lost(CK_RV rv);
  bool is_logged_in(CK_SESSION_HANDLE session);
  void hold(Hold hold);
  Status clean_up(Status status);

  const std::shared_ptr<Module> module_;
  const CK_SLOT_ID slot_;
  std::atomic<CK_SESSION_HANDLE> session_ = CK_INVALID_HANDLE;
  std::atomic<bool> abandoned_ = false;
  bool logged_in_ = false;
  bool keeps_objects_ = false;  // some job kept a session object, which dies with the session
  std::vector<CK_SESSION_HANDLE> set_aside_;
  Hold hold_ = Hold::kNothing;
  Arena arena_;
  SecretArena secret_arena_;
  Program program_{};
  std::vector<Object> objects_;
  std::vector<Secret> secrets_;
  Outcome outcome_;
  uint64_t token_ns_ = 0;
  uint64_t ended_ns_ = 0;
  uint32_t calls_ = 0;
};

}  // namespace keyferry
