#include "mechanism.h"

namespace keyferry {
namespace {

struct Octets {
  CK_BYTE_PTR octets;
  CK_ULONG length;
};

// PKCS#11 wants pointers to what it does not write through non-const ones.
Octets read_octets(Reader& reader) {
  uint32_t length = 0;
  const uint8_t* octets = reader.octets(length);
  return {const_cast<CK_BYTE_PTR>(octets), length};
}

// Octets that may be absent: a null pointer then.
Octets read_optional(Reader& reader) {
  if (reader.word() == 0) return {nullptr, 0};
  return read_octets(reader);
}

template <typename T>
T* parameter_of(Arena& arena, CK_MECHANISM& mechanism) {
  T* parameter = arena.take_array<T>(1);
  if (parameter != nullptr) *parameter = T{};
  mechanism.pParameter = parameter;
  mechanism.ulParameterLen = sizeof(T);
  return parameter;
}

bool read_gcm(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* gcm = parameter_of<CK_GCM_PARAMS>(arena, mechanism);
  if (gcm == nullptr) return false;
  gcm->ulTagBits = reader.word();
  const Octets iv = read_octets(reader);
  const Octets aad = read_octets(reader);
  gcm->pIv = iv.octets;
  gcm->ulIvLen = iv.length;
  gcm->ulIvBits = iv.length * 8;
  gcm->pAAD = aad.length == 0 ? nullptr : aad.octets;
  gcm->ulAADLen = aad.length;
  return true;
}

// Memory of its own for the IV: the program's octets may run again, and an IV of another message is none.
bool read_gcm_own_iv(Reader& reader, Arena& arena, CK_MECHANISM& mechanism, CK_BYTE_PTR& own_iv) {
  auto* gcm = parameter_of<CK_GCM_PARAMS>(arena, mechanism);
  if (gcm == nullptr) return false;
  const auto place = static_cast<IvPlace>(reader.word());
  gcm->ulTagBits = reader.word();
  const Octets aad = read_octets(reader);
  gcm->pAAD = aad.length == 0 ? nullptr : aad.octets;
  gcm->ulAADLen = aad.length;
  if (place == IvPlace::kPrepended) return true;
  if (place != IvPlace::kWrittenBack) return false;
  own_iv = arena.take_array<CK_BYTE>(kOwnIvLength);
  gcm->pIv = own_iv;
  gcm->ulIvLen = kOwnIvLength;
  gcm->ulIvBits = kOwnIvLength * 8;
  return own_iv != nullptr;
}

bool read_ecdh1(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* ecdh = parameter_of<CK_ECDH1_DERIVE_PARAMS>(arena, mechanism);
  if (ecdh == nullptr) return false;
  ecdh->kdf = reader.word();
  const Octets shared = read_optional(reader);
  const Octets point = read_octets(reader);
  ecdh->pSharedData = shared.octets;
  ecdh->ulSharedDataLen = shared.length;
  ecdh->pPublicData = point.octets;
  ecdh->ulPublicDataLen = point.length;
  return true;
}

bool read_aes_cbc_encrypt_data(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* cbc = parameter_of<CK_AES_CBC_ENCRYPT_DATA_PARAMS>(arena, mechanism);
  if (cbc == nullptr) return false;
  const Octets iv = read_octets(reader);
  const Octets data = read_octets(reader);
  if (iv.length != sizeof cbc->iv) return false;
  memcpy(cbc->iv, iv.octets, sizeof cbc->iv);
  cbc->pData = data.octets;
  cbc->length = data.length;
  return true;
}

bool read_string_data(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* data = parameter_of<CK_KEY_DERIVATION_STRING_DATA>(arena, mechanism);
  if (data == nullptr) return false;
  const Octets octets = read_octets(reader);
  data->pData = octets.octets;
  data->ulLen = octets.length;
  return true;
}

void set_oaep(CK_RSA_PKCS_OAEP_PARAMS& oaep, CK_ULONG hash, CK_ULONG mgf, Octets label) {
  oaep.hashAlg = hash;
  oaep.mgf = mgf;
  oaep.source = CKZ_DATA_SPECIFIED;
  oaep.pSourceData = label.octets;
  oaep.ulSourceDataLen = label.length;
}

bool read_oaep(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* oaep = parameter_of<CK_RSA_PKCS_OAEP_PARAMS>(arena, mechanism);
  if (oaep == nullptr) return false;
  const uint32_t hash = reader.word();
  const uint32_t mgf = reader.word();
  set_oaep(*oaep, hash, mgf, read_optional(reader));
  return true;
}

bool read_pss(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* pss = parameter_of<CK_RSA_PKCS_PSS_PARAMS>(arena, mechanism);
  if (pss == nullptr) return false;
  pss->hashAlg = reader.word();
  pss->mgf = reader.word();
  pss->sLen = reader.word();
  return true;
}

bool read_hkdf(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* hkdf = parameter_of<HkdfParams>(arena, mechanism);
  if (hkdf == nullptr) return false;
  const uint32_t stages = reader.word();
  if (stages > 3) return false;
  hkdf->extract = (stages & 1) != 0 ? CK_TRUE : CK_FALSE;
  hkdf->expand = (stages & 2) != 0 ? CK_TRUE : CK_FALSE;
  hkdf->prf_hash = reader.word();
  const Octets salt = read_optional(reader);
  const Octets info = read_octets(reader);
  hkdf->salt_type = salt.octets == nullptr ? kHkdfSaltNull : kHkdfSaltData;
  hkdf->salt = salt.octets;
  hkdf->salt_length = salt.length;
  hkdf->info = info.octets;
  hkdf->info_length = info.length;
  return true;
}

bool read_sp800_108_counter(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* kdf = parameter_of<Sp800108Params>(arena, mechanism);
  auto* counter = arena.take_array<Sp800108CounterFormat>(1);
  auto* data = arena.take_array<Sp800108DataParam>(2);
  if (kdf == nullptr || counter == nullptr || data == nullptr) return false;
  kdf->prf = reader.word();
  const Octets fixed_input = read_octets(reader);
  *counter = Sp800108CounterFormat{CK_FALSE, 32};
  data[0] = Sp800108DataParam{kSp800108IterationVariable, counter, sizeof *counter};
  data[1] = Sp800108DataParam{kSp800108ByteArray, fixed_input.octets, fixed_input.length};
  kdf->data_params = 2;
  kdf->data = data;
  return true;
}

bool read_rsa_aes_key_wrap(Reader& reader, Arena& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parameter_of<CK_RSA_AES_KEY_WRAP_PARAMS>(arena, mechanism);
  auto* oaep = arena.take_array<CK_RSA_PKCS_OAEP_PARAMS>(1);
  if (wrap == nullptr || oaep == nullptr) return false;
  wrap->ulAESKeyBits = reader.word();
  const uint32_t hash = reader.word();
  const uint32_t mgf = reader.word();
  set_oaep(*oaep, hash, mgf, Octets{nullptr, 0});
  wrap->pOAEPParams = oaep;
  return true;
}

}  // namespace

bool read_mechanism(Reader& reader, Arena& arena, CK_MECHANISM& mechanism, CK_BYTE_PTR& own_iv) {
  own_iv = nullptr;
  mechanism = CK_MECHANISM{reader.word(), nullptr, 0};
  const auto kind = static_cast<ParameterKind>(reader.word());
  bool known = false;
  switch (kind) {
    case ParameterKind::kNone:
      known = true;
      break;
    case ParameterKind::kOctets: {
      const Octets octets = read_octets(reader);
      mechanism.pParameter = octets.octets;
      mechanism.ulParameterLen = octets.length;
      known = true;
      break;
    }
    case ParameterKind::kGcm:
      known = read_gcm(reader, arena, mechanism);
      break;
    case ParameterKind::kEcdh1:
      known = read_ecdh1(reader, arena, mechanism);
      break;
    case ParameterKind::kAesCbcEncryptData:
      known = read_aes_cbc_encrypt_data(reader, arena, mechanism);
      break;
    case ParameterKind::kStringData:
      known = read_string_data(reader, arena, mechanism);
      break;
    case ParameterKind::kOaep:
      known = read_oaep(reader, arena, mechanism);
      break;
    case ParameterKind::kPss:
      known = read_pss(reader, arena, mechanism);
      break;
    case ParameterKind::kHkdf:
      known = read_hkdf(reader, arena, mechanism);
      break;
    case ParameterKind::kSp800108Counter:
      known = read_sp800_108_counter(reader, arena, mechanism);
      break;
    case ParameterKind::kRsaAesKeyWrap:
      known = read_rsa_aes_key_wrap(reader, arena, mechanism);
      break;
    case ParameterKind::kGcmOwnIv:
      known = read_gcm_own_iv(reader, arena, mechanism, own_iv);
      break;
  }
  return known && reader.ok();
}

}  // namespace keyferry
