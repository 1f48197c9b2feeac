#include "tampered_mechanism.h"

#include <string.h>

namespace keyferry_shim {
namespace {

constexpr CK_MECHANISM_TYPE kHkdfDerive = 0x402a;
constexpr CK_MECHANISM_TYPE kSp800108Counter = 0x3ac;

}  // namespace

TamperedMechanism::TamperedMechanism(const CK_MECHANISM& original)
    : mechanism_(original), parameter_(original.ulParameterLen) {
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

void TamperedMechanism::replace(CK_BYTE_PTR& octets, CK_ULONG length) {
  if (octets == nullptr || length == 0) return;
  data_.assign(octets, octets + length);
  data_[length - 1] ^= 1;
  octets = data_.data();
}

}  // namespace keyferry_shim
