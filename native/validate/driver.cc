// Calls that the addon never makes, on a module in a process of its own: the validation starts it, reads what it says
// and takes its crash, its silence and its corrupted heap for answers.
//
//     validation_driver <scenario> module=<path> <slot=<number> or label=<text>> pin-kind=<kind> pin-where=<place>
//                       [parameters=<text>] [deep-bind=off] [<name>=<value> of the scenario ...]
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "report.h"
#include "scenario.h"

namespace {

constexpr struct {
  const char* name;
  void (*run)(keyferry_validate::Token&, const keyferry_validate::Arguments&);
} kScenarios[] = {
    {"null-pointers", keyferry_validate::null_pointers},
    {"wrapped-blobs", keyferry_validate::wrapped_blobs},
    {"templates", keyferry_validate::templates},
    {"buffers", keyferry_validate::buffers},
    {"unavailable-attributes", keyferry_validate::unavailable_attributes},
    {"call-order", keyferry_validate::call_order},
    {"initialisation", keyferry_validate::initialisation},
    {"logins", keyferry_validate::logins},
    {"fresh-token", keyferry_validate::fresh_token},
    {"forked", keyferry_validate::forked},
    {"mortal", keyferry_validate::mortal},
    {"inspection", keyferry_validate::inspection},
    {"session-limit", keyferry_validate::session_limit},
    {"object-leak", keyferry_validate::object_leak},
    {"threads", keyferry_validate::threads},
    {"finding", keyferry_validate::finding},
    {"session-times", keyferry_validate::session_times},
    {"login-times", keyferry_validate::login_times},
};

}  // namespace

int main(int count, char** values) {
  using namespace keyferry_validate;
  // Not longer than whoever reads what it says.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const auto& scenario : kScenarios) {
    if (count < 2 || strcmp(values[1], scenario.name) != 0) continue;
    const Arguments arguments(count - 2, values + 2);
    Token token(arguments);
    scenario.run(token, arguments);
    begin("end", "C_Finalize");
    token->C_Finalize(nullptr);
    end();
    // Without the destructors of the libraries: what they do at the end of a process is no part of a scenario.
    _exit(0);
  }
  fprintf(stderr, "there is no such scenario\n");
  return 2;
}
