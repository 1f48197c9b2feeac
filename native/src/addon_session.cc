// Sessions and the calls that carry a PIN.
#include <dlfcn.h>

#include <vector>

#include "addon.h"
#include "pin_source.h"

namespace keyferry {
namespace {

constexpr size_t kLabelBytes = 32;

Napi::Value open_session(const Napi::CallbackInfo& info) {
  const auto module = module_argument(info, 0);
  uint64_t slot = 0;
  if (module == nullptr || !handle_argument(info, 1, slot)) return Napi::Value();
  if (info.Length() < 3 || !info[2].IsBoolean()) return wrong_argument(info);
  const CK_FLAGS flags = CKF_SERIAL_SESSION | (info[2].As<Napi::Boolean>().Value() ? CKF_RW_SESSION : 0);
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  const CK_RV rv = module->functions()->C_OpenSession(slot, flags, nullptr, nullptr, &session);
  Napi::Object result = call_result(info.Env(), "C_OpenSession", rv);
  result.Set("session", Napi::BigInt::New(info.Env(), uint64_t{session}));
  return result;
}

Napi::Value close_session(const Napi::CallbackInfo& info) {
  const auto module = module_argument(info, 0);
  uint64_t session = 0;
  if (module == nullptr || !handle_argument(info, 1, session)) return Napi::Value();
  return call_result(info.Env(), "C_CloseSession", module->functions()->C_CloseSession(session));
}

Napi::Value session_info(const Napi::CallbackInfo& info) {
  const auto module = module_argument(info, 0);
  uint64_t session = 0;
  if (module == nullptr || !handle_argument(info, 1, session)) return Napi::Value();
  CK_SESSION_INFO about{};
  const CK_RV rv = module->functions()->C_GetSessionInfo(session, &about);
  Napi::Object result = call_result(info.Env(), "C_GetSessionInfo", rv);
  result.Set("slotId", Napi::BigInt::New(info.Env(), uint64_t{about.slotID}));
  result.Set("state", static_cast<double>(about.state));
  result.Set("flags", static_cast<double>(about.flags));
  result.Set("deviceError", static_cast<double>(about.ulDeviceError));
  return result;
}

// CK_INTERFACE (PKCS#11 v3.0), which the headers of v2.40 do not have.
struct Interface {
  CK_UTF8CHAR_PTR name;
  void* functions;  // starts with a CK_VERSION
  CK_FLAGS flags;
};

// What the library says of its interfaces: null where it has no C_GetInterfaceList.
Napi::Value interfaces(const Napi::CallbackInfo& info) {
  const auto module = module_argument(info, 0);
  if (module == nullptr) return Napi::Value();
  void* library = dlopen(module->path().c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return info.Env().Null();
  using GetInterfaceList = CK_RV (*)(Interface*, CK_ULONG_PTR);
  const auto get = reinterpret_cast<GetInterfaceList>(dlsym(library, "C_GetInterfaceList"));
  dlclose(library);
  if (get == nullptr) return info.Env().Null();
  CK_ULONG count = 0;
  CK_RV rv = get(nullptr, &count);
  constexpr CK_ULONG kInterfacesMax = 64;
  std::vector<Interface> found(count < kInterfacesMax ? count : kInterfacesMax);
  if (rv == CKR_OK) {
    count = found.size();
    rv = get(found.data(), &count);
  }
  Napi::Object result = call_result(info.Env(), "C_GetInterfaceList", rv);
  Napi::Array list = Napi::Array::New(info.Env());
  for (CK_ULONG i = 0; rv == CKR_OK && i < count && i < found.size(); ++i) {
    if (found[i].name == nullptr || found[i].functions == nullptr) continue;
    const auto* version = static_cast<const CK_VERSION*>(found[i].functions);
    Napi::Object entry = Napi::Object::New(info.Env());
    entry.Set("name", reinterpret_cast<const char*>(found[i].name));
    entry.Set("major", static_cast<double>(version->major));
    entry.Set("minor", static_cast<double>(version->minor));
    list.Set(list.Length(), entry);
  }
  result.Set("interfaces", list);
  return result;
}

// A call that carries a PIN: runs off the event loop, because a prompt waits for a person and tokens are slow on
// purpose.
struct PinWork {
  std::shared_ptr<Module> module;
  const char* call;
  uint64_t target;  // session, or the slot of C_InitToken
  CK_USER_TYPE user_type;
  PinSource source;
  uint8_t label[kLabelBytes];
  CK_RV rv = CKR_OK;
  std::string refusal;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
};

void call_with_pin(napi_env, void* data) {
  auto* work = static_cast<PinWork*>(data);
  Pin pin = read_pin(work->source);
  if (!pin.refusal.empty()) {
    work->refusal = std::move(pin.refusal);
    return;
  }
  CK_FUNCTION_LIST_PTR functions = work->module->functions();
  CK_UTF8CHAR_PTR octets = pin.octets.data();
  const CK_ULONG length = pin.octets.size();
  const std::string call = work->call;
  if (call == "C_Login") work->rv = functions->C_Login(work->target, work->user_type, octets, length);
  if (call == "C_InitToken") work->rv = functions->C_InitToken(work->target, octets, length, work->label);
  if (call == "C_InitPIN") work->rv = functions->C_InitPIN(work->target, octets, length);
}

void settle(napi_env env, napi_status, void* data) {
  const std::unique_ptr<PinWork> work(static_cast<PinWork*>(data));
  const Napi::HandleScope scope(env);
  Napi::Object result;
  if (work->refusal.empty()) {
    result = call_result(env, work->call, work->rv);
  } else {
    result = Napi::Object::New(env);
    result.Set("refusal", work->refusal);
  }
  napi_resolve_deferred(env, work->deferred, result);
  napi_delete_async_work(env, work->work);
}

Napi::Value start(const Napi::CallbackInfo& info, std::unique_ptr<PinWork> work, size_t source_at) {
  if (info.Length() < source_at + 2 || !info[source_at].IsString() || !info[source_at + 1].IsString()) {
    return wrong_argument(info);
  }
  work->source.kind = info[source_at].As<Napi::String>().Utf8Value();
  work->source.where = info[source_at + 1].As<Napi::String>().Utf8Value();
  const napi_env env = info.Env();
  napi_value promise = nullptr;
  if (napi_create_promise(env, &work->deferred, &promise) != napi_ok) return wrong_argument(info);
  napi_value name = Napi::String::New(env, work->call);
  if (napi_create_async_work(env, nullptr, name, call_with_pin, settle, work.get(), &work->work) != napi_ok ||
      napi_queue_async_work(env, work->work) != napi_ok) {
    return wrong_argument(info);
  }
  work.release();  // settle() takes it back
  return Napi::Value(env, promise);
}

Napi::Value login(const Napi::CallbackInfo& info) {
  auto work = std::make_unique<PinWork>();
  work->call = "C_Login";
  work->module = module_argument(info, 0);
  if (work->module == nullptr || !handle_argument(info, 1, work->target)) return Napi::Value();
  if (info.Length() < 3 || !info[2].IsNumber()) return wrong_argument(info);
  work->user_type = info[2].As<Napi::Number>().Uint32Value();
  return start(info, std::move(work), 3);
}

Napi::Value init_token(const Napi::CallbackInfo& info) {
  auto work = std::make_unique<PinWork>();
  work->call = "C_InitToken";
  work->module = module_argument(info, 0);
  if (work->module == nullptr || !handle_argument(info, 1, work->target)) return Napi::Value();
  if (info.Length() < 5 || !info[4].IsString()) return wrong_argument(info);
  const std::string label = info[4].As<Napi::String>().Utf8Value();
  if (label.size() > kLabelBytes) return wrong_argument(info);
  memset(work->label, ' ', kLabelBytes);
  memcpy(work->label, label.data(), label.size());
  return start(info, std::move(work), 2);
}

Napi::Value init_pin(const Napi::CallbackInfo& info) {
  auto work = std::make_unique<PinWork>();
  work->call = "C_InitPIN";
  work->module = module_argument(info, 0);
  if (work->module == nullptr || !handle_argument(info, 1, work->target)) return Napi::Value();
  return start(info, std::move(work), 2);
}

Napi::Value generate_pin(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsString()) return wrong_argument(info);
  const std::string refusal = generate_pin_file(info[0].As<Napi::String>().Utf8Value());
  if (refusal.empty()) return info.Env().Null();
  return Napi::String::New(info.Env(), refusal);
}

}  // namespace

void export_sessions(Napi::Env env, Napi::Object exports) {
  export_functions(env, exports, {
      {"openSession", open_session},
      {"closeSession", close_session},
      {"interfaces", interfaces},
      {"sessionInfo", session_info},
      {"login", login},
      {"initToken", init_token},
      {"initPin", init_pin},
      {"generatePinFile", generate_pin},
  });
}

}  // namespace keyferry
