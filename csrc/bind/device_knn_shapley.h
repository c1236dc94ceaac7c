// Binds KNN-Shapley's launchers of Device. Arguments stand as the Python layer has them: what is written, what is read,
// how the tile lies, then the terms.
#pragma once

#include "bind/addresses.h"
#include "ops/knn_shapley_device.h"

namespace fsa {

inline Points points_at(uintptr_t address, int64_t n, int64_t d, int64_t bytes_of_one, uintptr_t scale) {
  return {at<const void>(address), n, d, precision_of(bytes_of_one), at<const double>(scale)};
}

template <class Device>
void bind_device_distances(py::module_& m) {
  using py::arg;
  m.def("neighbor_distances",
        [](uintptr_t out, int64_t rows, int64_t first, uintptr_t train, int64_t n, int64_t d, int64_t train_bytes,
           uintptr_t train_scale, uintptr_t val, int64_t n_val, int64_t val_bytes, uintptr_t val_scale, int32_t metric,
           bool self, uintptr_t stream) {
          const DistanceTiles tiles{{at<double>(out), rows, n},
                                    first,
                                    points_at(train, n, d, train_bytes, train_scale),
                                    points_at(val, n_val, d, val_bytes, val_scale),
                                    static_cast<Metric>(metric),
                                    self};
          py::gil_scoped_release released;
          Device::neighbor_distances(tiles, stream_at(stream));
        },
        arg("out"), arg("rows"), arg("first"), arg("train"), arg("n"), arg("d"), arg("train_bytes"),
        arg("train_scale"), arg("val"), arg("n_val"), arg("val_bytes"), arg("val_scale"), arg("metric"), arg("self"),
        arg("stream"));
}

inline RankedTile tile_at(uintptr_t values, uintptr_t order, int64_t rows, int64_t n, int64_t n_ranks, int64_t first) {
  return {{at<double>(values), rows, n}, {at<const int64_t>(order), rows, n}, n_ranks, first};
}

template <class Device>
void bind_device_ranked_values(py::module_& m) {
  using py::arg;
  m.def("match_values",
        [](uintptr_t values, uintptr_t order, int64_t rows, int64_t n, int64_t first, uintptr_t classes,
           uintptr_t val_classes, int64_t n_ranks, uintptr_t step, double offset, double slope, uintptr_t stream) {
          const MatchRows body{tile_at(values, order, rows, n, n_ranks, first), at<const int32_t>(classes),
                               at<const int32_t>(val_classes), {at<const double>(step), offset, slope}};
          py::gil_scoped_release released;
          Device::match_values(body, stream_at(stream));
        },
        arg("values"), arg("order"), arg("rows"), arg("n"), arg("first"), arg("classes"), arg("val_classes"),
        arg("n_ranks"), arg("step"), arg("offset"), arg("slope"), arg("stream"));
  m.def("regression_values",
        [](uintptr_t values, uintptr_t order, int64_t rows, int64_t n, int64_t first, uintptr_t targets,
           uintptr_t val_targets, int64_t n_ranks, uintptr_t few, uintptr_t nearer, uintptr_t farther, int64_t k,
           uintptr_t stream) {
          const RegressionTerms terms{at<const double>(targets), at<const double>(val_targets), at<const double>(few),
                                      at<const double>(nearer),  at<const double>(farther),     k};
          py::gil_scoped_release released;
          Device::regression_values({tile_at(values, order, rows, n, n_ranks, first), terms}, stream_at(stream));
        },
        arg("values"), arg("order"), arg("rows"), arg("n"), arg("first"), arg("targets"), arg("val_targets"),
        arg("n_ranks"), arg("few"), arg("nearer"), arg("farther"), arg("k"), arg("stream"));
}

template <class Device>
void bind_device_threshold_values(py::module_& m) {
  using py::arg;
  m.def("threshold_values",
        [](uintptr_t values, uintptr_t distances, int64_t rows, int64_t n, int64_t first, uintptr_t classes,
           uintptr_t val_classes, double radius, uintptr_t of_match, uintptr_t of_other, uintptr_t per_match,
           uintptr_t stream) {
          const ThresholdTerms terms{radius, at<const double>(of_match), at<const double>(of_other),
                                     at<const double>(per_match)};
          const ThresholdRows body{{at<double>(values), rows, n}, {at<const double>(distances), rows, n}, first,
                                   at<const int32_t>(classes), at<const int32_t>(val_classes), terms};
          py::gil_scoped_release released;
          Device::threshold_values(body, stream_at(stream));
        },
        arg("values"), arg("distances"), arg("rows"), arg("n"), arg("first"), arg("classes"), arg("val_classes"),
        arg("radius"), arg("of_match"), arg("of_other"), arg("per_match"), arg("stream"));
}

template <class Device>
void bind_device_sums(py::module_& m) {
  using py::arg;
  m.def("add_columns",
        [](uintptr_t sums, int64_t sum_rows, uintptr_t values, int64_t rows, int64_t n, int64_t first,
           int64_t val_per_row, uintptr_t stream) {
          const AddColumns body{{at<const double>(values), rows, n}, first, {{at<double>(sums), sum_rows, n}, 0,
                                                                             val_per_row}};
          py::gil_scoped_release released;
          Device::add_columns(body, stream_at(stream));
        },
        arg("sums"), arg("sum_rows"), arg("values"), arg("rows"), arg("n"), arg("first"), arg("val_per_row"),
        arg("stream"));
}

template <class Device>
void bind_device_knn_shapley(py::module_& m) {
  bind_device_distances<Device>(m);
  bind_device_ranked_values<Device>(m);
  bind_device_threshold_values<Device>(m);
  bind_device_sums<Device>(m);
}

}  // namespace fsa
