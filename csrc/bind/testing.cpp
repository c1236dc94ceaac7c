// The _testing module: shows the native internals to the tests, and the device's kernels emulated on the host.
#include "bind/arrays.h"
#include "bind/device_ops.h"
#include "bind/testing_lanes.h"
#include "core/philox.h"
#include "launch/emulate.h"
#include "launch/isa.h"
#include "native/row_minimum.h"

using namespace fsa;
using py::arg;

namespace {

Emulation emulation{4, 3, ThreadOrder::kForward, 0};

struct Emulated {
  static int count() { return 1; }
  static void background_rows(const BackgroundRows& body, Range rows, DeviceStream /*stream*/) {
    emulate_rows(body, rows, emulation);
  }
  static void permutations(const Permutations& body, Range rows, DeviceStream /*stream*/) {
    emulate_rows(body, rows, emulation);
  }
  static void prefix_coalitions(const PrefixCoalitions& body, Range rows, DeviceStream /*stream*/) {
    const int64_t words = words_for(body.permutations.n_columns);
    emulate_rows(PrefixColumns{body}, {rows.begin * words, rows.end * words}, emulation);
  }
  static void subsets(const Subsets& body, Range rows, DeviceStream /*stream*/) { emulate_rows(body, rows, emulation); }
  static void draw_sizes(const DrawsWithReplacement& body, Range rows, DeviceStream /*stream*/) {
    emulate_rows(DrawSizes{body}, rows, emulation);
  }
  static void draw_players(const DrawsWithReplacement& body, Range rows, DeviceStream /*stream*/) {
    emulate_rows(DrawPlayers{body}, rows, emulation);
  }
  static void neighbor_distances(const DistanceTiles& tiles, DeviceStream /*stream*/) {
    emulate_phases(tiles, tiles.blocks(), emulation);
  }
  static void match_values(const MatchRows& rows, DeviceStream /*stream*/) {
    emulate_phases(rows, rows.blocks(), emulation);
  }
  static void regression_values(const RegressionRows& rows, DeviceStream /*stream*/) {
    emulate_phases(rows, rows.blocks(), emulation);
  }
  static void threshold_values(const ThresholdRows& rows, DeviceStream /*stream*/) {
    emulate_phases(rows, rows.blocks(), emulation);
  }
  static void add_columns(const AddColumns& columns, DeviceStream /*stream*/) {
    emulate_rows(columns, {0, columns.entries()}, emulation);
  }
};

void bind_emulated(py::module_& m) {
  m.def("set_order",
        [](int32_t n_threads, int64_t n_blocks, int32_t order, uint64_t seed) {
          emulation = {n_threads, n_blocks, static_cast<ThreadOrder>(order), seed};
        },
        arg("n_threads"), arg("n_blocks"), arg("order"), arg("seed") = 0);
  bind_device_ops<Emulated>(m);
  m.def("row_minimum",
        [](Array<int32_t> out, Array<double> values, bool careless) {
          if (careless) {
            emulate_phases(RowMinimum<true>{rows_of(values), out.mutable_data()}, values.shape(0), emulation);
          } else {
            emulate_phases(RowMinimum<false>{rows_of(values), out.mutable_data()}, values.shape(0), emulation);
          }
        },
        arg("out").noconvert(), arg("values").noconvert(), arg("careless"));
}

void bind_philox(py::module_& m) {
  m.def("philox4x32", [](std::array<uint32_t, 4> counter, uint64_t key) {
    const Words words = philox4x32({{counter[0], counter[1], counter[2], counter[3]}}, key);
    return std::array<uint32_t, 4>{words.w[0], words.w[1], words.w[2], words.w[3]};
  });
  py::class_<Stream>(m, "Stream", "One lane's words; every call goes on where the last one stopped.")
      .def(py::init([](uint64_t seed, uint8_t op, uint8_t role, uint64_t id, uint32_t sample) {
             return Stream(seed, {static_cast<Op>(op), role, id, sample});
           }),
           arg("seed"), arg("op") = 1, arg("role") = 0, arg("id") = 0, arg("sample") = 0)
      .def("words", [](Stream& stream, Array<uint32_t> out) {
        for (py::ssize_t i = 0; i < out.size(); ++i) out.mutable_at(i) = stream.next();
      })
      .def("below", [](Stream& stream, Array<uint32_t> out, uint32_t n) {
        for (py::ssize_t i = 0; i < out.size(); ++i) out.mutable_at(i) = stream.below(n);
      })
      .def("uniform", [](Stream& stream, Array<double> out) {
        for (py::ssize_t i = 0; i < out.size(); ++i) out.mutable_at(i) = stream.uniform();
      });
}

template <class T>
void exp_each(Array<T> x, bool portable_build) {
#if defined(FSA_HAS_AVX2_BUILD)
  if (has_avx2() && !portable_build) return avx2::exp_each(x.mutable_data(), x.size());
#endif
  (void)portable_build;
  portable::exp_each(x.mutable_data(), x.size());
}

void log_each(Array<double> x, bool portable_build) {
#if defined(FSA_HAS_AVX2_BUILD)
  if (has_avx2() && !portable_build) return avx2::log_each(x.mutable_data(), x.size());
#endif
  (void)portable_build;
  portable::log_each(x.mutable_data(), x.size());
}

}  // namespace

PYBIND11_MODULE(_testing, m) {
  m.doc() = "The native internals of fastsa, for its tests.";
  m.def("instruction_set", [] { return has_avx2() ? "avx2" : "portable"; });
  bind_philox(m);
  m.def("exp", &exp_each<double>, arg("x").noconvert(), arg("portable_build") = false);
  m.def("exp", &exp_each<float>, arg("x").noconvert(), arg("portable_build") = false);
  m.def("log", &log_each, arg("x").noconvert(), arg("portable_build") = false);
  py::module_ emulated = m.def_submodule("emulated", "What _cuda has, on host arrays, thread by thread.");
  bind_emulated(emulated);
}
