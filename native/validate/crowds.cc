// Many sessions and many objects, and how long sessions and logins take: ROB-11, ROB-13, PRF-08 and PRF-09.
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "report.h"
#include "scenario.h"

namespace keyferry_validate {
namespace {

// Octets of memory that the system has given to this process.
unsigned long resident_bytes() {
  FILE* file = fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long size = 0;
  unsigned long resident = 0;
  const int read = fscanf(file, "%lu %lu", &size, &resident);
  fclose(file);
  return read == 2 ? resident * static_cast<unsigned long>(sysconf(_SC_PAGESIZE)) : 0;
}

struct Opened {
  std::vector<CK_SESSION_HANDLE> sessions;
  CK_RV last = CKR_OK;
};

Opened open_many(Token& token, unsigned long most) {
  Opened opened;
  while (opened.sessions.size() < most) {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    opened.last = token.open_session(session);
    if (opened.last != CKR_OK) break;
    opened.sessions.push_back(session);
  }
  return opened;
}

unsigned long count_objects(Token& token, CK_SESSION_HANDLE session, bool of_token) {
  Template wanted;
  wanted.flag(CKA_TOKEN, of_token).text(CKA_LABEL, kLabel);
  std::vector<CK_OBJECT_HANDLE> found;
  const CK_RV rv = token.find(session, wanted, found);
  if (rv != CKR_OK) answer("count", "C_FindObjects", rv);
  return found.size();
}

// Makes and destroys keys, some at a time, and says what that cost in memory after a start that does not count.
void churn(Token& token, CK_SESSION_HANDLE session, const std::string& name, bool of_token, unsigned long most,
           unsigned long ms) {
  constexpr unsigned long kAtOnce = 20;
  const unsigned long warm = most / 5;
  const double until = now_us() + static_cast<double>(ms) * 1000;
  unsigned long resident = 0;
  unsigned long failures = 0;
  const unsigned long before = count_objects(token, session, of_token);
  begin(name, "C_GenerateKey");
  unsigned long made = 0;
  unsigned long measured_from = 0;
  while (made < most && now_us() < until) {
    if (resident == 0 && made >= warm) {
      resident = resident_bytes();
      measured_from = made;
    }
    std::vector<CK_OBJECT_HANDLE> keys;
    for (unsigned long at = 0; at < kAtOnce && made < most; ++at, ++made) {
      CK_OBJECT_HANDLE key = kNoObject;
      const CK_RV rv = token.generate_aes(session, {.uses = kEncrypt, .token = of_token}, key);
      if (rv == CKR_OK) {
        keys.push_back(key);
      } else if (failures++ == 0) {
        answer(name, "C_GenerateKey", rv);
      }
    }
    for (const CK_OBJECT_HANDLE key : keys) {
      const CK_RV rv = token->C_DestroyObject(session, key);
      if (rv != CKR_OK && failures++ == 0) answer(name, "C_DestroyObject", rv);
    }
  }
  const unsigned long end = resident_bytes();
  fact(name + ": made", made);
  fact(name + ": failures", failures);
  fact(name + ": left", count_objects(token, session, of_token) - before);
  if (resident == 0 || made == measured_from) return;
  fact(name + ": measured", made - measured_from);
  fact(name + ": octets of memory", end <= resident ? 0 : end - resident);
}

// The distribution of latencies, as facts.
void times(std::vector<double>& latencies_us, double seconds) {
  std::sort(latencies_us.begin(), latencies_us.end());
  const auto at = [&](double share) {
    if (latencies_us.empty()) return 0.0;
    const auto index = static_cast<size_t>(static_cast<double>(latencies_us.size()) * share);
    return latencies_us[std::min(latencies_us.size() - 1, index)];
  };
  char text[32];
  fact("operations", latencies_us.size());
  snprintf(text, sizeof text, "%.2f", at(0.5));
  fact("p50 us", text);
  snprintf(text, sizeof text, "%.2f", at(0.99));
  fact("p99 us", text);
  snprintf(text, sizeof text, "%.6f", seconds);
  fact("seconds", text);
}

}  // namespace

void session_limit(Token& token, const Arguments& arguments) {
  const unsigned long most = arguments.number("most", 1000);
  const CK_SESSION_HANDLE first = token.open();
  begin("sessions", "C_OpenSession");
  Opened opened = open_many(token, most);
  answer("sessions", "C_OpenSession", opened.last);
  fact("sessions", opened.sessions.size());
  begin("sessions", "C_CloseSession");
  CK_RV closed = CKR_OK;
  for (const CK_SESSION_HANDLE session : opened.sessions) {
    const CK_RV rv = token->C_CloseSession(session);
    if (rv != CKR_OK) closed = rv;
  }
  answer("sessions", "C_CloseSession", closed);
  // One less than there were, or a few where there was no end to them.
  const unsigned long again = std::min<unsigned long>(opened.sessions.size(), 16);
  begin("sessions again", "C_OpenSession");
  Opened reopened = open_many(token, again);
  answer("sessions again", "C_OpenSession", reopened.last);
  for (const CK_SESSION_HANDLE session : reopened.sessions) token->C_CloseSession(session);
  CK_BYTE octets[16];
  begin("the first session, afterwards", "C_GenerateRandom");
  answer("the first session, afterwards", "C_GenerateRandom", token->C_GenerateRandom(first, octets, sizeof octets));
}

void object_leak(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE session = token.open();
  const unsigned long ms = arguments.number("ms", 5000);
  churn(token, session, "session objects", false, arguments.number("session-objects", 1000), ms);
  churn(token, session, "token objects", true, arguments.number("token-objects", 100), ms);
}

void session_times(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE kept = token.open();
  const unsigned long threads = arguments.number("threads", 1);
  const double until = now_us() + static_cast<double>(arguments.number("ms", 100)) * 1000;
  std::vector<std::vector<double>> each(threads);
  std::atomic<CK_RV> failure{CKR_OK};
  const double began = now_us();
  std::vector<std::thread> running;
  for (unsigned long at = 0; at < threads; ++at) {
    running.emplace_back([&token, &failure, &mine = each[at], until] {
      // Once at least: a thread may be late on a busy machine.
      double from = now_us();
      do {
        CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
        CK_RV rv = token.open_session(session);
        if (rv == CKR_OK) rv = token->C_CloseSession(session);
        if (rv != CKR_OK) {
          failure = rv;
          return;
        }
        const double to = now_us();
        mine.push_back(to - from);
        from = to;
      } while (from < until);
    });
  }
  for (std::thread& thread : running) thread.join();
  const double seconds = (now_us() - began) / 1e6;
  std::vector<double> all;
  for (const auto& mine : each) all.insert(all.end(), mine.begin(), mine.end());
  answer("every session", "C_OpenSession", failure);
  times(all, seconds);
  token->C_CloseSession(kept);
}

void login_times(Token& token, const Arguments& arguments) {
  const CK_SESSION_HANDLE session = token.open();
  const double until = now_us() + static_cast<double>(arguments.number("ms", 100)) * 1000;
  const unsigned long least = arguments.number("least", 3);
  std::vector<double> latencies;
  double busy = 0;
  while (latencies.size() < least || now_us() < until) {
    if (const CK_RV rv = token->C_Logout(session); rv != CKR_OK) {
      answer("every logout", "C_Logout", rv);
      break;
    }
    const double from = now_us();
    if (const CK_RV rv = token.login(session); rv != CKR_OK) {
      answer("every login", "C_Login", rv);
      break;
    }
    latencies.push_back(now_us() - from);
    busy += latencies.back();
  }
  times(latencies, busy / 1e6);
}

}  // namespace keyferry_validate
