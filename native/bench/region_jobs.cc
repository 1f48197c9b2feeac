#include <string.h>

#include "loop.h"

namespace {

const CK_ULONG kMechanismWrapPad = 0x210a;
CK_BYTE p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

CK_ULONG secret_class = CKO_SECRET_KEY;
CK_ULONG aes_type = CKK_AES;
CK_ULONG key_bytes = 32;

CK_OBJECT_HANDLE make_key(CK_SESSION_HANDLE session, CK_ATTRIBUTE_TYPE usage, bool extractable) {
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_ATTRIBUTE attributes[] = {
      {CKA_TOKEN, &no, 1},       {CKA_PRIVATE, &yes, 1},
      {CKA_SENSITIVE, &yes, 1},  {CKA_EXTRACTABLE, extractable ? &yes : &no, 1},
      {usage, &yes, 1},          {CKA_VALUE_LEN, &key_bytes, sizeof key_bytes},
      {CKA_UNWRAP, usage == CKA_WRAP ? &yes : &no, 1},
  };
  CK_OBJECT_HANDLE key = 0;
  must("C_GenerateKey", p11->C_GenerateKey(session, &mechanism, attributes, 7, &key));
  return key;
}

void make_pair(CK_SESSION_HANDLE session, bool sign, CK_OBJECT_HANDLE* public_key, CK_OBJECT_HANDLE* private_key) {
  CK_MECHANISM mechanism{CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  CK_ATTRIBUTE public_attributes[] = {
      {CKA_EC_PARAMS, p384, sizeof p384}, {CKA_TOKEN, &no, 1}, {CKA_VERIFY, sign ? &yes : &no, 1}};
  CK_ATTRIBUTE private_attributes[] = {
      {CKA_TOKEN, &no, 1},       {CKA_PRIVATE, &yes, 1},          {CKA_SENSITIVE, &yes, 1},
      {CKA_EXTRACTABLE, &no, 1}, {CKA_SIGN, sign ? &yes : &no, 1}, {CKA_DERIVE, sign ? &no : &yes, 1}};
  must("C_GenerateKeyPair", p11->C_GenerateKeyPair(session, &mechanism, public_attributes, 3, private_attributes, 6,
                                                   public_key, private_key));
}

CK_OBJECT_HANDLE derive_message_key(Loop& loop, CK_BBOOL* encrypt, CK_BBOOL* decrypt) {
  CK_AES_CBC_ENCRYPT_DATA_PARAMS parameter{};
  memcpy(parameter.iv, loop.nonce, 16);
  parameter.pData = loop.label;
  parameter.length = sizeof loop.label;
  CK_MECHANISM mechanism{CKM_AES_CBC_ENCRYPT_DATA, &parameter, sizeof parameter};
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &secret_class, sizeof secret_class},
                               {CKA_KEY_TYPE, &aes_type, sizeof aes_type},
                               {CKA_VALUE_LEN, &key_bytes, sizeof key_bytes},
                               {CKA_TOKEN, &no, 1},
                               {CKA_SENSITIVE, &yes, 1},
                               {CKA_EXTRACTABLE, &no, 1},
                               {CKA_ENCRYPT, encrypt, 1},
                               {CKA_DECRYPT, decrypt, 1}};
  CK_OBJECT_HANDLE key = 0;
  must("C_DeriveKey", p11->C_DeriveKey(loop.session, &mechanism, loop.key, attributes, 8, &key));
  return key;
}

CK_MECHANISM gcm(Loop& loop, CK_GCM_PARAMS& parameter) {
  parameter = CK_GCM_PARAMS{loop.iv, sizeof loop.iv, sizeof loop.iv * 8, nullptr, 0, 128};
  return CK_MECHANISM{CKM_AES_GCM, &parameter, sizeof parameter};
}

void encrypt_message(Loop& loop, CK_BYTE* out, CK_ULONG* length) {
  const CK_OBJECT_HANDLE key = derive_message_key(loop, &yes, &no);
  CK_GCM_PARAMS parameter;
  CK_MECHANISM mechanism = gcm(loop, parameter);
  must("C_EncryptInit", p11->C_EncryptInit(loop.session, &mechanism, key));
  must("C_Encrypt", p11->C_Encrypt(loop.session, loop.text, sizeof loop.text, out, length));
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, key));
}

void message_encrypt(Loop& loop) {
  CK_BYTE out[128];
  CK_ULONG length = sizeof out;
  encrypt_message(loop, out, &length);
}

void prepare_message_encrypt(Loop& loop) { loop.key = make_key(loop.session, CKA_DERIVE, false); }

void prepare_message_decrypt(Loop& loop) {
  prepare_message_encrypt(loop);
  encrypt_message(loop, loop.blob, &loop.blob_bytes);
}

