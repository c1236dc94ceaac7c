// The binder of the KNN-Shapley family.
#pragma once

#include "bind/arrays.h"

namespace fsa {

void bind_knn_shapley(py::module_& m);

}  // namespace fsa
