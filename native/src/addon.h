// What one JavaScript environment (a thread of Node) holds of the addon.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <map>
#include <memory>
#include <vector>

#include "executor.h"

namespace keyferry {

class ExecutorHost;

struct Addon {
  std::vector<std::shared_ptr<Module>> modules;  // a module's number is its place here
  std::map<uint32_t, std::unique_ptr<ExecutorHost>> executors;
  uint32_t executors_made = 0;

  static Addon* of(const Napi::CallbackInfo& info) { return info.Env().GetInstanceData<Addon>(); }
};

// The module that argument `at` numbers; null after throwing.
std::shared_ptr<Module> module_argument(const Napi::CallbackInfo& info, size_t at);
// An unsigned 64-bit argument; false after throwing.
bool handle_argument(const Napi::CallbackInfo& info, size_t at, uint64_t& value);
// Throws a TypeError: only this project's own TypeScript calls the addon, so a wrong argument is its bug.
Napi::Value wrong_argument(const Napi::CallbackInfo& info);
// {call, rv}
Napi::Object call_result(Napi::Env env, const char* call, CK_RV rv);

// A function of the addon, and its name in JavaScript.
struct ExportedFunction {
  const char* name;
  Napi::Value (*function)(const Napi::CallbackInfo& info);
};
void export_functions(Napi::Env env, Napi::Object exports, std::initializer_list<ExportedFunction> functions);
void export_sessions(Napi::Env env, Napi::Object exports);
void export_executor(Napi::Env env, Napi::Object exports);
void export_material(Napi::Env env, Napi::Object exports);

}  // namespace keyferry
