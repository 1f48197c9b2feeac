// A PKCS#11 library in front of another one, for tests: passes every call on, counts it, and makes the faults that the
// rules say. KEYFERRY_SHIM_MODULE names the library behind it. A copy of this file is an instance of its own.
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <type_traits>
#include <vector>

#include "rules.h"

namespace keyferry_shim {
namespace {

CK_FUNCTION_LIST_PTR module_functions = nullptr;
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

// The mechanism among a call's arguments, if there is one.
CK_MECHANISM_PTR* mechanism_in() { return nullptr; }
template <typename First, typename... Rest>
CK_MECHANISM_PTR* mechanism_in(First& first, Rest&... rest) {
  if constexpr (std::is_same_v<First, CK_MECHANISM_PTR>) {
    return &first;
  } else {
    return mechanism_in(rest...);
  }
}

// A mechanism whose parameter's data differs by one bit from another's, in memory of its own.
class TamperedMechanism {
 public:
  explicit TamperedMechanism(const CK_MECHANISM& original) : mechanism_(original), parameter_(original.ulParameterLen) {
    if (parameter_.empty() || original.pParameter == nullptr) return;
    memcpy(parameter_.data(), original.pParameter, parameter_.size());
    mechanism_.pParameter = parameter_.data();
    switch (original.mechanism) {
      case CKM_AES_CBC_ENCRYPT_DATA: {
        auto* cbc = as<CK_AES_CBC_ENCRYPT_DATA_PARAMS>();
        if (cbc != nullptr) replace(cbc->pData, cbc->length);
        break;
      }
      case CKM_AES_ECB_ENCRYPT_DATA: {
        auto* data = as<CK_KEY_DERIVATION_STRING_DATA>();
        if (data != nullptr) replace(data->pData, data->ulLen);
        break;
      }
      case CKM_ECDH1_DERIVE:
      case CKM_ECDH1_COFACTOR_DERIVE: {
        auto* ecdh = as<CK_ECDH1_DERIVE_PARAMS>();
        if (ecdh == nullptr) break;
        if (ecdh->ulSharedDataLen > 0) {
          replace(ecdh->pSharedData, ecdh->ulSharedDataLen);
        } else {
          replace(ecdh->pPublicData, ecdh->ulPublicDataLen);
        }
        break;
      }
      case kHkdfDerive: {
        auto* hkdf = as<keyferry::HkdfParams>();
        if (hkdf == nullptr) break;
        if (hkdf->info_length > 0) {
          replace(hkdf->info, hkdf->info_length);
        } else {
          replace(hkdf->salt, hkdf->salt_length);
        }
        break;
      }
      case kSp800108Counter: {
        auto* kdf = as<keyferry::Sp800108Params>();
        if (kdf == nullptr || kdf->data_params == 0) break;
        data_params_.assign(kdf->data, kdf->data + kdf->data_params);
        kdf->data = data_params_.data();
        auto& last = data_params_.back();
        auto* value = static_cast<CK_BYTE_PTR>(last.value);
        replace(value, last.value_length);
        last.value = value;
        break;
      }
      default:
        parameter_[0] ^= 1;
    }
  }
  CK_MECHANISM_PTR get() { return &mechanism_; }

 private:
  static constexpr CK_MECHANISM_TYPE kHkdfDerive = 0x402a;
  static constexpr CK_MECHANISM_TYPE kSp800108Counter = 0x3ac;

  template <typename T>
  T* as() {
    return parameter_.size() == sizeof(T) ? reinterpret_cast<T*>(parameter_.data()) : nullptr;
  }
  void replace(CK_BYTE_PTR& octets, CK_ULONG length) {
    if (octets == nullptr || length == 0) return;
    data_.assign(octets, octets + length);
    data_[length - 1] ^= 1;
    octets = data_.data();
  }

  CK_MECHANISM mechanism_;
  std::vector<CK_BYTE> parameter_;
  std::vector<CK_BYTE> data_;
  std::vector<keyferry::Sp800108DataParam> data_params_;
};

// A template with attributes that a call did not ask for, in memory of its own.
class TamperedTemplate {
 public:
  void change(CK_ATTRIBUTE_PTR& attributes, CK_ULONG& count, const std::vector<AttributeChange>& changes) {
    if (attributes != nullptr) attributes_.assign(attributes, attributes + count);
    for (const AttributeChange& change : changes) {
      const bool was_given =
          std::erase_if(attributes_, [&](const CK_ATTRIBUTE& given) { return given.type == change.type; }) > 0;
      // C_SetAttributeValue and C_CopyObject are for what is asked for, and nothing else.
      if (change.action == Action::kForget || (!adds_ && !was_given)) continue;
      CK_BBOOL* value = change.action == Action::kTrue ? &true_ : &false_;
      attributes_.push_back({change.type, value, sizeof *value});
    }
    attributes = attributes_.data();
    count = attributes_.size();
  }
  explicit TamperedTemplate(const char* function)
      : adds_(strcmp(function, "C_SetAttributeValue") != 0 && strcmp(function, "C_CopyObject") != 0) {}

