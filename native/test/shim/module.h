// The library behind the shim.
#pragma once

#include "../../src/cryptoki.h"

namespace keyferry_shim {

extern CK_FUNCTION_LIST_PTR module_functions;

}  // namespace keyferry_shim
