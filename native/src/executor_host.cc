#include "executor_host.h"

#include <stdio.h>
#include <unistd.h>

#include "addon.h"

namespace keyferry {

void Waker::wake() {
  const std::lock_guard<std::mutex> guard(mutex);
  if (function != nullptr) napi_call_threadsafe_function(function, nullptr, napi_tsfn_nonblocking);
}

ExecutorHost::ExecutorHost(napi_env env, std::shared_ptr<Module> module, CK_SLOT_ID slot, ExecutorLimits limits)
    : env_(env),
      waker_(std::make_shared<Waker>()),
      executor_(std::move(module), slot, limits, [waker = waker_] { waker->wake(); }) {}

ExecutorHost::~ExecutorHost() { close(); }

CK_RV ExecutorHost::start(napi_value on_drain) {
  napi_value name = nullptr;
  napi_create_string_utf8(env_, "keyferry executor", NAPI_AUTO_LENGTH, &name);
  // The function that the finaliser gets keeps the waker alive until the environment is done with it.
  auto kept = std::make_unique<std::shared_ptr<Waker>>(waker_);
  if (napi_create_threadsafe_function(env_, on_drain, nullptr, name, 0, 1, kept.get(), on_function_gone, this, on_wake,
                                      &waker_->function) != napi_ok) {
    return CKR_HOST_MEMORY;
  }
  kept.release();
  napi_unref_threadsafe_function(env_, waker_->function);
  // Added after the environment's own hook for the function, so it runs before it: threads end first.
  napi_add_env_cleanup_hook(env_, on_environment_end, this);
  open_ = true;
  const CK_RV rv = executor_.start();
  if (rv != CKR_OK) close();
  return rv;
}

void ExecutorHost::on_environment_end(void* host) { static_cast<ExecutorHost*>(host)->close(); }

void ExecutorHost::on_function_gone(napi_env, void* data, void*) {
  const std::unique_ptr<std::shared_ptr<Waker>> waker(static_cast<std::shared_ptr<Waker>*>(data));
  const std::lock_guard<std::mutex> guard((*waker)->mutex);
  (*waker)->function = nullptr;
}

void ExecutorHost::close() {
  if (!open_) return;
  open_ = false;
  napi_remove_env_cleanup_hook(env_, on_environment_end, this);
  executor_.stop();
  napi_threadsafe_function function = nullptr;
  {
    const std::lock_guard<std::mutex> guard(waker_->mutex);
    function = std::exchange(waker_->function, nullptr);
  }
  if (function != nullptr) napi_release_threadsafe_function(function, napi_tsfn_abort);
}

void ExecutorHost::leave() {
  if (open_) napi_unref_threadsafe_function(env_, waker_->function);
}

uint32_t ExecutorHost::submit(const uint8_t* programs, size_t length, uint32_t count) {
  const uint32_t taken = executor_.submit(programs, length, count);
  // While jobs are on their way the process stays.
  if (outstanding_ == 0 && taken > 0) napi_ref_threadsafe_function(env_, waker_->function);
  outstanding_ += taken;
  return taken;
}

void ExecutorHost::on_wake(napi_env env, napi_value on_drain, void* context, void*) {
  if (env == nullptr) return;
  auto* host = static_cast<ExecutorHost*>(context);
  if (host->open_) host->drain(env, on_drain);
}

void ExecutorHost::drain(napi_env env, napi_value on_drain) {
  Drained drained = executor_.drain();
  do {
    // Handles in results are of the epoch in which they were made.
    SlotList of_one_epoch;
    const uint32_t epoch = drained.slots.empty() ? executor_.epoch() : drained.slots.front()->epoch;
    while (!drained.slots.empty() && drained.slots.front()->epoch == epoch) {
      of_one_epoch.push_back(drained.slots.pop_front());
    }
    if (!tell(env, on_drain, of_one_epoch, epoch, drained)) {
      while (!drained.slots.empty()) executor_.give_back(drained.slots.pop_front());
    }
  } while (open_ && !drained.slots.empty());
}

bool ExecutorHost::tell(napi_env env, napi_value on_drain, SlotList& slots, uint32_t epoch, const Drained& drained) {
  const uint32_t count = slots.size();
  size_t length = 0;
  for (const JobSlot* slot = slots.front(); slot != nullptr; slot = slot->next) length += slot->result.size();
  napi_value arguments[5];
  void* octets = nullptr;
  if (napi_create_arraybuffer(env, length, &octets, &arguments[0]) != napi_ok) {
    // The environment is being terminated (without memory the engine ends the process itself): nobody is left to tell.
    while (!slots.empty()) executor_.give_back(slots.pop_front());
    return false;
  }
  auto* place = static_cast<uint8_t*>(octets);
  while (!slots.empty()) {
    JobSlot* slot = slots.pop_front();
    memcpy(place, slot->result.data(), slot->result.size());
    place += slot->result.size();
    executor_.give_back(slot);
  }
  if (outstanding_ > 0 && outstanding_ == count) napi_unref_threadsafe_function(env, waker_->function);
  outstanding_ -= count;

  const bool lost = drained.state == ExecutorState::kLost;
  const uint32_t state = lost ? (drained.idle ? 2 : 1) : 0;
  napi_value receiver = nullptr;
  napi_get_undefined(env, &receiver);
  napi_create_uint32(env, count, &arguments[1]);
  napi_create_uint32(env, state, &arguments[2]);
  napi_create_double(env, static_cast<double>(drained.loss_rv), &arguments[3]);
  napi_create_uint32(env, epoch, &arguments[4]);
  return napi_call_function(env, receiver, on_drain, 5, arguments, nullptr) == napi_ok;
}

namespace {

ExecutorHost* host_argument(const Napi::CallbackInfo& info) {
  if (info.Length() > 0 && info[0].IsNumber()) {
    auto& executors = Addon::of(info)->executors;
    const auto found = executors.find(info[0].As<Napi::Number>().Uint32Value());
    if (found != executors.end()) return found->second.get();
  }
  wrong_argument(info);
  return nullptr;
}

Napi::Value create(const Napi::CallbackInfo& info) {
  const auto module = module_argument(info, 0);
  uint64_t slot = 0;
  if (module == nullptr || !handle_argument(info, 1, slot)) return Napi::Value();
  if (info.Length() < 6 || !info[2].IsNumber() || !info[3].IsNumber() || !info[4].IsNumber() ||
      !info[5].IsFunction()) {
    return wrong_argument(info);
  }
  const ExecutorLimits limits{info[2].As<Napi::Number>().Uint32Value(), info[3].As<Napi::Number>().Uint32Value(),
                              info[4].As<Napi::Number>().Uint32Value()};
  if (limits.threads == 0 || limits.threads > 64 || limits.short_threads_max == 0 || limits.jobs_max == 0) {
    return wrong_argument(info);
  }
  auto host = std::make_unique<ExecutorHost>(info.Env(), module, slot, limits);
  const CK_RV rv = host->start(info[5]);
  Napi::Object result = call_result(info.Env(), "C_OpenSession", rv);
  Addon* addon = Addon::of(info);
  const uint32_t id = ++addon->executors_made;
  if (rv == CKR_OK) addon->executors.emplace(id, std::move(host));
  result.Set("executor", static_cast<double>(id));
  return result;
}

Napi::Value submit(const Napi::CallbackInfo& info) {
  ExecutorHost* host = host_argument(info);
  if (host == nullptr) return Napi::Value();
  if (info.Length() < 4 || !info[1].IsTypedArray() || !info[2].IsNumber() || !info[3].IsNumber()) {
    return wrong_argument(info);
  }
  const auto programs = info[1].As<Napi::Uint8Array>();
  const size_t length = info[2].As<Napi::Number>().Uint32Value();
  if (length > programs.ByteLength()) return wrong_argument(info);
  const uint32_t taken = host->submit(programs.Data(), length, info[3].As<Napi::Number>().Uint32Value());
  return Napi::Number::New(info.Env(), taken);
}

Napi::Value epoch(const Napi::CallbackInfo& info) {
  ExecutorHost* host = host_argument(info);
  if (host == nullptr) return Napi::Value();
  return Napi::Number::New(info.Env(), host->executor().epoch());
}

Napi::Value reopen(const Napi::CallbackInfo& info) {
  ExecutorHost* host = host_argument(info);
  if (host == nullptr) return Napi::Value();
  return call_result(info.Env(), "C_OpenSession", host->executor().reopen());
}

Napi::Value abandon(const Napi::CallbackInfo& info) {
  ExecutorHost* host = host_argument(info);
  if (host != nullptr) host->executor().abandon();
  return info.Env().Undefined();
}

Napi::Value close(const Napi::CallbackInfo& info) {
  if (host_argument(info) != nullptr) Addon::of(info)->executors.erase(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value leave(const Napi::CallbackInfo& info) {
  ExecutorHost* host = host_argument(info);
  if (host != nullptr) host->leave();
  return info.Env().Undefined();
}

// Ends the process at once: destructors of libraries would take away what a thread inside a module still uses, and
// nothing can interrupt it there.
Napi::Value exit_process(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsNumber()) return wrong_argument(info);
  fflush(nullptr);
  _exit(info[0].As<Napi::Number>().Int32Value());
}

}  // namespace

void export_executor(Napi::Env env, Napi::Object exports) {
  export_functions(env, exports, {
      {"createExecutor", create},
      {"executorSubmit", submit},
      {"executorEpoch", epoch},
      {"executorReopen", reopen},
      {"executorAbandon", abandon},
      {"executorClose", close},
      {"executorLeave", leave},
      {"exitProcess", exit_process},
  });
  exports.Set("jobFormat", kJobFormat);
  // Results carry a call's number.
  Napi::Array names = Napi::Array::New(env);
  for (uint32_t i = 0; i < sizeof kCallNames / sizeof kCallNames[0]; ++i) names.Set(i, kCallNames[i]);
  exports.Set("callNames", names);
}

}  // namespace keyferry
