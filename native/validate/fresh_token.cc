// A token that only this validation has, for what may destroy it.
#include <stdio.h>
#include <string.h>

#include <algorithm>

#include "report.h"
#include "scenario.h"

namespace keyferry_validate {
namespace {

constexpr size_t kLabelBytes = 32;

keyferry::Pin pin_of(const Arguments& arguments, const std::string& name) {
  keyferry::Pin pin = keyferry::read_pin({arguments.text(name + "-kind"), arguments.text(name + "-where")});
  if (!pin.refusal.empty()) {
    fprintf(stderr, "%s: %s\n", name.c_str(), pin.refusal.c_str());
    refuse("C_InitToken", CKR_PIN_INVALID);
  }
  return pin;
}

}  // namespace

void fresh_token(Token& token, const Arguments& arguments) {
  const auto must = [](const char* call, CK_RV rv) {
    if (rv != CKR_OK) refuse(call, rv);
  };
  must("C_Initialize", token.initialise());
  std::vector<CK_SLOT_ID> slots(64);
  CK_ULONG count = slots.size();
  must("C_GetSlotList", token->C_GetSlotList(CK_TRUE, slots.data(), &count));
  slots.resize(count);
  const auto empty = std::find_if(slots.begin(), slots.end(), [&](CK_SLOT_ID slot) {
    CK_TOKEN_INFO info{};
    return token->C_GetTokenInfo(slot, &info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED) == 0;
  });
  if (empty == slots.end()) refuse("C_GetSlotList", CKR_TOKEN_NOT_PRESENT);
  keyferry::Pin so_pin = pin_of(arguments, "so-pin");
  keyferry::Pin pin = pin_of(arguments, "pin");
  // NSS softoken has its tokens from the start; their security officer has the empty PIN.
  if (so_pin.octets.size() > 0) {
    CK_UTF8CHAR label[kLabelBytes];
    memset(label, ' ', sizeof label);
    const std::string text = arguments.text("label");
    memcpy(label, text.data(), std::min(text.size(), sizeof label));
    must("C_InitToken", token->C_InitToken(*empty, so_pin.octets.data(), so_pin.octets.size(), label));
  }
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  must("C_OpenSession",
       token->C_OpenSession(*empty, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session));
  must("C_Login", token->C_Login(session, CKU_SO, so_pin.octets.data(), so_pin.octets.size()));
  must("C_InitPIN", token->C_InitPIN(session, pin.octets.data(), pin.octets.size()));
  token->C_CloseSession(session);
}

}  // namespace keyferry_validate
