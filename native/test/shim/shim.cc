// A PKCS#11 library in front of another one, for tests: passes every call on, counts it, and makes the faults that the
// rules say. KEYFERRY_SHIM_MODULE names the library behind it. A copy of this file is an instance of its own.
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <vector>

#include "call_arguments.h"
#include "module.h"
#include "own_iv.h"
#include "rsa_aes_unwrap.h"
#include "rules.h"
#include "tampered_mechanism.h"

namespace keyferry_shim {

CK_FUNCTION_LIST_PTR module_functions = nullptr;

namespace {

CK_FUNCTION_LIST shim_functions;
Rules rules;
// Shared by the calls that are in the module, so that sessions are closed between calls and never under one.
std::shared_mutex calls_in_module;
constexpr CK_SLOT_ID kNoSlot = ~CK_SLOT_ID{0};
std::atomic<CK_SLOT_ID> last_slot{kNoSlot};

void close_sessions() {
  const std::unique_lock<std::shared_mutex> alone(calls_in_module);
  const CK_SLOT_ID slot = last_slot;
  if (slot != kNoSlot) module_functions->C_CloseAllSessions(slot);
}

// The base point of P-384. Source: NIST SP 800-186 section 3.2.1.4
constexpr CK_BYTE kBasePoint[] = {
    0x04, 0xaa, 0x87, 0xca, 0x22, 0xbe, 0x8b, 0x05, 0x37, 0x8e, 0xb1, 0xc7, 0x1e, 0xf3, 0x20, 0xad, 0x74,
    0x6e, 0x1d, 0x3b, 0x62, 0x8b, 0xa7, 0x9b, 0x98, 0x59, 0xf7, 0x41, 0xe0, 0x82, 0x54, 0x2a, 0x38,
    0x55, 0x02, 0xf2, 0x5d, 0xbf, 0x55, 0x29, 0x6c, 0x3a, 0x54, 0x5e, 0x38, 0x72, 0x76, 0x0a, 0xb7,
    0x36, 0x17, 0xde, 0x4a, 0x96, 0x26, 0x2c, 0x6f, 0x5d, 0x9e, 0x98, 0xbf, 0x92, 0x92, 0xdc, 0x29,
    0xf8, 0xf4, 0x1d, 0xbd, 0x28, 0x9a, 0x14, 0x7c, 0xe9, 0xda, 0x31, 0x13, 0xb5, 0xf0, 0xb8, 0xc0,
    0x0a, 0x60, 0xb1, 0xce, 0x1d, 0x7e, 0x81, 0x9d, 0x7a, 0x43, 0x1d, 0x7c, 0x90, 0xea, 0x0e, 0x5f};

// Attribute by attribute, up to the first that the module refuses.
CK_RV read_until_refused(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attributes,
                         CK_ULONG count) {
  CK_RV rv = CKR_OK;
  for (CK_ULONG i = 0; i < count && rv == CKR_OK; ++i) {
    rv = module_functions->C_GetAttributeValue(session, object, attributes + i, 1);
  }
  return rv;
}

template <typename Function, Function CK_FUNCTION_LIST::*kMember, const char* kName>
struct Passed;

template <typename... Arguments, CK_RV (*CK_FUNCTION_LIST::*kMember)(Arguments...), const char* kName>
struct Passed<CK_RV (*)(Arguments...), kMember, kName> {
  using Function = CK_RV (*)(Arguments...);

