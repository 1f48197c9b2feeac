// A customer's key material, as JavaScript sees it: a handle, facts, and what wrapping made of it.
#include "addon.h"
#include "material.h"

namespace keyferry {
namespace {

constexpr napi_type_tag kMaterialTag = {0x6b6579666572ull, 0x6d6174657269616cull};

struct ReadWork {
  std::string path;
  Material material;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
};

void read_in_background(napi_env, void* data) {
  auto* work = static_cast<ReadWork*>(data);
  work->material = read_material(work->path);
}

void wipe_material(napi_env, void* material, void*) {
  const std::unique_ptr<Material> owned(static_cast<Material*>(material));
}

Napi::Value octets_value(Napi::Env env, Span span) {
  return Napi::Buffer<uint8_t>::Copy(env, span.octets, span.length);
}

Napi::Object facts_value(Napi::Env env, Material& material) {
  const MaterialFacts facts = describe_material(Span{material.octets.data(), material.octets.size()});
  Napi::Object result = Napi::Object::New(env);
  result.Set("octets", static_cast<double>(material.octets.size()));
  result.Set("isLocked", material.octets.locked());
  result.Set("form", facts.form);
  result.Set("algorithm", octets_value(env, facts.algorithm));
  result.Set("parameters", octets_value(env, facts.parameters));
  result.Set("modulusBits", static_cast<double>(facts.modulus_bits));
  result.Set("hasMorePrimes", facts.more_primes);
  result.Set("hasTrailingOctets", facts.trailing);
  return result;
}

void settle(napi_env raw_env, napi_status, void* data) {
  const std::unique_ptr<ReadWork> work(static_cast<ReadWork*>(data));
  const Napi::Env env(raw_env);
  const Napi::HandleScope scope(env);
  Napi::Object result = Napi::Object::New(env);
  if (!work->material.refusal.empty()) {
    result.Set("refusal", work->material.refusal);
  } else {
    auto material = std::make_unique<Material>(std::move(work->material));
    result.Set("facts", facts_value(env, *material));
    const Napi::Object handle = Napi::Object::New(env);
    if (napi_type_tag_object(env, handle, &kMaterialTag) == napi_ok &&
        napi_wrap(env, handle, material.get(), wipe_material, nullptr, nullptr) == napi_ok) {
      material.release();  // wipe_material() takes it back
    }
    result.Set("handle", handle);
  }
  napi_resolve_deferred(env, work->deferred, result);
  napi_delete_async_work(env, work->work);
}

// The material behind a handle; null after throwing.
Material* material_argument(const Napi::CallbackInfo& info, size_t at) {
  if (info.Length() > at && info[at].IsObject()) {
    bool is_ours = false;
    void* material = nullptr;
    if (napi_check_object_type_tag(info.Env(), info[at], &kMaterialTag, &is_ours) == napi_ok && is_ours &&
        napi_unwrap(info.Env(), info[at], &material) == napi_ok) {
      return static_cast<Material*>(material);
    }
  }
  wrong_argument(info);
  return nullptr;
}

Napi::Value read(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsString()) return wrong_argument(info);
  auto work = std::make_unique<ReadWork>();
  work->path = info[0].As<Napi::String>().Utf8Value();
  const napi_env env = info.Env();
  napi_value promise = nullptr;
  napi_value name = Napi::String::New(env, "keyferry material");
  if (napi_create_promise(env, &work->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, nullptr, name, read_in_background, settle, work.get(), &work->work) != napi_ok ||
      napi_queue_async_work(env, work->work) != napi_ok) {
    return wrong_argument(info);
  }
  work.release();  // settle() takes it back
  return Napi::Value(env, promise);
}

Napi::Value wrap(const Napi::CallbackInfo& info) {
  Material* material = material_argument(info, 0);
  if (material == nullptr) return Napi::Value();
  if (info.Length() < 4 || !info[1].IsTypedArray() || !info[2].IsNumber() || !info[3].IsBoolean()) {
    return wrong_argument(info);
  }
  const auto key = info[1].As<Napi::Uint8Array>();
  const auto hash = static_cast<DigestKind>(info[2].As<Napi::Number>().Uint32Value());
  if (hash != DigestKind::kSha1 && hash != DigestKind::kSha256) return wrong_argument(info);
  const Wrapped wrapped =
      wrap_material(Span{material->octets.data(), material->octets.size()}, Span{key.Data(), key.ByteLength()}, hash,
                    info[3].As<Napi::Boolean>().Value());
  Napi::Object result = Napi::Object::New(info.Env());
  if (!wrapped.refusal.empty()) {
    result.Set("refusal", wrapped.refusal);
  } else {
    result.Set("wrapped", octets_value(info.Env(), Span{wrapped.octets.data(), wrapped.octets.size()}));
  }
  return result;
}

// Wipes at once what would be wiped when the handle is collected.
Napi::Value forget(const Napi::CallbackInfo& info) {
  Material* material = material_argument(info, 0);
  if (material != nullptr) material->octets = SecretBytes();
  return info.Env().Undefined();
}

}  // namespace

void export_material(Napi::Env env, Napi::Object exports) {
  export_functions(env, exports, {{"readMaterial", read}, {"wrapMaterial", wrap}, {"forgetMaterial", forget}});
}

}  // namespace keyferry
