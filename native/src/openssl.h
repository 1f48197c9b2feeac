// The OpenSSL that is in this process: Node's own. Looked up by name, so that the addon needs none to be built or loaded.
#pragma once

#include <string>
#include <vector>

#include "digest.h"
#include "pkcs8.h"

namespace keyferry {

class OpenSsl {
 public:
  static const OpenSsl& of_this_process();

  // The first function that is not there; empty where all are.
  const std::string& missing() const { return missing_; }

  // RSAES-OAEP, hash and MGF1 alike, no label; `spki` is DER SubjectPublicKeyInfo of an RSA key.
  bool oaep_encrypt(DigestKind hash, Span spki, Span message, std::vector<uint8_t>& wrapped) const;
  // RFC 5649 with a key of 32 octets.
  bool aes_key_wrap_pad(const uint8_t* key, Span message, std::vector<uint8_t>& wrapped) const;

 private:
  OpenSsl();

  // Pointers to OpenSSL's own structures are opaque here.
  struct Functions {
    void* (*d2i_PUBKEY)(void**, const unsigned char**, long);
    void (*EVP_PKEY_free)(void*);
    void* (*EVP_PKEY_CTX_new)(void*, void*);
    void (*EVP_PKEY_CTX_free)(void*);
    int (*EVP_PKEY_encrypt_init)(void*);
    int (*EVP_PKEY_CTX_set_rsa_padding)(void*, int);
    int (*EVP_PKEY_CTX_set_rsa_oaep_md)(void*, const void*);
    int (*EVP_PKEY_CTX_set_rsa_mgf1_md)(void*, const void*);
    int (*EVP_PKEY_encrypt)(void*, unsigned char*, size_t*, const unsigned char*, size_t);
    const void* (*EVP_sha1)();
    const void* (*EVP_sha256)();
    const void* (*EVP_aes_256_wrap_pad)();
    void* (*EVP_CIPHER_CTX_new)();
    void (*EVP_CIPHER_CTX_free)(void*);
    void (*EVP_CIPHER_CTX_set_flags)(void*, int);
    int (*EVP_EncryptInit_ex)(void*, const void*, void*, const unsigned char*, const unsigned char*);
    int (*EVP_EncryptUpdate)(void*, unsigned char*, int*, const unsigned char*, int);
    int (*EVP_EncryptFinal_ex)(void*, unsigned char*, int*);
    void (*ERR_clear_error)();
  };

  Functions functions_{};
  std::string missing_;
};

}  // namespace keyferry
