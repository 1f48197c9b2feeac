// Many threads at once: ROB-12 and ROB-17.
#include <string.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "report.h"
#include "scenario.h"

namespace keyferry_validate {
namespace {

// What went wrong, counted by what it was.
class Tally {
 public:
  void add(const std::string& what) {
    const std::lock_guard<std::mutex> guard(mutex_);
    ++counts_[what];
  }
  void failed(const char* call, CK_RV rv) { add(std::string(call) + " " + hexadecimal(rv)); }
  // The kinds of which there are most facts to tell are few: every one is told.
  void tell(const std::string& name) {
    for (const auto& [what, count] : counts_) fact(name, std::to_string(count) + " " + what);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, unsigned long> counts_;
};

struct Work {
  bool derives;
  bool signs;
  CK_MECHANISM_TYPE wrap;
};

// One thread's work: keys of its own, in a session of its own, that are checked against each other.
class Worker {
 public:
  Worker(Token& token, const Work& work, Tally& wrong, Tally& failures)
      : token_(token), work_(work), wrong_(wrong), failures_(failures) {}

  bool prepare() {
    if (!good("C_OpenSession", token_.open_session(session_))) return false;
    if (work_.derives && !good("C_GenerateKeyPair", token_.generate_pair(session_, {.uses = kDerive}, peer_)))
      return false;
    if (work_.signs && !good("C_GenerateKeyPair", token_.generate_pair(session_, {.uses = kSign}, signer_)))
      return false;
    peer_point_ = work_.derives ? token_.point(session_, peer_.public_key) : std::vector<CK_BYTE>{};
    return true;
  }

  void round(unsigned long number) {
    if (work_.wrap != 0) wrap_round();
    if (work_.derives) derive_round();
    if (work_.signs) sign_round(number);
  }

  void finish() { token_->C_CloseSession(session_); }

 private:
  bool good(const char* call, CK_RV rv) {
    if (rv != CKR_OK) failures_.failed(call, rv);
    return rv == CKR_OK;
  }
  void destroy(CK_OBJECT_HANDLE object) {
    if (object != kNoObject) good("C_DestroyObject", token_->C_DestroyObject(session_, object));
  }

  bool encrypt(CK_OBJECT_HANDLE key, CK_BYTE (&out)[16]) {
    CK_BYTE block[16] = {7};
    CK_ULONG length = sizeof out;
    CK_MECHANISM ecb = plain(CKM_AES_ECB);
    return good("C_EncryptInit", token_->C_EncryptInit(session_, &ecb, key)) &&
           good("C_Encrypt", token_->C_Encrypt(session_, block, sizeof block, out, &length));
  }

  void wrap_round() {
    CK_OBJECT_HANDLE wrapping = kNoObject;
    CK_OBJECT_HANDLE key = kNoObject;
    CK_OBJECT_HANDLE unwrapped = kNoObject;
    CK_MECHANISM mechanism = plain(work_.wrap);
    CK_BYTE blob[256];
    CK_ULONG length = sizeof blob;
    Template shape = aes_key({.uses = kEncrypt}, false);
    CK_BYTE before[16];
    CK_BYTE after[16];
    if (good("C_GenerateKey", token_.generate_aes(session_, {.uses = kWrap}, wrapping)) &&
        good("C_GenerateKey", token_.generate_aes(session_, {.uses = kEncrypt, .extractable = true}, key)) &&
        good("C_WrapKey", token_->C_WrapKey(session_, &mechanism, wrapping, key, blob, &length)) &&
        good("C_UnwrapKey", token_->C_UnwrapKey(session_, &mechanism, wrapping, blob, length, shape.data(),
                                                shape.size(), &unwrapped)) &&
        encrypt(key, before) && encrypt(unwrapped, after) && memcmp(before, after, sizeof before) != 0) {
      wrong_.add("unwrapped keys that are other keys");
    }
    destroy(unwrapped);
    destroy(key);
    destroy(wrapping);
  }

