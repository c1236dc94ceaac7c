// The binder of the Shapley regression.
#pragma once

#include "bind/arrays.h"

namespace fsa {

void bind_shapley_regression(py::module_& m);

}  // namespace fsa
