// The jobs of the executor as a plain C loop over a module: what a token can do at most.
//
//     c_loop <module> <library parameters> <slot> <pin file> <job> <seconds> <threads>
//
// Prints one line of JSON. Jobs: message-encrypt, message-decrypt, ecdsa-sign, ec-keygen, ecdh-derive, kwp-wrap,
// kwp-unwrap, ecdsa-p256-sign, rsa-2048-pss-sign, hmac-256, rsa-2048-oaep-sha1-decrypt. Session objects only.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <string>
#include <vector>

#include "loop.h"

CK_FUNCTION_LIST_PTR p11;
CK_BBOOL yes = CK_TRUE;
CK_BBOOL no = CK_FALSE;

void must(const char* what, CK_RV rv) {
  if (rv == CKR_OK) return;
  fprintf(stderr, "%s: 0x%lx\n", what, rv);
  exit(1);
}

namespace {

CK_SLOT_ID slot;

double seconds_of(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double now() { return seconds_of(CLOCK_MONOTONIC); }

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
  for (const auto* kinds : {&kRegionJobs, &kKeyJobs}) {
    for (const JobKind& each : *kinds) {
      if (strcmp(each.name, argv[5]) == 0) kind = &each;
    }
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
