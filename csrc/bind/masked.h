// The binder of masking.
#pragma once

#include "bind/arrays.h"

namespace fsa {

void bind_masked(py::module_& m);

}  // namespace fsa
