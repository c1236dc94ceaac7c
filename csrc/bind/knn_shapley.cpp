// Binds the KNN-Shapley family: views of checked arrays, and one call per range of validation points.
#include "bind/knn_shapley.h"

#include "launch/isa.h"
#include "ops/knn_shapley.h"

using py::arg;

namespace fsa {

namespace {

Points points_of(const py::array& x, const std::optional<Array<double>>& scale) {
  const Precision precision = x.itemsize() == 2   ? Precision::kHalf
                              : x.itemsize() == 4 ? Precision::kSingle
                                                  : Precision::kDouble;
  return {x.data(), x.shape(0), x.shape(1), precision, scale ? scale->data() : nullptr};
}

#if defined(FSA_HAS_AVX2_BUILD)
template <class Function>
Function* build_for_machine(Function* for_avx2, Function* for_any, bool portable_build) {
  return has_avx2() && !portable_build ? for_avx2 : for_any;
}
#define FSA_BUILD(name, portable_build) build_for_machine(&avx2::name, &portable::name, portable_build)
#else
#define FSA_BUILD(name, portable_build) ((void)(portable_build), &portable::name)
#endif

void bind_problem(py::module_& m) {
  py::class_<NeighborProblem>(m, "NeighborProblem", "Points and what is known of them; keeps its arrays alive.")
      .def(py::init([](py::array train, py::array val, std::optional<Array<double>> train_scale,
                       std::optional<Array<double>> val_scale, int32_t metric, std::optional<Array<int32_t>> classes,
                       std::optional<Array<int32_t>> val_classes, bool self) {
             return NeighborProblem{points_of(train, train_scale), points_of(val, val_scale),
                                    static_cast<Metric>(metric),   classes ? classes->data() : nullptr,
                                    val_classes ? val_classes->data() : nullptr, self};
           }),
           arg("train"), arg("val"), arg("train_scale").noconvert(), arg("val_scale").noconvert(), arg("metric"),
           arg("classes").noconvert(), arg("val_classes").noconvert(), arg("self"), py::keep_alive<1, 2>(),
           py::keep_alive<1, 3>(), py::keep_alive<1, 4>(), py::keep_alive<1, 5>(), py::keep_alive<1, 7>(),
           py::keep_alive<1, 8>());
  py::class_<NeighborCut>(m, "NeighborCut", "How a problem is cut into blocks.")
      .def(py::init<int64_t, int64_t, int64_t>(), arg("val_per_block"), arg("points_per_block"), arg("sample"));
  m.def("neighbor_workspace", [](const NeighborProblem& problem, const NeighborCut& cut) {
    return portable::neighbor_workspace(problem, cut);  // the layout is the same for every build
  });
}

}  // namespace

void bind_knn_shapley(py::module_& m) {
  bind_problem(m);
  m.def("match_values",
        [](const NeighborProblem& problem, const NeighborCut& cut, Array<double> step, double offset, double slope,
           Array<double> out, int64_t first_val, int64_t val_per_row, int64_t begin, int64_t end, Array<int8_t> workspace,
           Array<int32_t> cancel, bool portable_build) {
          const auto launch = FSA_BUILD(match_values, portable_build);
          const MatchSteps steps{step.data(), offset, slope};
          const ValueRows values{mutable_rows_of(out), first_val, val_per_row};
          char* memory = reinterpret_cast<char*>(workspace.mutable_data());
          py::gil_scoped_release released;
          launch(problem, cut, steps, values, {begin, end}, memory, flag_of(cancel));
        },
        arg("problem"), arg("cut"), arg("step").noconvert(), arg("offset"), arg("slope"), arg("out").noconvert(),
        arg("first_val"), arg("val_per_row"), arg("begin"), arg("end"), arg("workspace").noconvert(), arg("cancel").noconvert(),
        arg("portable_build") = false);
}

}  // namespace fsa
