// Drives the job engine without Node, for sanitizers and valgrind, and for its speed.
//
//     job_driver <module> <library parameters> <slot> <pin file> <jobs> <speed|mixed|fuzz>
//
// speed: one kind of job, the time of each; mixed: every kind of step, also failing, with results checked;
// fuzz: mutated and random programs, which must be refused or decoded and never read beyond their end.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <condition_variable>
#include <mutex>

#include "../src/executor.h"
#include "../src/pin_source.h"
#include "import_fuzz.h"
#include "pkcs8_check.h"
#include "program_writer.h"

namespace keyferry {
namespace {

[[noreturn]] void stop(const char* what, unsigned long value) {
  fprintf(stderr, "%s: 0x%lx\n", what, value);
  _Exit(1);
}

void must(const char* what, CK_RV rv) {
  if (rv != CKR_OK) stop(what, rv);
}

double now() {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The thread that submits and drains, as the event loop does in Node.
class Driver {
 public:
  Driver(std::shared_ptr<Module> module, CK_SLOT_ID slot)
      : executor_(std::move(module), slot, ExecutorLimits{2, 1, 4096}, [this] { wake(); }) {
    must("start", executor_.start());
  }

  uint32_t epoch() const { return executor_.epoch(); }

  void submit(uint32_t id, const std::vector<uint8_t>& program) {
    batch_.resize(4 + program.size());
    memcpy(batch_.data(), &id, 4);
    memcpy(batch_.data() + 4, program.data(), program.size());
    if (executor_.submit(batch_.data(), batch_.size(), 1) != 1) stop("submit", id);
    ++outstanding_;
  }

  // Waits for results and gives each to `use`.
  template <typename Use>
  void drain(Use use) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      there_.wait(lock, [this] { return woken_; });
      woken_ = false;
    }
    Drained drained = executor_.drain();
    while (!drained.slots.empty()) {
      JobSlot* slot = drained.slots.pop_front();
      --outstanding_;
      use(slot->id, slot->result);
      executor_.give_back(slot);
    }
  }

  uint32_t outstanding() const { return outstanding_; }
  void stop_threads() { executor_.stop(); }

