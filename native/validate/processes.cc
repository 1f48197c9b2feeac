// A fork, death in the middle of work, and what it leaves: ROB-09 and ROB-14.
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "report.h"
#include "scenario.h"

namespace keyferry_validate {
namespace {

constexpr size_t kRandomBytes = 32;
constexpr unsigned kChildSeconds = 5;

// What a child of this process saw, in memory of its own until it is written through the pipe.
struct ChildAnswer {
  CK_RV random_rv;
  CK_BYTE random[kRandomBytes];
  CK_RV initialise_rv;
};

void child(Token& token, CK_SESSION_HANDLE session, int pipe) {
  // A lock that another thread of the parent held stays held in the child.
  alarm(kChildSeconds);
  ChildAnswer seen{};
  seen.random_rv = token->C_GenerateRandom(session, seen.random, sizeof seen.random);
  if (write(pipe, &seen, sizeof seen) != sizeof seen) _exit(1);
  seen.initialise_rv = token.initialise();
  if (write(pipe, &seen, sizeof seen) != sizeof seen) _exit(1);
  _exit(0);
}

std::string text_of(CK_RV rv) { return hexadecimal(rv); }

}  // namespace

void forked(Token& token, const Arguments&) {
  const CK_SESSION_HANDLE session = token.open();
  CK_BYTE octets[kRandomBytes] = {};
  begin("before the fork", "C_GenerateRandom");
  answer("before the fork", "C_GenerateRandom", token->C_GenerateRandom(session, octets, sizeof octets));
  std::set<std::string> random;
  unsigned long told = 0;
  for (int at = 0; at < 2; ++at) {
    int ends[2];
    if (pipe(ends) != 0) refuse("fork", CKR_HOST_MEMORY);
    const pid_t pid = fork();
    if (pid < 0) refuse("fork", CKR_HOST_MEMORY);
    if (pid == 0) {
      close(ends[0]);
      child(token, session, ends[1]);
    }
    close(ends[1]);
    ChildAnswer seen{};
    const bool used = read(ends[0], &seen, sizeof seen) == sizeof seen;
    if (used && at == 0) answer("the parent's session in a child", "C_GenerateRandom", seen.random_rv);
    if (used && seen.random_rv == CKR_OK) {
      random.insert(std::string(reinterpret_cast<char*>(seen.random), sizeof seen.random));
      ++told;
    }
    const bool initialised = read(ends[0], &seen, sizeof seen) == sizeof seen;
    if (initialised && at == 0) answer("in a child", "C_Initialize", seen.initialise_rv);
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    if (at == 0) {
      fact("end of the child", WIFEXITED(status) ? "exit " + std::to_string(WEXITSTATUS(status))
                                                 : std::string(strsignal(WTERMSIG(status))));
      fact("last that the child came to", initialised ? "C_Initialize" : used ? "C_GenerateRandom" : "nothing");
    }
  }
  begin("after the fork", "C_GenerateRandom");
  if (answer("after the fork", "C_GenerateRandom", token->C_GenerateRandom(session, octets, sizeof octets)) == CKR_OK) {
    random.insert(std::string(reinterpret_cast<char*>(octets), sizeof octets));
    ++told;
  }
  fact("octets that two processes share", random.size() == told ? "none" : "the same");
}

namespace {

// Logs out and in until somebody kills this process.
[[noreturn]] void log_in_again(Token& token, CK_SESSION_HANDLE session) {
  fact("ready", "yes");
  for (;;) {
    token->C_Logout(session);
    if (const CK_RV rv = token.login(session); rv != CKR_OK) refuse("C_Login", rv);
  }
}

}  // namespace

void mortal(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE session = token.open();
  if (arguments.number("logins", 0) != 0) log_in_again(token, session);
  CK_OBJECT_HANDLE wrapping = kNoObject;
  CK_OBJECT_HANDLE key = kNoObject;
  CK_MECHANISM wrap = plain(arguments.number("wrap-mechanism", 0));
  CK_BYTE blob[256];
  CK_ULONG length = sizeof blob;
  if (wrap.mechanism != 0) {
    CK_RV rv = token.generate_aes(session, {.uses = kWrap}, wrapping);
    if (rv == CKR_OK) rv = token.generate_aes(session, {.uses = kEncrypt, .extractable = true}, key);
    if (rv == CKR_OK) rv = token->C_WrapKey(session, &wrap, wrapping, key, blob, &length);
    if (rv != CKR_OK) refuse("C_WrapKey", rv);
  }
  fact("ready", "yes");
  for (unsigned long round = 0;; ++round) {
    const std::string id = std::to_string(getpid()) + "." + std::to_string(round);
    Pair pair;
    const bool paired = token.generate_pair(session, {.uses = kSign, .token = true, .id = id}, pair) == CKR_OK;
    CK_OBJECT_HANDLE unwrapped = kNoObject;
    Template shape = aes_key({.uses = kEncrypt, .token = true, .id = id}, false);
    const bool kept = wrap.mechanism != 0 && token->C_UnwrapKey(session, &wrap, wrapping, blob, length, shape.data(),
                                                                shape.size(), &unwrapped) == CKR_OK;
    if (paired) {
      token->C_DestroyObject(session, pair.private_key);
      token->C_DestroyObject(session, pair.public_key);
    }
    if (kept) token->C_DestroyObject(session, unwrapped);
  }
}

namespace {

// Uses a key of the killed process; empty, or what does not work.
std::string use(Token& token, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_OBJECT_CLASS kind) {
  CK_BYTE block[48] = {};
  CK_BYTE output[256];
  CK_ULONG length = sizeof output;
  CK_MECHANISM mechanism = plain(kind == CKO_SECRET_KEY ? CKM_AES_ECB : CKM_ECDSA);
  if (kind == CKO_SECRET_KEY) {
    const CK_RV rv = token->C_EncryptInit(session, &mechanism, key);
    if (rv != CKR_OK) return "C_EncryptInit " + text_of(rv);
    const CK_RV done = token->C_Encrypt(session, block, sizeof block, output, &length);
    return done == CKR_OK ? "" : "C_Encrypt " + text_of(done);
  }
  const CK_RV rv = token->C_SignInit(session, &mechanism, key);
  if (rv != CKR_OK) return "C_SignInit " + text_of(rv);
  const CK_RV done = token->C_Sign(session, block, sizeof block, output, &length);
  return done == CKR_OK ? "" : "C_Sign " + text_of(done);
}

}  // namespace

void inspection(Token& token, const Arguments&) {
  const CK_SESSION_HANDLE session = token.open();
  Template wanted;
  wanted.flag(CKA_TOKEN, true).text(CKA_LABEL, kLabel);
  std::vector<CK_OBJECT_HANDLE> found;
  begin("what is left", "C_FindObjects");
  if (answer("what is left", "C_FindObjects", token.find(session, wanted, found)) != CKR_OK) return;
  unsigned long broken = 0;
  std::set<std::string> halves[2];
  for (const CK_OBJECT_HANDLE object : found) {
    CK_OBJECT_CLASS kind = 0;
    CK_KEY_TYPE type = 0;
    CK_BYTE id[64];
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &kind, sizeof kind},
                                 {CKA_KEY_TYPE, &type, sizeof type},
                                 {CKA_ID, id, sizeof id}};
    const CK_RV rv = token->C_GetAttributeValue(session, object, attributes, 3);
    std::string wrong = rv == CKR_OK ? "" : "C_GetAttributeValue " + text_of(rv);
    if (rv == CKR_OK && kind != CKO_PUBLIC_KEY) wrong = use(token, session, object, kind);
    if (!wrong.empty()) {
      ++broken;
      fact("broken object", wrong);
    } else if (kind != CKO_SECRET_KEY) {
      halves[kind == CKO_PRIVATE_KEY ? 1 : 0].emplace(reinterpret_cast<char*>(id), attributes[2].ulValueLen);
    }
    token->C_DestroyObject(session, object);
  }
  unsigned long lone = 0;
  for (int side = 0; side < 2; ++side) {
    for (const std::string& id : halves[side]) lone += halves[1 - side].contains(id) ? 0 : 1;
  }
  fact("objects", found.size());
  fact("broken objects", broken);
  fact("halves of a pair without the other", lone);
  found.clear();
  begin("what is left in the end", "C_FindObjects");
  answer("what is left in the end", "C_FindObjects", token.find(session, wanted, found));
  fact("objects that could not be destroyed", found.size());
}

}  // namespace keyferry_validate
