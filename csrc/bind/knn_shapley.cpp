// Binds the KNN-Shapley family: views of checked arrays, and one call per range of validation points.
#include "bind/knn_shapley.h"

#include "bind/lane_builds.h"
#include "ops/knn_shapley.h"

using py::arg;

namespace fsa {

namespace {

Points points_of(const py::array& x, const std::optional<Array<double>>& scale) {
  return {x.data(), x.shape(0), x.shape(1), precision_of(x.itemsize()), scale ? scale->data() : nullptr};
}

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

// The last arguments of every launcher: where values go, the validation points to do, scratch, the cancel flag.
#define FSA_RANGE_ARGUMENTS                                                                                     \
  Array<double> out, int64_t first_val, int64_t val_per_row, int64_t begin, int64_t end, Array<int8_t> workspace, \
      Array<int32_t> cancel, bool portable_build
#define FSA_RANGE_NAMES                                                                                  \
  arg("out").noconvert(), arg("first_val"), arg("val_per_row"), arg("begin"), arg("end"),                \
      arg("workspace").noconvert(), arg("cancel").noconvert(), arg("portable_build") = false

template <class Launch, class Terms>
void launch_on(Launch* launch, const NeighborProblem& problem, const NeighborCut& cut, const Terms& terms,
               Array<double>& out, int64_t first_val, int64_t val_per_row, Range val, Array<int8_t>& workspace,
               const Array<int32_t>& cancel) {
  const ValueRows values{mutable_rows_of(out), first_val, val_per_row};
  char* memory = reinterpret_cast<char*>(workspace.mutable_data());
  py::gil_scoped_release released;
  launch(problem, cut, terms, values, val, memory, flag_of(cancel));
}

template <class Launch, class Terms>
void launch_on_lists(Launch* launch, const NeighborLists& lists, const Terms& terms, Array<double>& out,
                     int64_t first_val, int64_t val_per_row, Range val, Array<int8_t>& workspace,
                     const Array<int32_t>& cancel) {
  const ValueRows values{mutable_rows_of(out), first_val, val_per_row};
  char* memory = reinterpret_cast<char*>(workspace.mutable_data());
  py::gil_scoped_release released;
  launch(lists, terms, values, val, memory, flag_of(cancel));
}

void bind_terms(py::module_& m) {
  py::class_<MatchSteps>(m, "MatchSteps", "Keeps its array alive.")
      .def(py::init([](Array<double> step, double offset, double slope) {
             return MatchSteps{step.data(), offset, slope};
           }),
           arg("step").noconvert(), arg("offset"), arg("slope"), py::keep_alive<1, 2>());
  py::class_<ClockedSteps>(m, "ClockedSteps", "Keeps its arrays alive.")
      .def(py::init([](Array<double> step, double offset, double slope, Array<double> seconds) {
             return ClockedSteps{{step.data(), offset, slope}, seconds.mutable_data()};
           }),
           arg("step").noconvert(), arg("offset"), arg("slope"), arg("seconds").noconvert(), py::keep_alive<1, 2>(),
           py::keep_alive<1, 5>());
  py::class_<NearestSteps>(m, "NearestSteps", "Keeps its array alive.")
      .def(py::init([](Array<double> step) { return NearestSteps{{step.data(), 0.0, 0.0}, step.shape(0)}; }),
           arg("step").noconvert(), py::keep_alive<1, 2>());
  py::class_<RegressionTerms>(m, "RegressionTerms", "Keeps its arrays alive.")
      .def(py::init([](Array<double> targets, Array<double> val_targets, Array<double> few, Array<double> nearer,
                       Array<double> farther, int64_t k) {
             return RegressionTerms{targets.data(), val_targets.data(), few.data(), nearer.data(), farther.data(), k};
           }),
           arg("targets").noconvert(), arg("val_targets").noconvert(), arg("few").noconvert(),
           arg("nearer").noconvert(), arg("farther").noconvert(), arg("k"), py::keep_alive<1, 2>(),
           py::keep_alive<1, 3>(), py::keep_alive<1, 4>(), py::keep_alive<1, 5>(), py::keep_alive<1, 6>());
  py::class_<WeightedVote>(m, "WeightedVote", "Keeps its arrays alive.")
      .def(py::init([](Array<double> size, Array<double> tail, std::optional<Array<double>> weights, int64_t k,
                       int32_t most, int64_t cutoff) {
             return WeightedVote{size.data(), tail.data(), data_or_null(weights), k, most, cutoff};
           }),
           arg("size").noconvert(), arg("tail").noconvert(), arg("weights").noconvert(), arg("k"), arg("most"),
           arg("cutoff"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>());
  py::class_<ThresholdTerms>(m, "ThresholdTerms", "Keeps its arrays alive.")
      .def(py::init([](double radius, Array<double> of_match, Array<double> of_other, Array<double> per_match) {
             return ThresholdTerms{radius, of_match.data(), of_other.data(), per_match.data()};
           }),
           arg("radius"), arg("of_match").noconvert(), arg("of_other").noconvert(), arg("per_match").noconvert(),
           py::keep_alive<1, 3>(), py::keep_alive<1, 4>(), py::keep_alive<1, 5>());
  py::class_<NeighborLists>(m, "NeighborLists", "Keeps its arrays alive.")
      .def(py::init([](Array<int64_t> offsets, Array<int32_t> points, std::optional<Array<int32_t>> classes,
                       std::optional<Array<int32_t>> val_classes, int64_t longest) {
             return NeighborLists{offsets.data(), points.data(), classes ? classes->data() : nullptr,
                                  val_classes ? val_classes->data() : nullptr, longest};
           }),
           arg("offsets").noconvert(), arg("points").noconvert(), arg("classes").noconvert(),
           arg("val_classes").noconvert(), arg("longest"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>(),
           py::keep_alive<1, 4>(), py::keep_alive<1, 5>());
}

void bind_workspaces(py::module_& m) {  // their layouts are the same for every build
  m.def("nearest_workspace", [](const NeighborProblem& problem, const NeighborCut& cut, int64_t ranks) {
    return portable::nearest_workspace(problem, cut, ranks);
  });
  m.def("regression_workspace", [](int64_t n) { return portable::regression_workspace(n); });
  m.def("weighted_workspace",
        [](const WeightedVote& vote, int64_t n) { return portable::weighted_workspace(vote, n); });
  m.def("lists_workspace", [](int64_t longest) { return portable::lists_workspace(longest); });
}

}  // namespace

#define FSA_BIND(name, Terms)                                                                                      \
  m.def(#name,                                                                                                     \
        [](const NeighborProblem& problem, const NeighborCut& cut, const Terms& terms, FSA_RANGE_ARGUMENTS) {      \
          launch_on(FSA_BUILD(name, portable_build), problem, cut, terms, out, first_val, val_per_row, {begin, end}, \
                    workspace, cancel);                                                                            \
        },                                                                                                         \
        arg("problem"), arg("cut"), arg("terms"), FSA_RANGE_NAMES)
#define FSA_BIND_LISTED(name, Terms)                                                                            \
  m.def(#name,                                                                                                  \
        [](const NeighborLists& lists, const Terms& terms, FSA_RANGE_ARGUMENTS) {                               \
          launch_on_lists(FSA_BUILD(name, portable_build), lists, terms, out, first_val, val_per_row, {begin, end}, \
                          workspace, cancel);                                                                   \
        },                                                                                                      \
        arg("lists"), arg("terms"), FSA_RANGE_NAMES)

void bind_knn_shapley(py::module_& m) {
  bind_problem(m);
  bind_terms(m);
  bind_workspaces(m);
  FSA_BIND(match_values, MatchSteps);
  FSA_BIND(clocked_match_values, ClockedSteps);
  FSA_BIND(nearest_match_values, NearestSteps);
  FSA_BIND(regression_values, RegressionTerms);
  FSA_BIND(weighted_values, WeightedVote);
  FSA_BIND(threshold_values, ThresholdTerms);
  FSA_BIND_LISTED(listed_match_values, MatchSteps);
  FSA_BIND_LISTED(listed_regression_values, RegressionTerms);
}

}  // namespace fsa
