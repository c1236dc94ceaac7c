// Binds the Shapley regression: views of checked arrays, and one call per range of games.
#include "bind/shapley_regression.h"

#include "bind/lane_builds.h"
#include "ops/shapley_regression.h"

using py::arg;

namespace fsa {

void bind_shapley_regression(py::module_& m) {
  m.def("shapley_regression_workspace", [](int64_t n_samples, int64_t n_players, int64_t n_outputs) {
    return portable::shapley_regression_workspace(n_samples, n_players, n_outputs);  // the layout of every build
  });
  m.def("shapley_regression",
        [](Array<double> phi, Array<uint64_t> members, Array<double> values, std::optional<Array<double>> weight,
           Array<double> totals, int64_t begin, int64_t end, Array<int8_t> workspace, Array<int32_t> cancel,
           bool portable_build) {
          const ShapleyRegression body{members.data(),   values.data(), data_or_null(weight), totals.data(),
                                       phi.mutable_data(), values.shape(1), phi.shape(1),         phi.shape(2),
                                       values.shape(2) == 2};
          char* memory = reinterpret_cast<char*>(workspace.mutable_data());
          const auto launch = FSA_BUILD(shapley_regression, portable_build);
          py::gil_scoped_release released;
          launch(body, {begin, end}, memory, flag_of(cancel));
        },
        arg("phi").noconvert(), arg("members").noconvert(), arg("values").noconvert(), arg("weight").noconvert(),
        arg("totals").noconvert(), arg("begin"), arg("end"), arg("workspace").noconvert(), arg("cancel").noconvert(),
        arg("portable_build") = false);
}

}  // namespace fsa
