#include "module_table.h"

#include <dlfcn.h>

#include <map>
#include <mutex>
#include <utility>

namespace keyferry {
namespace {

struct ModuleTable {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Module>> modules;
  uint32_t epochs = 0;
};

ModuleTable& table() {
  // Never destroyed: threads of other environments may still use it while the process ends.
  static ModuleTable* const instance = std::make_unique<ModuleTable>().release();
  return *instance;
}

}  // namespace

Module::Module(std::string path, CK_FUNCTION_LIST_PTR functions) : path_(std::move(path)), functions_(functions) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  // Otherwise a busy thread that shares the lock again and again keeps the one that wants it alone waiting.
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&objects_, &attributes);
  pthread_rwlockattr_destroy(&attributes);
}

Module::~Module() { pthread_rwlock_destroy(&objects_); }

LoadedModule load_module(const std::string& path, bool deep_bind) {
  ModuleTable& modules = table();
  const std::lock_guard<std::mutex> guard(modules.mutex);
  if (const auto known = modules.modules.find(path); known != modules.modules.end()) return {known->second, ""};

  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | (deep_bind ? RTLD_DEEPBIND : 0));
  if (library == nullptr) {
    const char* reason = dlerror();
    return {nullptr, reason == nullptr ? "dlopen failed" : reason};
  }
  const auto get_function_list = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get_function_list == nullptr) {
    dlclose(library);
    return {nullptr, "the library has no C_GetFunctionList"};
  }
  CK_FUNCTION_LIST_PTR functions = nullptr;
  if (get_function_list(&functions) != CKR_OK || functions == nullptr || functions->version.major < 2) {
    dlclose(library);
    return {nullptr, "C_GetFunctionList gave no functions"};
  }
  auto module = std::make_shared<Module>(path, functions);
  modules.modules.emplace(path, module);
  return {std::move(module), ""};
}

uint32_t next_epoch() {
  ModuleTable& modules = table();
  const std::lock_guard<std::mutex> guard(modules.mutex);
  return ++modules.epochs;
}

}  // namespace keyferry
