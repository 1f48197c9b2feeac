// The PKCS#11 modules of this process: the only mutable global of the addon.
#pragma once

#include <pthread.h>

#include <atomic>
#include <memory>
#include <string>

#include "cryptoki.h"

namespace keyferry {

class Dialect;

// One loaded library. Loaded once per path and kept for the life of the process: other code of the process may hold
// pointers into it.
class Module {
 public:
  Module(std::string path, CK_FUNCTION_LIST_PTR functions);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const std::string& path() const { return path_; }
  CK_FUNCTION_LIST_PTR functions() const { return functions_; }

  // Null for a module that keeps to the standard. Set before any thread runs jobs.
  const Dialect* dialect() const { return dialect_.get(); }
  void set_dialect(std::shared_ptr<const Dialect> dialect) { dialect_ = std::move(dialect); }

  // Object searches and the making and destroying of token objects hold it exclusively, other calls share it:
  // SoftHSM 2.6.1 gives wrong results otherwise.
  void lock_shared() { pthread_rwlock_rdlock(&objects_); }
  void lock_exclusive() { pthread_rwlock_wrlock(&objects_); }
  void unlock() { pthread_rwlock_unlock(&objects_); }

  // A call that takes seconds and makes session objects at its end does not hold the lock. A search beside it is made again
  // until two agree.
  void begin_slow_call() {
    ++slow_calls_;
    ++slow_calls_begun_;
  }
  void end_slow_call() { --slow_calls_; }
  bool has_slow_call() const { return slow_calls_ > 0; }
  uint32_t slow_calls_begun() const { return slow_calls_begun_; }

 private:
  const std::string path_;
  const CK_FUNCTION_LIST_PTR functions_;
  std::shared_ptr<const Dialect> dialect_;
  pthread_rwlock_t objects_;
  std::atomic<uint32_t> slow_calls_ = 0;
  std::atomic<uint32_t> slow_calls_begun_ = 0;
};

struct LoadedModule {
  std::shared_ptr<Module> module;  // null where it was refused
  std::string refusal;
};

// Opens the library bound to its own dependencies (deep_bind) and asks it for its functions. Not initialised.
LoadedModule load_module(const std::string& path, bool deep_bind);

// An epoch that no other executor of this process has or had: a handle that strays to another one is found out.
uint32_t next_epoch();

}  // namespace keyferry