void message_decrypt(Loop& loop) {
  const CK_OBJECT_HANDLE key = derive_message_key(loop, &no, &yes);
  CK_GCM_PARAMS parameter;
  CK_MECHANISM mechanism = gcm(loop, parameter);
  CK_BYTE out[128];
  CK_ULONG length = sizeof out;
  must("C_DecryptInit", p11->C_DecryptInit(loop.session, &mechanism, key));
  must("C_Decrypt", p11->C_Decrypt(loop.session, loop.blob, loop.blob_bytes, out, &length));
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, key));
}

void prepare_sign(Loop& loop) { make_pair(loop.session, true, &loop.other, &loop.key); }

void ecdsa_sign(Loop& loop) {
  CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  CK_BYTE out[128];
  CK_ULONG length = sizeof out;
  must("C_SignInit", p11->C_SignInit(loop.session, &mechanism, loop.key));
  must("C_Sign", p11->C_Sign(loop.session, loop.digest, sizeof loop.digest, out, &length));
}

void prepare_nothing(Loop&) {}

void ec_keygen(Loop& loop) {
  CK_OBJECT_HANDLE public_key = 0;
  CK_OBJECT_HANDLE private_key = 0;
  make_pair(loop.session, false, &public_key, &private_key);
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, private_key));
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, public_key));
}

void prepare_ecdh(Loop& loop) {
  make_pair(loop.session, false, &loop.other, &loop.key);
  CK_BYTE encoded[128];
  CK_ATTRIBUTE point{CKA_EC_POINT, encoded, sizeof encoded};
  must("C_GetAttributeValue", p11->C_GetAttributeValue(loop.session, loop.other, &point, 1));
  // A DER octet string around the point, or the point alone.
  memcpy(loop.point, encoded + point.ulValueLen - sizeof loop.point, sizeof loop.point);
}

void ecdh_derive(Loop& loop) {
  CK_ECDH1_DERIVE_PARAMS parameter{CKD_NULL, 0, nullptr, sizeof loop.point, loop.point};
  CK_MECHANISM mechanism{CKM_ECDH1_DERIVE, &parameter, sizeof parameter};
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &secret_class, sizeof secret_class},
                               {CKA_KEY_TYPE, &aes_type, sizeof aes_type},
                               {CKA_VALUE_LEN, &key_bytes, sizeof key_bytes},
                               {CKA_TOKEN, &no, 1},
                               {CKA_SENSITIVE, &yes, 1},
                               {CKA_EXTRACTABLE, &no, 1},
                               {CKA_DERIVE, &yes, 1}};
  CK_OBJECT_HANDLE key = 0;
  must("C_DeriveKey", p11->C_DeriveKey(loop.session, &mechanism, loop.key, attributes, 7, &key));
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, key));
}

void prepare_wrap(Loop& loop) {
  loop.key = make_key(loop.session, CKA_WRAP, false);
  loop.other = make_key(loop.session, CKA_ENCRYPT, true);
  CK_MECHANISM mechanism{loop.kwp, nullptr, 0};
  CK_RV rv = p11->C_WrapKey(loop.session, &mechanism, loop.key, loop.other, loop.blob, &loop.blob_bytes);
  if (rv == CKR_MECHANISM_INVALID) {
    mechanism.mechanism = loop.kwp = kMechanismWrapPad;
    loop.blob_bytes = sizeof loop.blob;
    rv = p11->C_WrapKey(loop.session, &mechanism, loop.key, loop.other, loop.blob, &loop.blob_bytes);
  }
  must("C_WrapKey", rv);
}

void kwp_wrap(Loop& loop) {
  CK_MECHANISM mechanism{loop.kwp, nullptr, 0};
  CK_BYTE out[256];
  CK_ULONG length = sizeof out;
  must("C_WrapKey", p11->C_WrapKey(loop.session, &mechanism, loop.key, loop.other, out, &length));
}

void kwp_unwrap(Loop& loop) {
  CK_MECHANISM mechanism{loop.kwp, nullptr, 0};
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &secret_class, sizeof secret_class},
                               {CKA_KEY_TYPE, &aes_type, sizeof aes_type},
                               {CKA_TOKEN, &no, 1},
                               {CKA_SENSITIVE, &yes, 1},
                               {CKA_EXTRACTABLE, &no, 1},
                               {CKA_DERIVE, &yes, 1}};
  CK_OBJECT_HANDLE key = 0;
  must("C_UnwrapKey",
       p11->C_UnwrapKey(loop.session, &mechanism, loop.key, loop.blob, loop.blob_bytes, attributes, 6, &key));
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, key));
}

}  // namespace

const std::vector<JobKind> kRegionJobs = {
    {"message-encrypt", prepare_message_encrypt, message_encrypt, 32},
    {"message-decrypt", prepare_message_decrypt, message_decrypt, 32},
    {"ecdsa-sign", prepare_sign, ecdsa_sign, 1},
    {"ec-keygen", prepare_nothing, ec_keygen, 1},
    {"ecdh-derive", prepare_ecdh, ecdh_derive, 1},
    {"kwp-wrap", prepare_wrap, kwp_wrap, 32},
    {"kwp-unwrap", prepare_wrap, kwp_unwrap, 32},
};
