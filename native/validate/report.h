// What the program says on standard output, a line at a time and each in one write, so that nothing is lost where the
// module takes the process down:
//
//     begin <case> <call>                       what is called next
//     answer <case> <call> <mechanism> <CKR_>   what it answered; both numbers hexadecimal, "-" for no mechanism
//     fact <name> <text>
//     refused <call> <CKR_>                     the token cannot be opened: nothing else follows
//     end                                       everything was done
//
// Fields are parted by tabs. Octets of keys and PINs are never among them.
#pragma once

#include <string>

#include "../src/cryptoki.h"

namespace keyferry_validate {

constexpr CK_MECHANISM_TYPE kNoMechanism = ~CK_MECHANISM_TYPE{0};

void begin(const std::string& name, const char* call);
// Gives the return value back.
CK_RV answer(const std::string& name, const char* call, CK_RV rv, CK_MECHANISM_TYPE mechanism = kNoMechanism);
void fact(const std::string& name, const std::string& text);
void fact(const std::string& name, unsigned long number);
[[noreturn]] void refuse(const char* call, CK_RV rv);
void end();

std::string hexadecimal(unsigned long number);
std::string hexadecimal(const CK_BYTE* octets, size_t length);

}  // namespace keyferry_validate
