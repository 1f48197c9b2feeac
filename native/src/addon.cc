#include "addon.h"

#include "dialect.h"
#include "executor_host.h"

namespace keyferry {
namespace {

Napi::Value load(const Napi::CallbackInfo& info) {
  if (info.Length() < 2 || !info[0].IsString() || !info[1].IsBoolean()) return wrong_argument(info);
  LoadedModule loaded = load_module(info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::Boolean>().Value());
  Napi::Object result = Napi::Object::New(info.Env());
  if (loaded.module == nullptr) {
    result.Set("refusal", loaded.refusal);
    return result;
  }
  Addon* addon = Addon::of(info);
  for (size_t i = 0; i < addon->modules.size(); ++i) {
    if (addon->modules[i] == loaded.module) {
      result.Set("module", static_cast<double>(i));
      return result;
    }
  }
  addon->modules.push_back(std::move(loaded.module));
  result.Set("module", static_cast<double>(addon->modules.size() - 1));
  return result;
}

Napi::Value set_dialect(const Napi::CallbackInfo& info) {
  const auto module = module_argument(info, 0);
  if (module == nullptr) return Napi::Value();
  if (info.Length() < 2 || !info[1].IsTypedArray()) return wrong_argument(info);
  const auto given = info[1].As<Napi::Uint8Array>();
  auto dialect = Dialect::read(given.Data(), given.ByteLength());
  if (dialect == nullptr) return wrong_argument(info);
  module->set_dialect(std::move(dialect));
  return info.Env().Undefined();
}

Napi::Value check_program(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsTypedArray()) return wrong_argument(info);
  const auto given = info[0].As<Napi::Uint8Array>();
  WipedBuffer copy;
  uint8_t* octets = copy.reserve(given.ByteLength() + 1);
  if (octets == nullptr) return wrong_argument(info);
  if (given.ByteLength() > 0) memcpy(octets, given.Data(), given.ByteLength());
  Arena arena;
  Program program{};
  const char* refusal = decode_program(octets, given.ByteLength(), arena, program);
  if (refusal == nullptr) return info.Env().Null();
  return Napi::String::New(info.Env(), refusal);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(std::make_unique<Addon>().release());
  export_functions(env, exports, {{"loadModule", load}, {"setDialect", set_dialect}, {"checkProgram", check_program}});
  export_sessions(env, exports);
  export_executor(env, exports);
  export_material(env, exports);
  return exports;
}

}  // namespace

std::shared_ptr<Module> module_argument(const Napi::CallbackInfo& info, size_t at) {
  Addon* addon = Addon::of(info);
  if (info.Length() > at && info[at].IsNumber()) {
    const uint32_t number = info[at].As<Napi::Number>().Uint32Value();
    if (number < addon->modules.size()) return addon->modules[number];
  }
  wrong_argument(info);
  return nullptr;
}

bool handle_argument(const Napi::CallbackInfo& info, size_t at, uint64_t& value) {
  bool lossless = false;
  if (info.Length() > at && info[at].IsBigInt()) value = info[at].As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) wrong_argument(info);
  return lossless;
}

Napi::Value wrong_argument(const Napi::CallbackInfo& info) {
  Napi::TypeError::New(info.Env(), "the native addon was called with arguments that it does not take")
      .ThrowAsJavaScriptException();
  return Napi::Value();
}

Napi::Object call_result(Napi::Env env, const char* call, CK_RV rv) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("call", call);
  result.Set("rv", static_cast<double>(rv));
  return result;
}

void export_functions(Napi::Env env, Napi::Object exports, std::initializer_list<ExportedFunction> functions) {
  for (const auto& [name, function] : functions) exports.Set(name, Napi::Function::New(env, function, name));
}

NODE_API_MODULE(keyferry, initialise)

}  // namespace keyferry
