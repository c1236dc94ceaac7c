// The binder of what is asked along walks.
#pragma once

#include "bind/arrays.h"

namespace fsa {

void bind_along_walks(py::module_& m);

}  // namespace fsa
