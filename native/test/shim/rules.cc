#include "rules.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace keyferry_shim {
namespace {

// A rule that is misspelt must not look like a token without faults.
[[noreturn]] void refuse(const std::string& line) {
  fprintf(stderr, "keyferry shim: cannot read the rule \"%s\"\n", line.c_str());
  _exit(99);
}

bool parse_action(const std::string& word, Action& action, bool& has_argument) {
  static const struct {
    const char* word;
    Action action;
    bool has_argument;
  } kActions[] = {
      {"return", Action::kReturn, true},        {"call-return", Action::kCallReturn, true},
      {"flip", Action::kFlip, false},           {"silent", Action::kSilent, false},
      {"kill", Action::kKill, false},           {"kill-after", Action::kKillAfter, false},
      {"delay", Action::kDelay, true},          {"no-mechanism", Action::kNoMechanism, true},
      {"room", Action::kRoom, true},            {"room-end", Action::kRoomEnd, true},
      {"close-sessions", Action::kCloseSessions, false}, {"instead", Action::kInstead, true},
      {"true", Action::kTrue, true},            {"false", Action::kFalse, true},
      {"forget", Action::kForget, true},        {"any-point", Action::kAnyPoint, false},
      {"forbid", Action::kForbid, true},        {"need", Action::kNeed, true},
      {"list", Action::kList, true},            {"rsa-aes", Action::kRsaAes, true},
      {"iv-back", Action::kIvBack, false},      {"iv-front", Action::kIvFront, false},
      {"iv-zero", Action::kIvZero, false},      {"stop-early", Action::kStopEarly, false},
  };
  for (const auto& known : kActions) {
    if (word != known.word) continue;
    action = known.action;
    has_argument = known.has_argument;
    return true;
  }
  return false;
}

Rule parse(const std::string& line) {
  std::istringstream words(line);
  Rule rule{};
  std::string nth;
  std::string action;
  std::string argument;
  std::string rest;
  bool has_argument = false;
  if (!(words >> rule.function >> nth >> action) || !parse_action(action, rule.action, has_argument)) refuse(line);
  char* end = nullptr;
  if (nth != "*") {
    rule.nth = strtoul(nth.c_str(), &end, 10);
    if (*end != '\0' || rule.nth == 0) refuse(line);
  }
  if (has_argument) {
    if (!(words >> argument)) refuse(line);
    const bool decimal =
        rule.action == Action::kDelay || rule.action == Action::kRoom || rule.action == Action::kRoomEnd;
    rule.argument = strtoul(argument.c_str(), &end, decimal ? 10 : 16);
    if (*end != '\0') refuse(line);
  }
  if (rule.action == Action::kInstead) {
    if (!(words >> argument)) refuse(line);
    rule.other_argument = strtoul(argument.c_str(), &end, 16);
    if (*end != '\0') refuse(line);
  }
  if (words >> rest) refuse(line);
  return rule;
}

void wait_ms(CK_ULONG milliseconds) {
  struct timespec left{static_cast<time_t>(milliseconds / 1000), static_cast<long>(milliseconds % 1000 * 1000000)};
  while (nanosleep(&left, &left) != 0) {
  }
}

bool names(const Rule& rule, const char* function) { return rule.function == "*" || rule.function == function; }

}  // namespace

void Rules::refresh() {
  const char* path = getenv("KEYFERRY_SHIM_RULES");
  struct stat about;
  if (path == nullptr || stat(path, &about) != 0) {
    rules_.clear();
    identity_.clear();
    return;
  }
  char identity[160];
  snprintf(identity, sizeof identity, "%lu.%lu.%ld.%ld.%ld", about.st_dev, about.st_ino, about.st_mtim.tv_sec,
           about.st_mtim.tv_nsec, about.st_size);
  if (identity_ == identity) return;
  identity_ = identity;
  rules_.clear();
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos || line[0] == '#') continue;
    rules_.push_back(parse(line));
  }
}

Faults Rules::apply(const char* function, CK_MECHANISM_TYPE mechanism) {
  Faults faults;
  CK_ULONG delay = 0;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    refresh();
    for (Rule& rule : rules_) {
      if (!names(rule, function)) continue;
      ++rule.calls;
      if (rule.nth != 0 && rule.nth != rule.calls) continue;
      switch (rule.action) {
        case Action::kReturn:
          faults.answers = true;
          faults.rv = rule.argument;
          break;
        case Action::kCallReturn:
          faults.lies = true;
          faults.rv = rule.argument;
          break;
        case Action::kFlip:
          faults.flip = true;
          break;
        case Action::kSilent:
          faults.answers = true;
          faults.rv = CKR_OK;
          break;
        case Action::kKill:
          kill(getpid(), SIGKILL);
          break;
        case Action::kKillAfter:
          faults.kill_after = true;
          break;
        case Action::kCloseSessions:
          faults.closes_sessions = true;
          break;
        case Action::kRoom:
        case Action::kRoomEnd:
          faults.room = rule.argument;
          faults.room_ends = rule.action == Action::kRoomEnd;
          break;
        case Action::kDelay:
          delay += rule.argument;
          break;
        case Action::kNoMechanism:
          if (mechanism != kNoMechanism && mechanism == rule.argument) {
            faults.answers = true;
            faults.rv = CKR_MECHANISM_INVALID;
          }
          break;
        case Action::kInstead:
          if (mechanism == rule.argument) faults.mechanism = rule.other_argument;
          break;
        case Action::kTrue:
        case Action::kFalse:
        case Action::kForget:
          faults.attributes.push_back({rule.argument, rule.action});
          break;
        case Action::kList:
          break;
        case Action::kForbid:
        case Action::kNeed:
          faults.refusals.push_back({rule.argument, rule.action});
          break;
        case Action::kRsaAes:
          faults.rsa_aes = rule.argument;
          break;
        case Action::kIvBack:
        case Action::kIvFront:
        case Action::kIvZero:
          faults.makes_iv = mechanism == CKM_AES_GCM;
          faults.own_iv = rule.action;
          break;
        case Action::kStopEarly:
          faults.stops_early = true;
          break;
        case Action::kAnyPoint:
          faults.any_point = true;
          break;
      }
    }
  }
  if (delay > 0) wait_ms(delay);
  return faults;
}

std::vector<CK_MECHANISM_TYPE> Rules::listed() {
  const std::lock_guard<std::mutex> guard(mutex_);
  refresh();
  std::vector<CK_MECHANISM_TYPE> types;
  for (const Rule& rule : rules_) {
    if (rule.action == Action::kList) types.push_back(rule.argument);
  }
  return types;
}

bool Rules::hides(const char* function, CK_MECHANISM_TYPE mechanism) {
  const std::lock_guard<std::mutex> guard(mutex_);
  refresh();
  for (const Rule& rule : rules_) {
    if (rule.action == Action::kNoMechanism && names(rule, function) && rule.argument == mechanism) return true;
  }
  return false;
}

void Rules::count(const char* function, CK_MECHANISM_TYPE mechanism) {
  const char* path = getenv("KEYFERRY_SHIM_COUNT");
  if (path == nullptr) return;
  char line[128];
  const int length = mechanism == kNoMechanism ? snprintf(line, sizeof line, "%s\n", function)
                                               : snprintf(line, sizeof line, "%s 0x%lx\n", function, mechanism);
  const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, line, static_cast<size_t>(length)) != length) _exit(98);
  close(file);
}

}  // namespace keyferry_shim
