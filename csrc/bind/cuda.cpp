// The _cuda module: device addresses and a stream come in as integers, one launcher is called, nothing is waited for.
#include <cuda_runtime_api.h>
#include <pybind11/pybind11.h>

#include <cstdint>  // for uintptr_t

#include "ops/coalitions.h"
#include "ops/permutations.h"

namespace py = pybind11;
using namespace fsa;
using py::arg;

namespace {

template <class T>
T* at(uintptr_t address) {
  return reinterpret_cast<T*>(address);
}
DeviceStream stream_at(uintptr_t handle) { return reinterpret_cast<DeviceStream>(handle); }

// Without a driver, or with one that answers an error, there is no device to use.
int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();
  return 0;
}

void bind_permutations(py::module_& m) {
  m.def("permutations",
        [](uintptr_t out, int64_t n_players, uint64_t seed, uint8_t role, uint64_t id, uint32_t first_sample,
           int64_t rows, uintptr_t stream) {
          const Permutations body{{at<int32_t>(out), rows, n_players}, seed, role, id, first_sample};
          py::gil_scoped_release released;
          cuda::permutations(body, {0, rows}, stream_at(stream));
        },
        arg("out"), arg("n_players"), arg("seed"), arg("role"), arg("id"), arg("first_sample"), arg("rows"),
        arg("stream"));
}

void bind_coalitions(py::module_& m) {
  m.def("prefix_coalitions",
        [](uintptr_t out, uintptr_t orders, int64_t n_players, int64_t rows, uintptr_t stream) {
          const PrefixCoalitions body{{at<const int32_t>(orders), rows, n_players}, at<uint64_t>(out)};
          py::gil_scoped_release released;
          cuda::prefix_coalitions(body, {0, rows}, stream_at(stream));
        },
        arg("out"), arg("orders"), arg("n_players"), arg("rows"), arg("stream"));
  m.def("subsets",
        [](uintptr_t out, int64_t n_players, uintptr_t cumulative, uint64_t coin, uint64_t seed, uint8_t role,
           uint64_t id, uint32_t first_sample, int64_t rows, uintptr_t stream) {
          const Rows<uint64_t> bits{at<uint64_t>(out), rows, words_for(n_players)};
          const SubsetLaw law{at<const double>(cumulative), coin};
          py::gil_scoped_release released;
          cuda::subsets({bits, n_players, law, seed, role, id, first_sample}, {0, rows}, stream_at(stream));
        },
        arg("out"), arg("n_players"), arg("cumulative"), arg("coin"), arg("seed"), arg("role"), arg("id"),
        arg("first_sample"), arg("rows"), arg("stream"));
}

void bind_draws(py::module_& m) {
  m.def("draw_sizes",
        [](uintptr_t sizes, uintptr_t ids, uintptr_t samples, int64_t min_size, int64_t max_size, uint64_t seed,
           uint8_t role, int64_t rows, uintptr_t stream) {
          const DrawsWithReplacement body{{}, at<int64_t>(sizes), at<const uint64_t>(ids), at<const uint32_t>(samples),
                                          0, min_size, max_size, seed, role};
          py::gil_scoped_release released;
          cuda::draw_sizes(body, {0, rows}, stream_at(stream));
        },
        arg("sizes"), arg("ids"), arg("samples"), arg("min_size"), arg("max_size"), arg("seed"), arg("role"),
        arg("rows"), arg("stream"));
  m.def("draw_players",
        [](uintptr_t players, uintptr_t offsets, uintptr_t ids, uintptr_t samples, int64_t n_players, int64_t min_size,
           int64_t max_size, uint64_t seed, uint8_t role, int64_t rows, uintptr_t stream) {
          const Ragged<int32_t> out{at<int32_t>(players), at<const int64_t>(offsets)};
          const DrawsWithReplacement body{out, nullptr, at<const uint64_t>(ids), at<const uint32_t>(samples),
                                          n_players, min_size, max_size, seed, role};
          py::gil_scoped_release released;
          cuda::draw_players(body, {0, rows}, stream_at(stream));
        },
        arg("players"), arg("offsets"), arg("ids"), arg("samples"), arg("n_players"), arg("min_size"),
        arg("max_size"), arg("seed"), arg("role"), arg("rows"), arg("stream"));
}

}  // namespace

PYBIND11_MODULE(_cuda, m, py::mod_gil_not_used()) {
  m.doc() = "CUDA launchers of fastsa; addresses are checked by the Python layer above. Importable without a driver.";
  m.def("device_count", &device_count);
  bind_permutations(m);
  bind_coalitions(m);
  bind_draws(m);
}
