#include "rsa_aes_unwrap.h"

#include <string.h>

#include "module.h"

namespace keyferry_shim {

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

}  // namespace keyferry_shim
