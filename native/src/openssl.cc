#include "openssl.h"

#include <dlfcn.h>

#include <memory>

#include "secret_bytes.h"

namespace keyferry {
namespace {

// Constants of OpenSSL 3: rsa.h and evp.h.
constexpr int kRsaPkcs1OaepPadding = 4;
constexpr int kCipherFlagWrapAllow = 1;
constexpr size_t kRsaBytesMax = 1024;
constexpr size_t kKeyWrapOverhead = 16;

template <typename Function>
void look_up(Function& function, const char* name, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  if (function == nullptr && missing.empty()) missing = name;
}

using Owned = std::unique_ptr<void, void (*)(void*)>;

}  // namespace

const OpenSsl& OpenSsl::of_this_process() {
  static const OpenSsl found;
  return found;
}

OpenSsl::OpenSsl() {
#define KEYFERRY_LOOK_UP(name) look_up(functions_.name, #name, missing_)
  KEYFERRY_LOOK_UP(d2i_PUBKEY);
  KEYFERRY_LOOK_UP(EVP_PKEY_free);
  KEYFERRY_LOOK_UP(EVP_PKEY_CTX_new);
  KEYFERRY_LOOK_UP(EVP_PKEY_CTX_free);
  KEYFERRY_LOOK_UP(EVP_PKEY_encrypt_init);
  KEYFERRY_LOOK_UP(EVP_PKEY_CTX_set_rsa_padding);
  KEYFERRY_LOOK_UP(EVP_PKEY_CTX_set_rsa_oaep_md);
  KEYFERRY_LOOK_UP(EVP_PKEY_CTX_set_rsa_mgf1_md);
  KEYFERRY_LOOK_UP(EVP_PKEY_encrypt);
  KEYFERRY_LOOK_UP(EVP_sha1);
  KEYFERRY_LOOK_UP(EVP_sha256);
  KEYFERRY_LOOK_UP(EVP_aes_256_wrap_pad);
  KEYFERRY_LOOK_UP(EVP_CIPHER_CTX_new);
  KEYFERRY_LOOK_UP(EVP_CIPHER_CTX_free);
  KEYFERRY_LOOK_UP(EVP_CIPHER_CTX_set_flags);
  KEYFERRY_LOOK_UP(EVP_EncryptInit_ex);
  KEYFERRY_LOOK_UP(EVP_EncryptUpdate);
  KEYFERRY_LOOK_UP(EVP_EncryptFinal_ex);
  KEYFERRY_LOOK_UP(ERR_clear_error);
#undef KEYFERRY_LOOK_UP
}

bool OpenSsl::oaep_encrypt(DigestKind hash, Span spki, Span message, std::vector<uint8_t>& wrapped) const {
  const Functions& f = functions_;
  const unsigned char* at = spki.octets;
  const Owned key(f.d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.length)), f.EVP_PKEY_free);
  const Owned context(key == nullptr ? nullptr : f.EVP_PKEY_CTX_new(key.get(), nullptr), f.EVP_PKEY_CTX_free);
  const void* digest = hash == DigestKind::kSha1 ? f.EVP_sha1() : f.EVP_sha256();
  size_t length = kRsaBytesMax;
  wrapped.resize(length);
  const bool done = context != nullptr && f.EVP_PKEY_encrypt_init(context.get()) > 0 &&
                    f.EVP_PKEY_CTX_set_rsa_padding(context.get(), kRsaPkcs1OaepPadding) > 0 &&
                    f.EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), digest) > 0 &&
                    f.EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), digest) > 0 &&
                    f.EVP_PKEY_encrypt(context.get(), wrapped.data(), &length, message.octets, message.length) > 0;
  f.ERR_clear_error();
  wrapped.resize(done ? length : 0);
  return done;
}

bool OpenSsl::aes_key_wrap_pad(const uint8_t* key, Span message, std::vector<uint8_t>& wrapped) const {
  const Functions& f = functions_;
  // The cipher works in place: until it is done, its output holds the message.
  SecretBytes output(message.length + kKeyWrapOverhead);
  const Owned context(f.EVP_CIPHER_CTX_new(), f.EVP_CIPHER_CTX_free);
  if (!output.allocated() || context == nullptr) return false;
  f.EVP_CIPHER_CTX_set_flags(context.get(), kCipherFlagWrapAllow);
  int length = 0;
  int last = 0;
  const bool done =
      f.EVP_EncryptInit_ex(context.get(), f.EVP_aes_256_wrap_pad(), nullptr, key, nullptr) > 0 &&
      f.EVP_EncryptUpdate(context.get(), output.data(), &length, message.octets, static_cast<int>(message.length)) > 0 &&
      f.EVP_EncryptFinal_ex(context.get(), output.data() + length, &last) > 0;
  f.ERR_clear_error();
  if (!done) return false;
  wrapped.assign(output.data(), output.data() + length + last);
  return true;
}

}  // namespace keyferry
