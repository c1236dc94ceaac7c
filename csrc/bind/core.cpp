// The _core module: takes pointers out of checked arrays, releases the GIL and calls one launcher.
#include "bind/arrays.h"
#include "bind/along_walks.h"
#include "bind/knn_shapley.h"
#include "bind/masked.h"
#include "bind/shapley_regression.h"
#include "launch/isa.h"
#include "ops/background.h"
#include "ops/coalitions.h"
#include "ops/knn.h"
#include "ops/logistic.h"
#include "ops/memberships.h"
#include "ops/open.h"
#include "ops/permutations.h"
#include "ops/statistics.h"

using namespace fsa;
using py::arg;

namespace {

using Ids = std::optional<Array<uint64_t>>;
using Samples = std::optional<Array<uint32_t>>;

void bind_draws(py::module_& m) {
  m.def("permutations",
        [](Array<int32_t> out, uint64_t seed, uint8_t role, Ids ids, Samples samples, uint32_t first_sample,
           int64_t begin, int64_t end, Array<int32_t> cancel) {
          const RowLanes lanes{seed, role, data_or_null(ids), data_or_null(samples), first_sample};
          const Permutations body{mutable_rows_of(out), lanes};
          py::gil_scoped_release released;
          permutations(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("seed"), arg("role"), arg("ids").noconvert(), arg("samples").noconvert(),
        arg("first_sample"), arg("begin"), arg("end"), arg("cancel").noconvert());
  m.def("prefix_coalitions",
        [](Array<uint64_t> out, Array<int32_t> orders, int64_t begin, int64_t end, Array<int32_t> cancel) {
          const PrefixCoalitions body{rows_of(orders), out.mutable_data()};
          py::gil_scoped_release released;
          prefix_coalitions(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("orders").noconvert(), arg("begin"), arg("end"), arg("cancel").noconvert());
  m.def("are_permutations", [](Array<int32_t> orders) { return are_permutations(rows_of(orders)); },
        arg("orders").noconvert());
  m.def("subsets",
        [](Array<uint64_t> out, int64_t n_players, std::optional<Array<double>> cumulative, uint64_t coin,
           uint64_t seed, uint8_t role, Ids ids, Samples samples, uint32_t first_sample, int64_t begin, int64_t end,
           Array<int32_t> cancel) {
          const SubsetLaw law{data_or_null(cumulative), coin};
          const RowLanes lanes{seed, role, data_or_null(ids), data_or_null(samples), first_sample};
          const Subsets body{mutable_rows_of(out), n_players, law, lanes};
          py::gil_scoped_release released;
          subsets(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("n_players"), arg("cumulative").noconvert(), arg("coin"), arg("seed"), arg("role"),
        arg("ids").noconvert(), arg("samples").noconvert(), arg("first_sample"), arg("begin"), arg("end"),
        arg("cancel").noconvert());
  m.def("draw_sizes",
        [](Array<int64_t> sizes, Array<uint64_t> ids, Array<uint32_t> samples, int64_t min_size, int64_t max_size,
           uint64_t seed, uint8_t role, int64_t begin, int64_t end, Array<int32_t> cancel) {
          const RowLanes lanes{seed, role, ids.data(), samples.data(), 0};
          const DrawsWithReplacement body{{}, sizes.mutable_data(), 0, min_size, max_size, lanes};
          py::gil_scoped_release released;
          draw_sizes(body, {begin, end}, flag_of(cancel));
        },
        arg("sizes").noconvert(), arg("ids").noconvert(), arg("samples").noconvert(), arg("min_size"), arg("max_size"),
        arg("seed"), arg("role"), arg("begin"), arg("end"), arg("cancel").noconvert());
  m.def("draw_players",
        [](Array<int32_t> players, Array<int64_t> offsets, Array<uint64_t> ids, Array<uint32_t> samples,
           int64_t n_players, int64_t min_size, int64_t max_size, uint64_t seed, uint8_t role, int64_t begin,
           int64_t end, Array<int32_t> cancel) {
          const RowLanes lanes{seed, role, ids.data(), samples.data(), 0};
          const DrawsWithReplacement body{{players.mutable_data(), offsets.data()}, nullptr, n_players, min_size,
                                          max_size, lanes};
          py::gil_scoped_release released;
          draw_players(body, {begin, end}, flag_of(cancel));
        },
        arg("players").noconvert(), arg("offsets").noconvert(), arg("ids").noconvert(), arg("samples").noconvert(),
        arg("n_players"), arg("min_size"), arg("max_size"), arg("seed"), arg("role"), arg("begin"), arg("end"),
        arg("cancel").noconvert());
  m.def("count_members",
        [](Array<int64_t> sizes, Array<uint64_t> bits, int64_t begin, int64_t end, Array<int32_t> cancel) {
          const CountMembers body{rows_of(bits), sizes.mutable_data()};
          py::gil_scoped_release released;
          count_members(body, {begin, end}, flag_of(cancel));
        },
        arg("sizes").noconvert(), arg("bits").noconvert(), arg("begin"), arg("end"), arg("cancel").noconvert());
  m.def("list_members",
        [](Array<int32_t> players, Array<int64_t> offsets, Array<uint64_t> bits, int64_t begin, int64_t end,
           Array<int32_t> cancel) {
          const ListMembers body{rows_of(bits), {players.mutable_data(), offsets.data()}};
          py::gil_scoped_release released;
          list_members(body, {begin, end}, flag_of(cancel));
        },
        arg("players").noconvert(), arg("offsets").noconvert(), arg("bits").noconvert(), arg("begin"), arg("end"),
        arg("cancel").noconvert());
  m.def("background_rows",
        [](Array<int64_t> out, uint32_t n_background, Array<uint64_t> ids, Array<uint32_t> samples, uint64_t seed,
           uint8_t role, int64_t begin, int64_t end, Array<int32_t> cancel) {
          const BackgroundRows body{out.mutable_data(), n_background, {seed, role, ids.data(), samples.data(), 0}};
          py::gil_scoped_release released;
          background_rows(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("n_background"), arg("ids").noconvert(), arg("samples").noconvert(), arg("seed"),
        arg("role"), arg("begin"), arg("end"), arg("cancel").noconvert());
}

void bind_statistics(py::module_& m) {
  m.def("add_contributions",
        [](Array<int64_t> count, Array<double> mean, Array<double> deviation, Array<double> values,
           Array<int64_t> items, Array<int64_t> after, Array<int64_t> before, Array<int32_t> cancel) {
          const AddContributions body{{count.mutable_data(), mutable_rows_of(mean), mutable_rows_of(deviation)},
                                      rows_of(values), items.data(), after.data(), before.data()};
          const Range contributions{0, items.shape(0)};
          py::gil_scoped_release released;
          add_contributions(body, contributions, flag_of(cancel));
        },
        arg("count").noconvert(), arg("mean").noconvert(), arg("deviation").noconvert(), arg("values").noconvert(),
        arg("items").noconvert(), arg("after").noconvert(), arg("before").noconvert(), arg("cancel").noconvert());
}

void bind_walks(py::module_& m) {
  py::class_<Walks>(m, "Walks", "A view of walks; keeps its arrays alive.")
      .def(py::init([](Array<int32_t> players, Array<int64_t> offsets, Array<int32_t> scored,
                       Array<int64_t> scored_offsets, Array<int32_t> branches, Array<int64_t> branch_offsets,
                       int64_t n_outputs, bool many_branches) {
             return Walks{{players.data(), offsets.data()},
                          {scored.data(), scored_offsets.data()},
                          {branches.data(), branch_offsets.data()},
                          n_outputs,
                          many_branches};
           }),
           arg("players").noconvert(), arg("offsets").noconvert(), arg("scored").noconvert(),
           arg("scored_offsets").noconvert(), arg("branches").noconvert(), arg("branch_offsets").noconvert(),
           arg("n_outputs"), arg("many_branches") = false, py::keep_alive<1, 2>(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>(),
           py::keep_alive<1, 5>(), py::keep_alive<1, 6>(), py::keep_alive<1, 7>());
  m.def("are_within_bounds",
        [](const Walks& walks, int64_t n_walks, int64_t n_players) {
          py::gil_scoped_release released;
          return are_within_bounds(walks, n_walks, n_players);
        },
        arg("walks"), arg("n_walks"), arg("n_players"));
  m.def("memberships",
        [](Array<bool> out, const Walks& walks, int64_t n_walks, int64_t first, int64_t begin, int64_t end,
           Array<int32_t> cancel) {
          const Memberships body{walks, n_walks, first, mutable_rows_of(out)};
          py::gil_scoped_release released;
          memberships(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("walks"), arg("n_walks"), arg("first"), arg("begin"), arg("end"),
        arg("cancel").noconvert());
}

void bind_knn(py::module_& m) {
  m.def("squared_distances",
        [](Array<double> out, Array<double> points, Array<double> val_transposed, int64_t begin, int64_t end,
           Array<int32_t> cancel) {
          const SquaredDistances body{mutable_rows_of(out), rows_of(points), rows_of(val_transposed)};
          py::gil_scoped_release released;
          squared_distances(body, {begin, end}, flag_of(cancel));
        },
        arg("out").noconvert(), arg("points").noconvert(), arg("val_transposed").noconvert(), arg("begin"), arg("end"),
        arg("cancel").noconvert());
  py::class_<KnnTile>(m, "KnnTile", "One tile of validation points; keeps its arrays alive.")
      .def(py::init([](Array<double> distances, Array<int32_t> classes, Array<int32_t> val_classes, int32_t n_classes,
                       int32_t k, int32_t score, int64_t first_output) {
             return KnnTile{rows_of(distances), classes.data(), val_classes.data(), n_classes, k,
                            static_cast<KnnScore>(score), first_output};
           }),
           arg("distances").noconvert(), arg("classes").noconvert(), arg("val_classes").noconvert(), arg("n_classes"),
           arg("k"), arg("score"), arg("first_output"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>());
  m.def("knn_workspace", [](int64_t n_val, int32_t k) { return 2 * KnnState::bytes(n_val, k); }, arg("n_val"), arg("k"));
  m.def("walk_knn",
        [](const KnnTile& tile, const Walks& walks, int64_t begin, int64_t end, Array<double> values,
           Array<int8_t> workspace, Array<int32_t> cancel) {
          double* out = values.mutable_data();
          char* memory = reinterpret_cast<char*>(workspace.mutable_data());
          py::gil_scoped_release released;
          return static_cast<int32_t>(walk_knn(tile, walks, {begin, end}, out, memory, flag_of(cancel)));
        },
        arg("tile"), arg("walks"), arg("begin"), arg("end"), arg("values").noconvert(), arg("workspace").noconvert(),
        arg("cancel").noconvert());
}

using LogisticWalk = decltype(&portable::walk_logistic);

LogisticWalk logistic_walk(bool portable_build) {
#if defined(FSA_HAS_AVX2_BUILD)
  if (has_avx2() && !portable_build) return &avx2::walk_logistic;
#endif
  (void)portable_build;
  return &portable::walk_logistic;
}

void bind_logistic(py::module_& m) {
  py::class_<LogisticProblem>(m, "LogisticProblem", "What every logistic walk reads; keeps its arrays alive.")
      .def(py::init([](Array<double> features, Array<int32_t> classes, Array<double> val_panels,
                       Array<int32_t> val_classes, int64_t n_features, int32_t n_classes, double penalty, double reach,
                       Array<double> reference_weights, Array<int64_t> reference_sizes,
                       int32_t score) {
             return LogisticProblem{rows_of(features), classes.data(), rows_of(val_panels), val_classes.data(),
                                    val_classes.shape(0), n_features, n_classes, penalty, reach,
                                    rows_of(reference_weights), reference_sizes.data(), reference_sizes.shape(0),
                                    static_cast<LogisticScore>(score)};
           }),
           arg("features").noconvert(), arg("classes").noconvert(), arg("val_panels").noconvert(),
           arg("val_classes").noconvert(), arg("n_features"), arg("n_classes"), arg("penalty"), arg("reach"),
           arg("reference_weights").noconvert(), arg("reference_sizes").noconvert(),
           arg("score"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>(), py::keep_alive<1, 5>(),
           py::keep_alive<1, 10>(), py::keep_alive<1, 11>());
  m.def("logistic_workspace", [](const LogisticProblem& problem, int64_t most_members) {
    return portable::logistic_workspace(problem, most_members);  // the layout is the same for every build
  });
  m.def("walk_logistic",
        [](const LogisticProblem& problem, const Walks& walks, int64_t begin, int64_t end, Array<double> values,
           Array<int8_t> workspace, int64_t most_members, Array<int32_t> cancel, bool portable_build) {
          double* out = values.mutable_data();
          char* memory = reinterpret_cast<char*>(workspace.mutable_data());
          const LogisticWalk walk = logistic_walk(portable_build);
          py::gil_scoped_release released;
          return static_cast<int32_t>(walk(problem, walks, {begin, end}, out, memory, most_members, flag_of(cancel)));
        },
        arg("problem"), arg("walks"), arg("begin"), arg("end"), arg("values").noconvert(),
        arg("workspace").noconvert(), arg("most_members"), arg("cancel").noconvert(), arg("portable_build") = false);
}

template <class Function>
Function function_at(uint64_t address) {
  return reinterpret_cast<Function>(static_cast<uintptr_t>(address));
}

void bind_open(py::module_& m) {
  py::class_<OpenUtility>(m, "OpenUtility", "A user's compiled utility on its data; keeps its arrays alive.")
      .def(py::init([](Array<double> X, py::array y, Array<double> X_val, py::array y_val,
                       Array<double> parameters, Array<int64_t> sizes, uint64_t reset, uint64_t add, uint64_t score,
                       int64_t state_size) {
             return OpenUtility{{X.data(), y.data(), X_val.data(), y_val.data(), parameters.data(), sizes.data()},
                                function_at<OpenReset>(reset), function_at<OpenAdd>(add),
                                function_at<OpenScore>(score), state_size};
           }),
           arg("X").noconvert(), arg("y").noconvert(), arg("X_val").noconvert(), arg("y_val").noconvert(),
           arg("parameters").noconvert(), arg("sizes").noconvert(), arg("reset"), arg("add"), arg("score"),
           arg("state_size"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>(),
           py::keep_alive<1, 5>(), py::keep_alive<1, 6>(), py::keep_alive<1, 7>());
  m.def("walk_open",
        [](const OpenUtility& utility, const Walks& walks, int64_t begin, int64_t end, Array<double> values,
           Array<int8_t> workspace, Array<int32_t> cancel) {
          double* out = values.mutable_data();
          double* memory = reinterpret_cast<double*>(workspace.mutable_data());
          OpenFailure failure{0, -1};
          WalkStatus status;
          {
            py::gil_scoped_release released;
            status = walk_open(utility, walks, {begin, end}, out, memory, flag_of(cancel), &failure);
          }
          return py::make_tuple(static_cast<int32_t>(status), failure.code, failure.player);
        },
        arg("utility"), arg("walks"), arg("begin"), arg("end"), arg("values").noconvert(),
        arg("workspace").noconvert(), arg("cancel").noconvert());
}

}  // namespace

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "Native bodies of fastsa; arguments are checked by the Python layer above.";
  m.attr("FAILED") = static_cast<int32_t>(WalkStatus::kFailed);
  m.attr("NOT_CONVERGED") = static_cast<int32_t>(WalkStatus::kNotConverged);
  bind_draws(m);
  bind_statistics(m);
  bind_walks(m);
  bind_knn(m);
  bind_knn_shapley(m);
  bind_masked(m);
  bind_along_walks(m);
  bind_shapley_regression(m);
  bind_logistic(m);
  bind_open(m);
  m.def("instruction_set", [] { return has_avx2() ? "avx2" : "portable"; });
}