  bool mac(CK_OBJECT_HANDLE private_key, const std::vector<CK_BYTE>& point, CK_BYTE (&out)[48]) {
    std::vector<CK_BYTE> given(point);
    CK_ECDH1_DERIVE_PARAMS parameter{CKD_NULL, 0, nullptr, given.size(), given.data()};
    CK_MECHANISM ecdh{CKM_ECDH1_DERIVE, &parameter, sizeof parameter};
    Template shape = generic_key({.uses = kSign}, 48);
    CK_OBJECT_HANDLE secret = kNoObject;
    CK_MECHANISM hmac = plain(CKM_SHA384_HMAC);
    CK_BYTE message[] = {'k', 'e', 'y'};
    CK_ULONG length = sizeof out;
    const bool made = good("C_DeriveKey", token_->C_DeriveKey(session_, &ecdh, private_key, shape.data(),
                                                              shape.size(), &secret)) &&
                      good("C_SignInit", token_->C_SignInit(session_, &hmac, secret)) &&
                      good("C_Sign", token_->C_Sign(session_, message, sizeof message, out, &length));
    destroy(secret);
    return made;
  }

  void derive_round() {
    Pair pair;
    if (!good("C_GenerateKeyPair", token_.generate_pair(session_, {.uses = kDerive}, pair))) return;
    const std::vector<CK_BYTE> point = token_.point(session_, pair.public_key);
    CK_BYTE here[48];
    CK_BYTE there[48];
    if (point.empty()) {
      wrong_.add("points that were not told");
    } else if (mac(pair.private_key, peer_point_, here) && mac(peer_.private_key, point, there) &&
               memcmp(here, there, sizeof here) != 0) {
      wrong_.add("agreements on two secrets");
    }
    destroy(pair.private_key);
    destroy(pair.public_key);
  }

  void sign_round(unsigned long number) {
    CK_BYTE digest[48] = {};
    memcpy(digest, &number, sizeof number);
    CK_BYTE signature[256];
    CK_ULONG length = sizeof signature;
    CK_MECHANISM ecdsa = plain(CKM_ECDSA);
    if (!good("C_SignInit", token_->C_SignInit(session_, &ecdsa, signer_.private_key)) ||
        !good("C_Sign", token_->C_Sign(session_, digest, sizeof digest, signature, &length)) ||
        !good("C_VerifyInit", token_->C_VerifyInit(session_, &ecdsa, signer_.public_key))) {
      return;
    }
    const CK_RV rv = token_->C_Verify(session_, digest, sizeof digest, signature, length);
    if (rv != CKR_OK) wrong_.add("signatures that do not verify: " + hexadecimal(rv));
  }

  Token& token_;
  const Work& work_;
  Tally& wrong_;
  Tally& failures_;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  Pair peer_;
  Pair signer_;
  std::vector<CK_BYTE> peer_point_;
};

}  // namespace

void threads(Token& token, const Arguments& arguments) {
  token.open(arguments.text("locks") != "none");
  const Work work{arguments.number("derives", 0) != 0, arguments.number("signs", 0) != 0,
                  arguments.number("wrap-mechanism", 0)};
  const unsigned long count = arguments.number("threads", 16);
  const double until = now_us() + static_cast<double>(arguments.number("ms", 500)) * 1000;
  Tally wrong;
  Tally failures;
  std::atomic<unsigned long> rounds{0};
  begin("threads", "C_GenerateKey");
  std::vector<std::thread> running;
  for (unsigned long at = 0; at < count; ++at) {
    running.emplace_back([&] {
      Worker worker(token, work, wrong, failures);
      if (!worker.prepare()) return;
      do worker.round(++rounds);
      while (now_us() < until);
      worker.finish();
    });
  }
  for (std::thread& thread : running) thread.join();
  fact("rounds", rounds.load());
  wrong.tell("wrong");
  failures.tell("failed");
}

namespace {

// What makers and the searcher do at the same time, until something goes wrong or enough was made.
struct Bustle {
  bool of_token;
  unsigned long most;
  double until_us;
  std::atomic<unsigned long> made{0};
  std::atomic<bool> is_over{false};
  Tally wrong = {};
  Tally failures = {};