  static CK_RV call(Arguments... given) {
    CK_MECHANISM_PTR* mechanism = mechanism_in(given...);
    const bool has_mechanism = mechanism != nullptr && *mechanism != nullptr;
    const CK_MECHANISM_TYPE type = has_mechanism ? (*mechanism)->mechanism : Rules::kNoMechanism;
    rules.count(kName, type);
    const Faults faults = rules.apply(kName, type);
    if (faults.answers) return faults.rv;
    if (faults.closes_sessions) close_sessions();
    const std::shared_lock<std::shared_mutex> with_others(calls_in_module);
    if constexpr (std::is_same_v<Function, CK_C_OpenSession>) last_slot = std::get<0>(std::tuple(given...));

    std::unique_ptr<TamperedMechanism> tampered;
    if (faults.flip && has_mechanism && strcmp(kName, "C_DeriveKey") == 0) {
      tampered = std::make_unique<TamperedMechanism>(**mechanism);
      *mechanism = tampered->get();
    }
    CK_MECHANISM other{};
    CK_ECDH1_DERIVE_PARAMS ecdh{};
    if (has_mechanism && faults.mechanism != Rules::kNoMechanism) {
      other = **mechanism;
      other.mechanism = faults.mechanism;
      *mechanism = &other;
    }
    if (has_mechanism && faults.any_point && type == CKM_ECDH1_DERIVE &&
        (*mechanism)->ulParameterLen == sizeof ecdh) {
      other = **mechanism;
      memcpy(&ecdh, other.pParameter, sizeof ecdh);
      ecdh.pPublicData = const_cast<CK_BYTE_PTR>(kBasePoint);
      ecdh.ulPublicDataLen = sizeof kBasePoint;
      other.pParameter = &ecdh;
      *mechanism = &other;
    }
    std::tuple<Arguments...> arguments(given...);
    std::vector<CK_BYTE> copy;
    if (!faults.refusals.empty()) {
      const CK_RV refusal = refusal_of<sizeof...(Arguments) - 1>(arguments, faults.refusals);
      if (refusal != CKR_OK) return refusal;
    }
    TamperedTemplate tampered_template(kName);
    if (!faults.attributes.empty()) {
      change_template<sizeof...(Arguments) - 1>(arguments, tampered_template, faults.attributes);
    }
    if (faults.room_ends) {
      std::tuple<Arguments...> discarded(arguments);
      if (lacks_room(arguments, faults.room)) {
        std::vector<CK_BYTE> output(faults.room);
        CK_ULONG length = output.size();
        set_output(discarded, output.data(), &length);
        std::apply(module_functions->*kMember, discarded);
        return CKR_BUFFER_TOO_SMALL;
      }
    } else if (faults.room > 0 && lacks_room(arguments, faults.room)) {
      return CKR_BUFFER_TOO_SMALL;
    }
    if constexpr (std::is_same_v<Function, CK_C_UnwrapKey>) {
      if (type == CKM_RSA_AES_KEY_WRAP && faults.rsa_aes != Rules::kNoMechanism) {
        return std::apply(unwrap_rsa_aes, std::tuple_cat(arguments, std::tuple(faults.rsa_aes)));
      }
    }
    if (faults.flip) flip_input<Function>(arguments, copy);
    OwnIv own_iv;
    if constexpr (std::is_same_v<Function, CK_C_EncryptInit>) {
      const bool is_gcm = faults.makes_iv && strcmp(kName, "C_EncryptInit") == 0 &&
                          (*mechanism)->ulParameterLen == sizeof own_iv.gcm && (*mechanism)->pParameter != nullptr;
      if (is_gcm) make_iv(std::get<0>(arguments), std::get<1>(arguments), faults.own_iv, own_iv);
    }
    CK_RV rv;
    if constexpr (std::is_same_v<Function, CK_C_Encrypt>) {
      rv = std::apply(strcmp(kName, "C_Encrypt") == 0 ? encrypt_behind_iv : module_functions->*kMember, arguments);
    } else if constexpr (std::is_same_v<Function, CK_C_GetAttributeValue>) {
      rv = std::apply(faults.stops_early ? read_until_refused : module_functions->*kMember, arguments);
    } else {
      rv = std::apply(module_functions->*kMember, arguments);
    }
    if (faults.flip && rv == CKR_OK) flip_output<Function>(kName, arguments);
    if (faults.kill_after) kill(getpid(), SIGKILL);
    if (faults.lies) rv = faults.rv;
    return rv;
  }
};

CK_RV get_function_list(CK_FUNCTION_LIST_PTR_PTR functions) {
  *functions = &shim_functions;
  return CKR_OK;
}

CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count) {
  constexpr const char* kName = "C_GetMechanismList";
  rules.count(kName, Rules::kNoMechanism);
  const Faults faults = rules.apply(kName, Rules::kNoMechanism);
  if (faults.answers) return faults.rv;
  CK_ULONG all = 0;
  CK_RV rv = module_functions->C_GetMechanismList(slot, nullptr, &all);
  std::vector<CK_MECHANISM_TYPE> types(all);
  if (rv == CKR_OK) rv = module_functions->C_GetMechanismList(slot, types.data(), &all);
  if (rv != CKR_OK) return rv;
  types.resize(all);
  std::erase_if(types, [](CK_MECHANISM_TYPE type) { return rules.hides(kName, type); });
  for (const CK_MECHANISM_TYPE type : rules.listed()) types.push_back(type);
  const CK_ULONG room = *count;
  *count = types.size();
  if (list != nullptr && room < types.size()) return CKR_BUFFER_TOO_SMALL;
  if (list != nullptr) memcpy(list, types.data(), types.size() * sizeof types[0]);
  return faults.lies ? faults.rv : CKR_OK;
}

CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info) {
  constexpr const char* kName = "C_GetMechanismInfo";
  rules.count(kName, type);
  const Faults faults = rules.apply(kName, type);
  if (faults.answers) return faults.rv;
  for (const CK_MECHANISM_TYPE listed : rules.listed()) {
    if (listed != type) continue;
    *info = CK_MECHANISM_INFO{0, 0, CKF_WRAP | CKF_UNWRAP};
    return CKR_OK;
  }
  const CK_RV rv = module_functions->C_GetMechanismInfo(slot, type, info);
  return faults.lies ? faults.rv : rv;
}

#define CK_PKCS11_FUNCTION_INFO(name) constexpr char k##name[] = #name;
#include "pkcs11f.h"
#undef CK_PKCS11_FUNCTION_INFO

CK_RV load() {
  const char* path = getenv("KEYFERRY_SHIM_MODULE");
  if (path == nullptr) {
    fprintf(stderr, "keyferry shim: KEYFERRY_SHIM_MODULE names no module\n");
    return CKR_GENERAL_ERROR;
  }
  const char* deep_binding = getenv("KEYFERRY_DEEPBIND");
  const bool deep = deep_binding == nullptr || strcmp(deep_binding, "off") != 0;
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL | (deep ? RTLD_DEEPBIND : 0));
  const auto get =
      library == nullptr ? nullptr : reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr || get(&module_functions) != CKR_OK) {
    fprintf(stderr, "keyferry shim: %s is no PKCS#11 module\n", path);
    return CKR_GENERAL_ERROR;
  }
  shim_functions.version = module_functions->version;
#define CK_PKCS11_FUNCTION_INFO(name) \
  shim_functions.name = Passed<decltype(CK_FUNCTION_LIST::name), &CK_FUNCTION_LIST::name, k##name>::call;
#include "pkcs11f.h"
#undef CK_PKCS11_FUNCTION_INFO
  shim_functions.C_GetFunctionList = get_function_list;
  shim_functions.C_GetMechanismList = get_mechanism_list;
  shim_functions.C_GetMechanismInfo = get_mechanism_info;
  return CKR_OK;
}

}  // namespace
}  // namespace keyferry_shim

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR functions) {
  static const CK_RV loaded = keyferry_shim::load();
  if (loaded != CKR_OK) return loaded;
  return keyferry_shim::get_function_list(functions);
}
