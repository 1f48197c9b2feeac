#include <string.h>

#include "loop.h"

namespace {

CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
CK_BYTE exponent_65537[] = {1, 0, 1};
CK_ULONG modulus_bits = 2048;
CK_ULONG secret_class = CKO_SECRET_KEY;
CK_ULONG generic_secret = CKK_GENERIC_SECRET;
CK_ULONG hmac_key_bytes = 32;
const CK_ULONG kDigestBytes = 32;
// Octets of a message whose MAC is made.
CK_BYTE message[2048] = {6};

void make_pair(Loop& loop, CK_MECHANISM_TYPE type, CK_ATTRIBUTE* kind, CK_ULONG kinds, CK_ATTRIBUTE_TYPE use,
               CK_ATTRIBUTE_TYPE public_use) {
  CK_MECHANISM mechanism{type, nullptr, 0};
  std::vector<CK_ATTRIBUTE> public_attributes(kind, kind + kinds);
  public_attributes.push_back({CKA_TOKEN, &no, 1});
  public_attributes.push_back({public_use, &yes, 1});
  CK_ATTRIBUTE private_attributes[] = {{CKA_TOKEN, &no, 1},
                                       {CKA_PRIVATE, &yes, 1},
                                       {CKA_SENSITIVE, &yes, 1},
                                       {CKA_EXTRACTABLE, &no, 1},
                                       {use, &yes, 1}};
  must("C_GenerateKeyPair",
       p11->C_GenerateKeyPair(loop.session, &mechanism, public_attributes.data(), public_attributes.size(),
                              private_attributes, 5, &loop.other, &loop.key));
}

void make_rsa_pair(Loop& loop, CK_ATTRIBUTE_TYPE use, CK_ATTRIBUTE_TYPE public_use) {
  CK_ATTRIBUTE kind[] = {{CKA_MODULUS_BITS, &modulus_bits, sizeof modulus_bits},
                         {CKA_PUBLIC_EXPONENT, exponent_65537, sizeof exponent_65537}};
  make_pair(loop, CKM_RSA_PKCS_KEY_PAIR_GEN, kind, 2, use, public_use);
}

void sign(Loop& loop, CK_MECHANISM mechanism, CK_BYTE* data, CK_ULONG length) {
  CK_BYTE out[512];
  CK_ULONG out_length = sizeof out;
  must("C_SignInit", p11->C_SignInit(loop.session, &mechanism, loop.key));
  must("C_Sign", p11->C_Sign(loop.session, data, length, out, &out_length));
}

void prepare_p256(Loop& loop) {
  CK_ATTRIBUTE kind[] = {{CKA_EC_PARAMS, p256, sizeof p256}};
  make_pair(loop, CKM_EC_KEY_PAIR_GEN, kind, 1, CKA_SIGN, CKA_VERIFY);
}

void p256_sign(Loop& loop) { sign(loop, {CKM_ECDSA, nullptr, 0}, loop.digest, kDigestBytes); }

void prepare_pss(Loop& loop) { make_rsa_pair(loop, CKA_SIGN, CKA_VERIFY); }

void pss_sign(Loop& loop) {
  CK_RSA_PKCS_PSS_PARAMS parameter{CKM_SHA256, CKG_MGF1_SHA256, kDigestBytes};
  sign(loop, {CKM_RSA_PKCS_PSS, &parameter, sizeof parameter}, loop.digest, kDigestBytes);
}

void prepare_hmac(Loop& loop) {
  CK_MECHANISM mechanism{CKM_GENERIC_SECRET_KEY_GEN, nullptr, 0};
  CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &secret_class, sizeof secret_class},
                               {CKA_KEY_TYPE, &generic_secret, sizeof generic_secret},
                               {CKA_TOKEN, &no, 1},
                               {CKA_PRIVATE, &yes, 1},
                               {CKA_SENSITIVE, &yes, 1},
                               {CKA_EXTRACTABLE, &no, 1},
                               {CKA_SIGN, &yes, 1},
                               {CKA_VALUE_LEN, &hmac_key_bytes, sizeof hmac_key_bytes}};
  must("C_GenerateKey", p11->C_GenerateKey(loop.session, &mechanism, attributes, 8, &loop.key));
}

void hmac(Loop& loop) { sign(loop, {CKM_SHA256_HMAC, nullptr, 0}, message, sizeof message); }

CK_MECHANISM oaep_sha1(CK_RSA_PKCS_OAEP_PARAMS& parameter) {
  parameter = CK_RSA_PKCS_OAEP_PARAMS{CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0};
  return CK_MECHANISM{CKM_RSA_PKCS_OAEP, &parameter, sizeof parameter};
}

void prepare_oaep(Loop& loop) {
  make_rsa_pair(loop, CKA_DECRYPT, CKA_ENCRYPT);
  CK_RSA_PKCS_OAEP_PARAMS parameter;
  CK_MECHANISM mechanism = oaep_sha1(parameter);
  must("C_EncryptInit", p11->C_EncryptInit(loop.session, &mechanism, loop.other));
  must("C_Encrypt", p11->C_Encrypt(loop.session, loop.text, sizeof loop.text, loop.blob, &loop.blob_bytes));
}

void oaep_decrypt(Loop& loop) {
  CK_RSA_PKCS_OAEP_PARAMS parameter;
  CK_MECHANISM mechanism = oaep_sha1(parameter);
  CK_BYTE out[512];
  CK_ULONG length = sizeof out;
  must("C_DecryptInit", p11->C_DecryptInit(loop.session, &mechanism, loop.key));
  must("C_Decrypt", p11->C_Decrypt(loop.session, loop.blob, loop.blob_bytes, out, &length));
}

}  // namespace

const std::vector<JobKind> kKeyJobs = {
    {"ecdsa-p256-sign", prepare_p256, p256_sign, 8},
    {"rsa-2048-pss-sign", prepare_pss, pss_sign, 1},
    {"hmac-256", prepare_hmac, hmac, 32},
    {"rsa-2048-oaep-sha1-decrypt", prepare_oaep, oaep_decrypt, 1},
};