 private:
  void wake() {
    const std::lock_guard<std::mutex> guard(mutex_);
    woken_ = true;
    there_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable there_;
  bool woken_ = false;
  uint32_t outstanding_ = 0;
  std::vector<uint8_t> batch_;
  Executor executor_;
};

uint32_t status_of(const WipedBuffer& result) {
  uint32_t words[kResultHeaderWords];
  if (result.size() < sizeof words) stop("short result", result.size());
  memcpy(words, result.data(), sizeof words);
  if (words[1] != result.size()) stop("result length", words[1]);
  return words[2];
}

std::vector<uint8_t> make_base_key(bool derive) {
  ProgramWriter program(Weight::kShort, 0);
  program.begin(Opcode::kGenerateKey);
  program.mechanism(CKM_AES_KEY_GEN);
  program.attributes(6);
  program.boolean(CKA_TOKEN, false);
  program.boolean(CKA_PRIVATE, true);
  program.boolean(CKA_SENSITIVE, true);
  program.boolean(CKA_EXTRACTABLE, false);
  program.boolean(derive ? CKA_DERIVE : CKA_ENCRYPT, true);
  program.ulong(CKA_VALUE_LEN, 32);
  const uint32_t reg = program.makes_object();
  program.end();
  program.begin(Opcode::kKeep);
  program.word(reg);
  program.makes_output();
  program.end();
  return program.finish();
}

const uint8_t kZeros[64] = {0};

void derive(ProgramWriter& program, CK_OBJECT_HANDLE base, bool malformed) {
  program.begin(Opcode::kDeriveKey);
  program.mechanism(CKM_AES_CBC_ENCRYPT_DATA, ParameterKind::kAesCbcEncryptData);
  program.octets(kZeros, 16);
  program.octets(kZeros, malformed ? 5 : 32);
  program.handle(base);
  program.attributes(8);
  program.ulong(CKA_CLASS, CKO_SECRET_KEY);
  program.ulong(CKA_KEY_TYPE, CKK_AES);
  program.ulong(CKA_VALUE_LEN, 32);
  program.boolean(CKA_TOKEN, false);
  program.boolean(CKA_SENSITIVE, true);
  program.boolean(CKA_EXTRACTABLE, false);
  program.boolean(CKA_ENCRYPT, true);
  program.boolean(CKA_DECRYPT, true);
  program.makes_object();
  program.end();
}

void gcm(ProgramWriter& program, Opcode opcode) {
  program.begin(opcode);
  program.mechanism(CKM_AES_GCM, ParameterKind::kGcm);
  program.word(128);
  program.octets(kZeros, 12);
  program.octets(kZeros, 0);
  program.object(0);
}

std::vector<uint8_t> message_key_job(CK_OBJECT_HANDLE base, uint32_t epoch) {
  ProgramWriter program(Weight::kShort, epoch);
  derive(program, base, false);
  gcm(program, Opcode::kEncrypt);
  program.data(kZeros, 32);
  program.makes_output();
  program.end();
  return program.finish();
}

// Randomness that never leaves, encrypted, revealed, put into an object, read back, found and destroyed.
std::vector<uint8_t> secret_job(CK_OBJECT_HANDLE base, uint32_t epoch) {
  ProgramWriter program(Weight::kShort, epoch);
  derive(program, base, false);
  program.begin(Opcode::kRandomSecret);
  program.word(48);
  program.makes_secret();
  program.end();
  gcm(program, Opcode::kEncrypt);
  program.secret(0);
  program.makes_output();
  program.end();
  program.begin(Opcode::kReveal);
  program.word(0);
  program.makes_output();
  program.end();
  program.begin(Opcode::kCreateObject);
  program.attributes(6);
  program.ulong(CKA_CLASS, CKO_SECRET_KEY);
  program.ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  program.boolean(CKA_TOKEN, false);
  program.boolean(CKA_SENSITIVE, true);
  program.boolean(CKA_EXTRACTABLE, false);
  program.boolean(CKA_SIGN, true);
  program.word(1);
  program.word(CKA_VALUE);
  program.word(0);
  const uint32_t object = program.makes_object();
  program.end();
  program.begin(Opcode::kGetAttributes);
  program.object(object);
  program.word(3);
  program.word(CKA_VALUE);
  program.word(CKA_KEY_TYPE);
  program.word(CKA_LABEL);
  program.makes_output();
  program.end();
  program.begin(Opcode::kSign);
  program.mechanism(CKM_SHA256_HMAC);
  program.object(object);
  program.data(kZeros, 20);
  program.makes_output();
  program.end();
  program.begin(Opcode::kDestroyObject);
  program.object(object);
  program.end();
  return program.finish();
}

// Fails in its second step; in another variant the failing step is attempted.
std::vector<uint8_t> failing_job(CK_OBJECT_HANDLE base, uint32_t epoch, bool attempted) {
  ProgramWriter program(Weight::kShort, epoch);
  derive(program, base, false);
  if (attempted) program.attempt();
  gcm(program, Opcode::kDecrypt);
  program.data(kZeros, 40);
  program.makes_output();
  program.end();
  return program.finish();
}

std::vector<uint8_t> agreement_job() {
  static const uint8_t kP384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
  ProgramWriter program(Weight::kLong, 0);
  const auto [public_key, private_key] =
      program.curve_pair(kP384, sizeof kP384, {{CKA_SENSITIVE, true}, {CKA_SIGN, true}});
  program.begin(Opcode::kGetAttributes);
  program.object(public_key);
  program.word(1);
  program.word(CKA_EC_POINT);
  program.makes_output();
  program.end();
  program.begin(Opcode::kSign);
  program.mechanism(CKM_ECDSA);
  program.object(private_key);
  program.data(kZeros, 48);
  program.makes_output();
  program.end();
  return program.finish();
}

std::vector<uint8_t> find_job() {
  ProgramWriter program(Weight::kAlone, 0);
  program.begin(Opcode::kFindObjects);
  program.word(1000);
  program.attributes(1);
  program.ulong(CKA_CLASS, CKO_SECRET_KEY);
  program.makes_output();
  program.end();
  return program.finish();
}

// Objects in the token that jobs see: the same before and after if jobs clean up behind themselves.
uint32_t objects_found(Driver& driver) {
  uint32_t found = 0;
  driver.submit(0, find_job());
  while (driver.outstanding() > 0) {
    driver.drain([&](uint32_t, const WipedBuffer& result) {
      if (status_of(result) != 0) stop("find", status_of(result));
      uint32_t length = 0;
      memcpy(&length, result.data() + kResultHeaderWords * 4 + 8, 4);
      found = length / 8;
    });
  }
  return found;
}

CK_OBJECT_HANDLE base_key(Driver& driver) {
  CK_OBJECT_HANDLE handle = 0;
  driver.submit(0, make_base_key(true));
  while (driver.outstanding() > 0) {
    driver.drain([&](uint32_t, const WipedBuffer& result) {
      if (status_of(result) != 0) stop("base key", status_of(result));
      memcpy(&handle, result.data() + kResultHeaderWords * 4 + 12, sizeof handle);
    });
  }
  return handle;
}

void run_jobs(Driver& driver, uint32_t jobs, bool mixed) {
  const CK_OBJECT_HANDLE base = base_key(driver);
  const std::vector<uint8_t> programs[] = {
      message_key_job(base, driver.epoch()),    secret_job(base, driver.epoch()),
      failing_job(base, driver.epoch(), false), failing_job(base, driver.epoch(), true),
      message_key_job(base, driver.epoch() + 9), agreement_job(),
      readable_pair_job(),
  };
  const uint32_t expected[] = {0, 0, 1, 0, 5, 0, 0};
  const uint32_t objects_before = objects_found(driver);
  const double start = now();
  uint32_t given = 0;
  uint32_t done = 0;
  while (done < jobs) {
    while (given < jobs && driver.outstanding() < 64) {
      // Elliptic curves are slow: two jobs in a thousand.
      const uint32_t kind = !mixed ? 0 : given % 1000 == 999 ? 5 : given % 1000 == 499 ? 6 : given % 5;
      driver.submit(kind, programs[kind]);
      ++given;
    }
    driver.drain([&](uint32_t kind, const WipedBuffer& result) {
      if (status_of(result) != expected[kind]) stop("status of job", kind << 8 | status_of(result));
      ++done;
    });
  }
  const double elapsed = now() - start;
  if (objects_found(driver) != objects_before) stop("objects left behind", objects_found(driver) - objects_before);
  printf("{\"jobs\":%u,\"microsecondsPerJob\":%.3f,\"objects\":%u}\n", jobs, elapsed * 1e6 / jobs, objects_before);
}

void fuzz(uint32_t rounds) {
  const std::vector<uint8_t> seeds[] = {make_base_key(true), message_key_job(77, 1), secret_job(77, 1),
                                        failing_job(77, 1, true), agreement_job(), find_job(),
                                        readable_pair_job()};
  uint64_t state = 0x9e3779b97f4a7c15u;
  const auto random = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<uint32_t>(state >> 16);
  };
  uint32_t refused = 0;
  Arena arena;
  for (uint32_t round = 0; round < rounds; ++round) {
    const std::vector<uint8_t>& seed = seeds[random() % 7];
    // Its own allocation of exactly this length: a sanitizer sees a read beyond it.
    const size_t length = random() % 4 == 0 ? random() % (seed.size() / 4 + 1) * 4 : seed.size();
    HeapOctets octets(static_cast<uint8_t*>(malloc(length == 0 ? 1 : length)));
    memcpy(octets.get(), seed.data(), length);
    for (uint32_t i = random() % 6; i > 0 && length > 0; --i) {
      octets.get()[random() % length] = static_cast<uint8_t>(random());
    }
    Program program{};
    if (decode_program(octets.get(), length, arena, program) != nullptr) ++refused;
    arena.reset();
  }
  printf("{\"programs\":%u,\"refused\":%u}\n", rounds, refused);
}

int run(int argc, char** argv) {
  const uint32_t jobs = argc == 7 ? static_cast<uint32_t>(strtoul(argv[5], nullptr, 0)) : 0;
  const std::string what = argc == 7 ? argv[6] : "";
  if (jobs == 0 || (what != "speed" && what != "mixed" && what != "fuzz")) {
    fprintf(stderr, "usage: job_driver <module> <library parameters> <slot> <pin file> <jobs> <speed|mixed|fuzz>\n");
    return 2;
  }
  if (what == "fuzz") {
    fuzz(jobs);
    fuzz_import(jobs);
    check_pkcs8_writer(jobs / 10 + 1);
    return 0;
  }
  const char* deep_binding = getenv("KEYFERRY_DEEPBIND");
  LoadedModule loaded = load_module(argv[1], deep_binding == nullptr || strcmp(deep_binding, "off") != 0);
  if (loaded.module == nullptr) {
    fprintf(stderr, "%s: %s\n", argv[1], loaded.refusal.c_str());
    return 1;
  }
  CK_FUNCTION_LIST_PTR functions = loaded.module->functions();
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  arguments.pReserved = argv[2][0] == '\0' ? nullptr : argv[2];
  must("C_Initialize", functions->C_Initialize(&arguments));
  const CK_SLOT_ID slot = strtoul(argv[3], nullptr, 0);
  CK_SESSION_HANDLE session = 0;
  must("C_OpenSession", functions->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session));
  {
    Pin pin = read_pin({"file", argv[4]});
    if (!pin.refusal.empty()) {
      fprintf(stderr, "%s: %s\n", argv[4], pin.refusal.c_str());
      return 1;
    }
    must("C_Login", functions->C_Login(session, CKU_USER, pin.octets.data(), pin.octets.size()));
  }
  {
    Driver driver(loaded.module, slot);
    run_jobs(driver, jobs, what == "mixed");
    driver.stop_threads();
  }
  must("C_CloseSession", functions->C_CloseSession(session));
  must("C_Finalize", functions->C_Finalize(nullptr));
  return 0;
}

}  // namespace
}  // namespace keyferry

int main(int argc, char** argv) { return keyferry::run(argc, argv); }
