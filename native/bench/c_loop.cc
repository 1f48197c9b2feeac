// The jobs of the executor as a plain C loop over a module: what a token can do at most.
//
//     c_loop <module> <library parameters> <slot> <pin file> <job> <seconds> <threads>
//
// Prints one line of JSON. Jobs: message-encrypt, message-decrypt, ecdsa-sign, ec-keygen, ecdh-derive, kwp-wrap,
// kwp-unwrap. Session objects only.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <atomic>
#include <string>
#include <vector>

#include "../src/cryptoki.h"

namespace {

CK_FUNCTION_LIST_PTR p11;
CK_SLOT_ID slot;

const CK_ULONG kMechanismKwp = 0x210b;
const CK_ULONG kMechanismWrapPad = 0x210a;
CK_BYTE p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

[[noreturn]] void stop(const char* what, CK_RV rv) {
  fprintf(stderr, "%s: 0x%lx\n", what, rv);
  exit(1);
}

void must(const char* what, CK_RV rv) {
  if (rv != CKR_OK) stop(what, rv);
}

double seconds_of(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double now() { return seconds_of(CLOCK_MONOTONIC); }

CK_BBOOL yes = CK_TRUE;
CK_BBOOL no = CK_FALSE;
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

// One job's state, made once per thread.
struct Loop {
  CK_SESSION_HANDLE session = 0;
  CK_OBJECT_HANDLE key = 0;
  CK_OBJECT_HANDLE other = 0;
  CK_BYTE nonce[16] = {1};
  CK_BYTE label[32] = {2};
  CK_BYTE iv[12] = {3};
  CK_BYTE text[32] = {4};
  CK_BYTE digest[48] = {5};
  CK_BYTE blob[256];
  CK_ULONG blob_bytes = sizeof blob;
  CK_BYTE point[97];
  CK_ULONG kwp = kMechanismKwp;
};

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

void message_encrypt(Loop& loop) {
  const CK_OBJECT_HANDLE key = derive_message_key(loop, &yes, &no);
  CK_GCM_PARAMS parameter;
  CK_MECHANISM mechanism = gcm(loop, parameter);
  CK_BYTE out[128];
  CK_ULONG length = sizeof out;
  must("C_EncryptInit", p11->C_EncryptInit(loop.session, &mechanism, key));
  must("C_Encrypt", p11->C_Encrypt(loop.session, loop.text, sizeof loop.text, out, &length));
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, key));
}

void prepare_message_encrypt(Loop& loop) { loop.key = make_key(loop.session, CKA_DERIVE, false); }

