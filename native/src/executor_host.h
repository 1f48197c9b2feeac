// An executor as one JavaScript environment sees it.
#pragma once

#include <node_api.h>

#include <memory>
#include <mutex>

#include "executor.h"

namespace keyferry {

// Wakes the event loop for finished jobs. The threads may outlive the environment's own functions by a moment: after
// that they wake nobody.
struct Waker {
  std::mutex mutex;
  napi_threadsafe_function function = nullptr;

  void wake();
};

class ExecutorHost {
 public:
  ExecutorHost(napi_env env, std::shared_ptr<Module> module, CK_SLOT_ID slot, ExecutorLimits limits);
  ~ExecutorHost();
  ExecutorHost(const ExecutorHost&) = delete;
  ExecutorHost& operator=(const ExecutorHost&) = delete;

  // Opens the sessions; `on_drain` is called with results of one epoch, their number, the state, why sessions were lost and the epoch.
  CK_RV start(napi_value on_drain);
  uint32_t submit(const uint8_t* programs, size_t length, uint32_t count);
  void close();
  // Jobs that run keep the process alive no longer.
  void leave();
  Executor& executor() { return executor_; }

 private:
  static void on_wake(napi_env env, napi_value on_drain, void* context, void* data);
  static void on_function_gone(napi_env env, void* data, void* context);
  static void on_environment_end(void* host);
  void drain(napi_env env, napi_value on_drain);
  // False where JavaScript takes nothing any more.
  bool tell(napi_env env, napi_value on_drain, SlotList& slots, uint32_t epoch, const Drained& drained);

  const napi_env env_;
  const std::shared_ptr<Waker> waker_;
  Executor executor_;
  uint32_t outstanding_ = 0;
  bool open_ = false;
};

}  // namespace keyferry