 private:
  bool adds_;
  CK_BBOOL true_ = CK_TRUE;
  CK_BBOOL false_ = CK_FALSE;
  std::vector<CK_ATTRIBUTE> attributes_;
};

// Changes the last template among a call's arguments: of a pair, that of the private half.
template <size_t kAt, typename Arguments>
void change_template(Arguments& arguments, TamperedTemplate& tampered, const std::vector<AttributeChange>& changes) {
  if constexpr (kAt > 0) {
    using First = std::tuple_element_t<kAt - 1, Arguments>;
    using Second = std::tuple_element_t<kAt, Arguments>;
    if constexpr (std::is_same_v<First, CK_ATTRIBUTE_PTR> && std::is_same_v<Second, CK_ULONG>) {
      tampered.change(std::get<kAt - 1>(arguments), std::get<kAt>(arguments), changes);
    } else {
      change_template<kAt - 1>(arguments, tampered, changes);
    }
  }
}

// What a module says to the last template among a call's arguments that has what it forbids, or lacks what it needs.
template <size_t kAt, typename Arguments>
CK_RV refusal_of(const Arguments& arguments, const std::vector<AttributeChange>& refusals) {
  if constexpr (kAt > 0) {
    using First = std::tuple_element_t<kAt - 1, Arguments>;
    using Second = std::tuple_element_t<kAt, Arguments>;
    if constexpr (std::is_same_v<First, CK_ATTRIBUTE_PTR> && std::is_same_v<Second, CK_ULONG>) {
      const CK_ATTRIBUTE* given = std::get<kAt - 1>(arguments);
      const CK_ATTRIBUTE* end = given + std::get<kAt>(arguments);
      for (const AttributeChange& refusal : refusals) {
        const bool has =
            std::any_of(given, end, [&](const CK_ATTRIBUTE& attribute) { return attribute.type == refusal.type; });
        if (has && refusal.action == Action::kForbid) return CKR_TEMPLATE_INCONSISTENT;
        if (!has && refusal.action == Action::kNeed) return CKR_TEMPLATE_INCOMPLETE;
      }
    } else {
      return refusal_of<kAt - 1>(arguments, refusals);
    }
  }
  return CKR_OK;
}

// The base point of P-384. Source: NIST SP 800-186 section 3.2.1.4
constexpr CK_BYTE kBasePoint[] = {
    0x04, 0xaa, 0x87, 0xca, 0x22, 0xbe, 0x8b, 0x05, 0x37, 0x8e, 0xb1, 0xc7, 0x1e, 0xf3, 0x20, 0xad, 0x74,
    0x6e, 0x1d, 0x3b, 0x62, 0x8b, 0xa7, 0x9b, 0x98, 0x59, 0xf7, 0x41, 0xe0, 0x82, 0x54, 0x2a, 0x38,
    0x55, 0x02, 0xf2, 0x5d, 0xbf, 0x55, 0x29, 0x6c, 0x3a, 0x54, 0x5e, 0x38, 0x72, 0x76, 0x0a, 0xb7,
    0x36, 0x17, 0xde, 0x4a, 0x96, 0x26, 0x2c, 0x6f, 0x5d, 0x9e, 0x98, 0xbf, 0x92, 0x92, 0xdc, 0x29,
    0xf8, 0xf4, 0x1d, 0xbd, 0x28, 0x9a, 0x14, 0x7c, 0xe9, 0xda, 0x31, 0x13, 0xb5, 0xf0, 0xb8, 0xc0,
    0x0a, 0x60, 0xb1, 0xce, 0x1d, 0x7e, 0x81, 0x9d, 0x7a, 0x43, 0x1d, 0x7c, 0x90, 0xea, 0x0e, 0x5f};

// Flips a bit of what a function has put out.
template <typename Function, typename Arguments>
void flip_output(const char* name, Arguments& arguments) {
  constexpr size_t kCount = std::tuple_size_v<Arguments>;
  if constexpr (std::is_same_v<Function, CK_C_GetAttributeValue>) {
    CK_ATTRIBUTE_PTR attribute = std::get<2>(arguments);
    const bool has_value = attribute->pValue != nullptr && attribute->ulValueLen != CK_UNAVAILABLE_INFORMATION;
    if (has_value && attribute->ulValueLen > 0) {
      static_cast<CK_BYTE_PTR>(attribute->pValue)[attribute->ulValueLen - 1] ^= 1;
    }
  } else if constexpr (std::is_same_v<Function, CK_C_GenerateRandom>) {
    if (strcmp(name, "C_GenerateRandom") == 0 && std::get<2>(arguments) > 0) std::get<1>(arguments)[0] ^= 1;
  } else if constexpr (kCount >= 2) {
    using Octets = std::tuple_element_t<kCount - 2, Arguments>;
    using Length = std::tuple_element_t<kCount - 1, Arguments>;
    if constexpr (std::is_same_v<Octets, CK_BYTE_PTR> && std::is_same_v<Length, CK_ULONG_PTR>) {
      CK_BYTE_PTR out = std::get<kCount - 2>(arguments);
      CK_ULONG_PTR length = std::get<kCount - 1>(arguments);
      if (out != nullptr && *length > 0) out[*length - 1] ^= 1;
    }
  }
}

// Whether a call has less room for its output than `octets`; tells it then how much it takes.
template <typename Arguments>
bool lacks_room(Arguments& arguments, CK_ULONG octets) {
  constexpr size_t kCount = std::tuple_size_v<Arguments>;
  if constexpr (kCount >= 2) {
    using Octets = std::tuple_element_t<kCount - 2, Arguments>;
    using Length = std::tuple_element_t<kCount - 1, Arguments>;
    if constexpr (std::is_same_v<Octets, CK_BYTE_PTR> && std::is_same_v<Length, CK_ULONG_PTR>) {
      CK_ULONG_PTR length = std::get<kCount - 1>(arguments);
      if (*length >= octets) return false;
      *length = octets;
      return true;
    }
  }
  return false;
}

// Gives a call another place for its output.
template <typename Arguments>
void set_output(Arguments& arguments, CK_BYTE_PTR octets, CK_ULONG_PTR length) {
  constexpr size_t kCount = std::tuple_size_v<Arguments>;
  if constexpr (kCount >= 2) {
    using Octets = std::tuple_element_t<kCount - 2, Arguments>;
    using Length = std::tuple_element_t<kCount - 1, Arguments>;
    if constexpr (std::is_same_v<Octets, CK_BYTE_PTR> && std::is_same_v<Length, CK_ULONG_PTR>) {
      std::get<kCount - 2>(arguments) = octets;
      std::get<kCount - 1>(arguments) = length;
    }
  }
}

// Flips a bit of what a function is given, where what it makes cannot be touched.
template <typename Function, typename Arguments>
void flip_input(Arguments& arguments, std::vector<CK_BYTE>& copy) {
  const auto replace = [&copy](CK_BYTE_PTR& octets, CK_ULONG length) {
    if (octets == nullptr || length == 0) return;
    copy.assign(octets, octets + length);
    copy[length - 1] ^= 1;
    octets = copy.data();
  };
  if constexpr (std::is_same_v<Function, CK_C_UnwrapKey>) replace(std::get<3>(arguments), std::get<4>(arguments));
  if constexpr (std::is_same_v<Function, CK_C_Verify>) replace(std::get<3>(arguments), std::get<4>(arguments));
}

// CKM_RSA_AES_KEY_WRAP (PKCS #11 v2.40 current mechanisms, 2.1.21) in two calls of the module.
CK_RV unwrap_rsa_aes(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped,
                     CK_ULONG wrapped_length, CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR result,
                     CK_MECHANISM_TYPE key_wrap_pad) {
  CK_RSA_AES_KEY_WRAP_PARAMS parameter{};
  if (mechanism->ulParameterLen != sizeof parameter) return CKR_MECHANISM_PARAM_INVALID;
  memcpy(&parameter, mechanism->pParameter, sizeof parameter);
  if (parameter.ulAESKeyBits != 256 || parameter.pOAEPParams == nullptr) return CKR_MECHANISM_PARAM_INVALID;
  CK_ATTRIBUTE modulus{CKA_MODULUS, nullptr, 0};
  CK_RV rv = module_functions->C_GetAttributeValue(session, key, &modulus, 1);
  if (rv != CKR_OK) return rv;
  const CK_ULONG first = modulus.ulValueLen;
  if (wrapped_length <= first) return CKR_WRAPPED_KEY_LEN_RANGE;
  CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
  CK_KEY_TYPE aes = CKK_AES;
  CK_BBOOL yes = CK_TRUE;
  CK_BBOOL no = CK_FALSE;
  CK_ATTRIBUTE ephemeral[] = {{CKA_CLASS, &secret, sizeof secret},
                              {CKA_KEY_TYPE, &aes, sizeof aes},
                              {CKA_TOKEN, &no, sizeof no},
                              {CKA_UNWRAP, &yes, sizeof yes}};
  CK_MECHANISM oaep{CKM_RSA_PKCS_OAEP, parameter.pOAEPParams, sizeof *parameter.pOAEPParams};
  CK_OBJECT_HANDLE wrapping = 0;
  rv = module_functions->C_UnwrapKey(session, &oaep, key, wrapped, first, ephemeral, 4, &wrapping);
  if (rv != CKR_OK) return rv;
  CK_MECHANISM pad{key_wrap_pad, nullptr, 0};
  rv = module_functions->C_UnwrapKey(session, &pad, wrapping, wrapped + first, wrapped_length - first, attributes, count,
                                     result);
  module_functions->C_DestroyObject(session, wrapping);
  return rv;
}

// The IVs that go before the ciphertexts of the encryptions under way, by session.
std::mutex fronts_mutex;
std::map<CK_SESSION_HANDLE, std::array<CK_BYTE, 12>> fronts;

// Begins an encryption with an IV of the token's own; as a token does, before the call and in memory of the caller.
template <typename Arguments>
void make_iv(Arguments& arguments, Action how, CK_MECHANISM& mechanism, CK_GCM_PARAMS& gcm,
             std::array<CK_BYTE, 12>& iv) {
  const CK_SESSION_HANDLE session = std::get<0>(arguments);
  CK_MECHANISM_PTR given = std::get<1>(arguments);
  iv.fill(0);
  if (how != Action::kIvZero && getrandom(iv.data(), iv.size(), 0) != static_cast<ssize_t>(iv.size())) _exit(97);
  mechanism = *given;
  memcpy(&gcm, given->pParameter, sizeof gcm);
  if (how == Action::kIvFront) {
    const std::lock_guard<std::mutex> guard(fronts_mutex);
    fronts[session] = iv;
  } else if (gcm.pIv != nullptr && gcm.ulIvLen >= iv.size()) {
    memcpy(gcm.pIv, iv.data(), iv.size());
  }
  gcm.pIv = iv.data();
  gcm.ulIvLen = iv.size();
  gcm.ulIvBits = iv.size() * 8;
  mechanism.pParameter = &gcm;
  std::get<1>(arguments) = &mechanism;
}

// C_Encrypt of an encryption that was begun so: the module writes behind the IV.
CK_RV encrypt_behind_iv(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_length, CK_BYTE_PTR out,
                        CK_ULONG_PTR length) {
  std::array<CK_BYTE, 12> iv;
  {
    const std::lock_guard<std::mutex> guard(fronts_mutex);
    const auto found = fronts.find(session);
    if (found == fronts.end()) return module_functions->C_Encrypt(session, data, data_length, out, length);
    iv = found->second;
  }
  const bool has_room = out != nullptr && *length > iv.size();
  CK_ULONG behind = has_room ? *length - iv.size() : 0;
  const CK_RV rv = module_functions->C_Encrypt(session, data, data_length, has_room ? out + iv.size() : nullptr, &behind);
  *length = behind + iv.size();
  if (rv == CKR_OK && has_room) memcpy(out, iv.data(), iv.size());
  if (rv != CKR_BUFFER_TOO_SMALL && (rv != CKR_OK || has_room)) {
    const std::lock_guard<std::mutex> guard(fronts_mutex);
    fronts.erase(session);
  }
  return rv == CKR_OK && !has_room && out != nullptr ? CKR_BUFFER_TOO_SMALL : rv;
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
    CK_GCM_PARAMS gcm{};
    std::array<CK_BYTE, 12> iv{};
    if constexpr (std::is_same_v<Function, CK_C_EncryptInit>) {
      const bool is_gcm = faults.makes_iv && strcmp(kName, "C_EncryptInit") == 0 &&
                          (*mechanism)->ulParameterLen == sizeof gcm && (*mechanism)->pParameter != nullptr;
      if (is_gcm) make_iv(arguments, faults.own_iv, other, gcm, iv);
    }
    CK_RV rv;
    if constexpr (std::is_same_v<Function, CK_C_Encrypt>) {
      rv = std::apply(strcmp(kName, "C_Encrypt") == 0 ? encrypt_behind_iv : module_functions->*kMember, arguments);
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
