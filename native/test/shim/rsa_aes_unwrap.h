// A mechanism that the shim lends to the library behind it.
#pragma once

#include "../../src/cryptoki.h"

namespace keyferry_shim {

// CKM_RSA_AES_KEY_WRAP (PKCS #11 v2.40 current mechanisms, 2.1.21) in two calls of the module.
CK_RV unwrap_rsa_aes(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped,
                     CK_ULONG wrapped_length, CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR result,
                     CK_MECHANISM_TYPE key_wrap_pad);

}  // namespace keyferry_shim