void prepare_message_decrypt(Loop& loop) {
  prepare_message_encrypt(loop);
  const CK_OBJECT_HANDLE key = derive_message_key(loop, &yes, &no);
  CK_GCM_PARAMS parameter;
  CK_MECHANISM mechanism = gcm(loop, parameter);
  must("C_EncryptInit", p11->C_EncryptInit(loop.session, &mechanism, key));
  must("C_Encrypt", p11->C_Encrypt(loop.session, loop.text, sizeof loop.text, loop.blob, &loop.blob_bytes));
  must("C_DestroyObject", p11->C_DestroyObject(loop.session, key));
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

struct JobKind {
  const char* name;
  void (*prepare)(Loop&);
  void (*run)(Loop&);
  unsigned at_once;  // jobs between two looks at the clock
};

const JobKind kJobs[] = {
    {"message-encrypt", prepare_message_encrypt, message_encrypt, 32},
    {"message-decrypt", prepare_message_decrypt, message_decrypt, 32},
    {"ecdsa-sign", prepare_sign, ecdsa_sign, 1},
    {"ec-keygen", prepare_nothing, ec_keygen, 1},
    {"ecdh-derive", prepare_ecdh, ecdh_derive, 1},
    {"kwp-wrap", prepare_wrap, kwp_wrap, 32},
    {"kwp-unwrap", prepare_wrap, kwp_unwrap, 32},
};

struct Thread {
  pthread_t thread;
  const JobKind* kind;
  double seconds;
  pthread_barrier_t* start;
  Loop loop;
  double ops_per_second;
  double cpu_seconds;
  unsigned long done;
};

void* thread_main(void* argument) {
  auto* thread = static_cast<Thread*>(argument);
  must("C_OpenSession", p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                           &thread->loop.session));
  thread->kind->prepare(thread->loop);
  for (unsigned i = 0; i < thread->kind->at_once; ++i) thread->kind->run(thread->loop);
  pthread_barrier_wait(thread->start);
  const double start = now();
  const double cpu_start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
  unsigned long done = 0;
  double elapsed = 0;
  do {
    for (unsigned i = 0; i < thread->kind->at_once; ++i) thread->kind->run(thread->loop);
    done += thread->kind->at_once;
    elapsed = now() - start;
  } while (elapsed < thread->seconds);
  thread->cpu_seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
  thread->done = done;
  thread->ops_per_second = static_cast<double>(done) / elapsed;
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    fprintf(stderr, "usage: c_loop <module> <library parameters> <slot> <pin file> <job> <seconds> <threads>\n");
    return 2;
  }
  const JobKind* kind = nullptr;
  for (const JobKind& each : kJobs) {
    if (strcmp(each.name, argv[5]) == 0) kind = &each;
  }
  const int thread_count = atoi(argv[7]);
  if (kind == nullptr || thread_count < 1 || thread_count > 64) {
    fprintf(stderr, "there is no job %s, or not 1 to 64 threads\n", argv[5]);
    return 2;
  }
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  auto get = library == nullptr ? nullptr : reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr) {
    fprintf(stderr, "%s cannot be loaded\n", argv[1]);
    return 1;
  }
  must("C_GetFunctionList", get(&p11));
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  arguments.pReserved = argv[2][0] == '\0' ? nullptr : argv[2];
  must("C_Initialize", p11->C_Initialize(&arguments));
  slot = strtoul(argv[3], nullptr, 0);

  FILE* file = fopen(argv[4], "r");
  char pin[512] = {0};
  if (file == nullptr || fgets(pin, sizeof pin, file) == nullptr) {
    fprintf(stderr, "the PIN file cannot be read\n");
    return 1;
  }
  fclose(file);
  pin[strcspn(pin, "\r\n")] = '\0';
  CK_SESSION_HANDLE session = 0;
  must("C_OpenSession", p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session));
  must("C_Login", p11->C_Login(session, CKU_USER, reinterpret_cast<CK_UTF8CHAR_PTR>(pin), strlen(pin)));
  explicit_bzero(pin, sizeof pin);

  pthread_barrier_t start;
  pthread_barrier_init(&start, nullptr, static_cast<unsigned>(thread_count));
  std::vector<Thread> threads(static_cast<size_t>(thread_count));
  for (Thread& thread : threads) {
    thread.kind = kind;
    thread.seconds = atof(argv[6]);
    thread.start = &start;
    pthread_create(&thread.thread, nullptr, thread_main, &thread);
  }
  double total = 0;
  double cpu_seconds = 0;
  double done = 0;
  for (Thread& thread : threads) {
    pthread_join(thread.thread, nullptr);
    total += thread.ops_per_second;
    cpu_seconds += thread.cpu_seconds;
    done += static_cast<double>(thread.done);
  }
  printf("{\"job\":\"%s\",\"threads\":%d,\"seconds\":%s,\"opsPerSecond\":%.1f,\"microsecondsPerJob\":%.3f,"
         "\"cpuMicrosecondsPerJob\":%.3f}\n",
         kind->name, thread_count, argv[6], total, 1e6 * thread_count / total, 1e6 * cpu_seconds / done);
  p11->C_Finalize(nullptr);
  return 0;
}
