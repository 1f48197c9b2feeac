#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace keyferry_validate {
namespace {

void say(const std::string& line) {
  const std::string whole = line + "\n";
  // Whoever started this program is gone then.
  if (write(STDOUT_FILENO, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) _exit(4);
}

}  // namespace

std::string hexadecimal(unsigned long number) {
  char text[24];
  snprintf(text, sizeof text, "%lx", number);
  return text;
}

std::string hexadecimal(const CK_BYTE* octets, size_t length) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t at = 0; at < length; ++at) {
    text += kDigits[octets[at] >> 4];
    text += kDigits[octets[at] & 15];
  }
  return text;
}

void begin(const std::string& name, const char* call) { say("begin\t" + name + "\t" + call); }

CK_RV answer(const std::string& name, const char* call, CK_RV rv, CK_MECHANISM_TYPE mechanism) {
  const std::string type = mechanism == kNoMechanism ? "-" : hexadecimal(mechanism);
  say("answer\t" + name + "\t" + call + "\t" + type + "\t" + hexadecimal(rv));
  return rv;
}

void fact(const std::string& name, const std::string& text) { say("fact\t" + name + "\t" + text); }

void fact(const std::string& name, unsigned long number) { fact(name, std::to_string(number)); }

void refuse(const char* call, CK_RV rv) {
  say(std::string("refused\t") + call + "\t" + hexadecimal(rv));
  _exit(3);
}

void end() { say("end"); }

}  // namespace keyferry_validate