  bool goes_on() const { return !is_over && made < most && now_us() < until_us; }
  void failed(const char* call, CK_RV rv) {
    failures.failed(call, rv);
    is_over = true;
  }
  void is_wrong(const char* what) {
    wrong.add(what);
    is_over = true;
  }
};

void make_and_destroy(Token& token, Bustle& bustle) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  if (const CK_RV rv = token.open_session(session); rv != CKR_OK) return bustle.failed("C_OpenSession", rv);
  while (bustle.goes_on()) {
    CK_OBJECT_HANDLE key = kNoObject;
    CK_RV rv = token.generate_aes(session, {.uses = kEncrypt, .token = bustle.of_token, .id = "passing"}, key);
    if (rv != CKR_OK) {
      bustle.failed("C_GenerateKey", rv);
      continue;
    }
    ++bustle.made;
    rv = token->C_DestroyObject(session, key);
    if (rv != CKR_OK) bustle.failed("C_DestroyObject", rv);
  }
  token->C_CloseSession(session);
}

// By the identifier of the kept ones, or by the label that the passing ones share with them.
void search(Token& token, CK_SESSION_HANDLE session, const std::set<CK_OBJECT_HANDLE>& kept, bool by_label,
            Bustle& bustle) {
  Template shape;
  if (by_label) {
    shape.text(CKA_LABEL, kLabel).flag(CKA_TOKEN, bustle.of_token);
  } else {
    shape.text(CKA_ID, "kept").text(CKA_LABEL, kLabel);
  }
  std::vector<CK_OBJECT_HANDLE> found;
  const CK_RV rv = token.find(session, shape, found, 5);
  if (rv != CKR_OK) return bustle.failed("C_FindObjects", rv);
  const std::set<CK_OBJECT_HANDLE> distinct(found.begin(), found.end());
  unsigned long there = 0;
  for (const CK_OBJECT_HANDLE handle : kept) there += distinct.contains(handle) ? 1 : 0;
  if (there < kept.size()) bustle.is_wrong("searches that missed an object that was there all the time");
  if (distinct.size() < found.size()) bustle.is_wrong("searches that gave an object twice");
  if (!by_label && distinct.size() > there) bustle.is_wrong("searches that gave an object of another identifier");
}

}  // namespace

void finding(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE session = token.open();
  const bool of_token = arguments.text("objects") == "token";
  std::set<CK_OBJECT_HANDLE> kept;
  for (unsigned long at = 0; at < arguments.number("kept", 12); ++at) {
    CK_OBJECT_HANDLE key = kNoObject;
    const CK_RV rv = token.generate_aes(session, {.uses = kEncrypt, .token = of_token, .id = "kept"}, key);
    if (rv != CKR_OK) refuse("C_GenerateKey", rv);
    kept.insert(key);
  }
  Bustle bustle{of_token, arguments.number("made", 100),
                now_us() + static_cast<double>(arguments.number("ms", 500)) * 1000};
  begin("searches", "C_FindObjects");
  std::vector<std::thread> makers;
  for (unsigned long at = 0; at < arguments.number("makers", 2); ++at) {
    makers.emplace_back([&] { make_and_destroy(token, bustle); });
  }
  unsigned long searches = 0;
  do search(token, session, kept, ++searches % 2 == 0, bustle);
  while (bustle.goes_on());
  for (std::thread& maker : makers) maker.join();
  for (const CK_OBJECT_HANDLE handle : kept) token->C_DestroyObject(session, handle);
  fact("searches", searches);
  fact("made meanwhile", bustle.made.load());
  bustle.wrong.tell("wrong");
  bustle.failures.tell("failed");
}

}  // namespace keyferry_validate
