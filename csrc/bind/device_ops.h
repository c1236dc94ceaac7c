// Binds what devices can do: addresses and a stream come in as integers, one launcher of Device is called. The
// _cuda module binds the device itself, the tests' module its emulation on the host.
#pragma once

#include "bind/addresses.h"
#include "bind/device_knn_shapley.h"
#include "ops/background.h"
#include "ops/coalitions.h"
#include "ops/permutations.h"

namespace fsa {

template <class Device>
void bind_device_permutations(py::module_& m) {
  using py::arg;
  m.def("permutations",
        [](uintptr_t out, int64_t n_players, uint64_t seed, uint8_t role, uintptr_t ids, uintptr_t samples,
           uint32_t first_sample, int64_t rows, uintptr_t stream) {
          const RowLanes lanes{seed, role, at<const uint64_t>(ids), at<const uint32_t>(samples), first_sample};
          const Permutations body{{at<int32_t>(out), rows, n_players}, lanes};
          py::gil_scoped_release released;
          Device::permutations(body, {0, rows}, stream_at(stream));
        },
        arg("out"), arg("n_players"), arg("seed"), arg("role"), arg("ids"), arg("samples"), arg("first_sample"),
        arg("rows"), arg("stream"));
}

template <class Device>
void bind_device_coalitions(py::module_& m) {
  using py::arg;
  m.def("prefix_coalitions",
        [](uintptr_t out, uintptr_t orders, int64_t n_players, int64_t rows, uintptr_t stream) {
          const PrefixCoalitions body{{at<const int32_t>(orders), rows, n_players}, at<uint64_t>(out)};
          py::gil_scoped_release released;
          Device::prefix_coalitions(body, {0, rows}, stream_at(stream));
        },
        arg("out"), arg("orders"), arg("n_players"), arg("rows"), arg("stream"));
  m.def("subsets",
        [](uintptr_t out, int64_t n_players, uintptr_t cumulative, uint64_t coin, uint64_t seed, uint8_t role,
           uintptr_t ids, uintptr_t samples, uint32_t first_sample, int64_t rows, uintptr_t stream) {
          const RowLanes lanes{seed, role, at<const uint64_t>(ids), at<const uint32_t>(samples), first_sample};
          const Rows<uint64_t> bits{at<uint64_t>(out), rows, words_for(n_players)};
          const SubsetLaw law{at<const double>(cumulative), coin};
          py::gil_scoped_release released;
          Device::subsets({bits, n_players, law, lanes}, {0, rows}, stream_at(stream));
        },
        arg("out"), arg("n_players"), arg("cumulative"), arg("coin"), arg("seed"), arg("role"), arg("ids"),
        arg("samples"), arg("first_sample"), arg("rows"), arg("stream"));
}

template <class Device>
void bind_device_draws(py::module_& m) {
  using py::arg;
  m.def("draw_sizes",
        [](uintptr_t sizes, uintptr_t ids, uintptr_t samples, int64_t min_size, int64_t max_size, uint64_t seed,
           uint8_t role, int64_t rows, uintptr_t stream) {
          const RowLanes lanes{seed, role, at<const uint64_t>(ids), at<const uint32_t>(samples), 0};
          const DrawsWithReplacement body{{}, at<int64_t>(sizes), 0, min_size, max_size, lanes};
          py::gil_scoped_release released;
          Device::draw_sizes(body, {0, rows}, stream_at(stream));
        },
        arg("sizes"), arg("ids"), arg("samples"), arg("min_size"), arg("max_size"), arg("seed"), arg("role"),
        arg("rows"), arg("stream"));
  m.def("draw_players",
        [](uintptr_t players, uintptr_t offsets, uintptr_t ids, uintptr_t samples, int64_t n_players, int64_t min_size,
           int64_t max_size, uint64_t seed, uint8_t role, int64_t rows, uintptr_t stream) {
          const Ragged<int32_t> out{at<int32_t>(players), at<const int64_t>(offsets)};
          const RowLanes lanes{seed, role, at<const uint64_t>(ids), at<const uint32_t>(samples), 0};
          const DrawsWithReplacement body{out, nullptr, n_players, min_size, max_size, lanes};
          py::gil_scoped_release released;
          Device::draw_players(body, {0, rows}, stream_at(stream));
        },
        arg("players"), arg("offsets"), arg("ids"), arg("samples"), arg("n_players"), arg("min_size"),
        arg("max_size"), arg("seed"), arg("role"), arg("rows"), arg("stream"));
  m.def("background_rows",
        [](uintptr_t out, uint32_t n_background, uintptr_t ids, uintptr_t samples, uint64_t seed, uint8_t role,
           int64_t rows, uintptr_t stream) {
          const RowLanes lanes{seed, role, at<const uint64_t>(ids), at<const uint32_t>(samples), 0};
          py::gil_scoped_release released;
          Device::background_rows({at<int64_t>(out), n_background, lanes}, {0, rows}, stream_at(stream));
        },
        arg("out"), arg("n_background"), arg("ids"), arg("samples"), arg("seed"), arg("role"), arg("rows"),
        arg("stream"));
}

template <class Device>
void bind_device_ops(py::module_& m) {
  m.def("device_count", &Device::count);
  bind_device_permutations<Device>(m);
  bind_device_coalitions<Device>(m);
  bind_device_draws<Device>(m);
  bind_device_knn_shapley<Device>(m);
}

}  // namespace fsa
