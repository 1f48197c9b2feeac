// Where a PIN comes from: read into locked memory, never a JavaScript value.
#pragma once

#include <string>

#include "secret_bytes.h"

namespace keyferry {

struct PinSource {
  std::string kind;   // file, environment, prompt, empty
  std::string where;  // path, variable, label
};

struct Pin {
  SecretBytes octets;
  std::string refusal;  // empty where there is a PIN
};

// May block: a prompt waits for a person.
Pin read_pin(const PinSource& source);

// Writes a new random PIN, 32 letters and digits, into a file that must not exist; empty, or why not.
std::string generate_pin_file(const std::string& path);

}  // namespace keyferry
