// neighbor_distances: distances of a block of points to a few validation points, eight points to the lanes.
//   euclidean: sum over features, in their order, of (point - validation point)^2, in float64;  inner: minus the sum of
//   products. Every lane is its own sequential sum, so a distance is the same bytes in any block, and equal points tie.
#pragma once

#include "core/lanes.h"
#include "core/points.h"

namespace fsa {

enum class Metric : int32_t { kSquaredEuclidean = 0, kInner = 1 };

}  // namespace fsa

namespace fsa::FSA_ISA {

constexpr int64_t kValPerPass = 4;  // their sums and one panel's coordinates fill sixteen registers

// Coordinate j of point 8 * p + l stands at out[(p * d + j) * 8 + l]; a last, short panel repeats its last point.
FSA_INLINE void pack_panels(const Points& points, const int32_t* which, int64_t begin, int64_t n, double* out) {
  for (int64_t p = 0; p * kLanes < n; ++p) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t local = p * kLanes + l < n ? p * kLanes + l : n - 1;
      const int64_t point = which == nullptr ? begin + local : which[local];
      read_point(points, point, out + p * points.d * kLanes + l, kLanes);
    }
  }
}

template <Metric kMetric>
FSA_INLINE void distances_of_panel(const double* panel, const double* val, int64_t d, double* out, int64_t stride) {
  constexpr int64_t kParts = kRegisters<double>;
  Register<double> sums[kValPerPass][kParts] = {};
  for (int64_t j = 0; j < d; ++j) {
    for (int64_t r = 0; r < kParts; ++r) {
      const Register<double> x = load(panel + j * kLanes + r * kPerRegister<double>);
      for (int64_t v = 0; v < kValPerPass; ++v) {
        const double coordinate = val[j * kValPerPass + v];
        if (kMetric == Metric::kSquaredEuclidean) {
          const Register<double> apart = x - coordinate;
          sums[v][r] = sums[v][r] + apart * apart;
        } else {
          sums[v][r] = sums[v][r] - x * coordinate;
        }
      }
    }
  }
  for (int64_t v = 0; v < kValPerPass; ++v) {
    for (int64_t r = 0; r < kParts; ++r) store(out + v * stride + r * kPerRegister<double>, sums[v][r]);
  }
}

// out[v * stride + i] for n packed points and n_val validation points in groups of four: val [n_val / 4, d, 4].
// Rows of `out` are written up to the next multiple of eight points.
template <Metric kMetric>
inline void distances_of_block(const double* panels, int64_t n, const double* val, int64_t n_val, int64_t d,
                               double* out, int64_t stride) {
  for (int64_t v = 0; v < n_val; v += kValPerPass) {
    for (int64_t i = 0; i < n; i += kLanes) {
      distances_of_panel<kMetric>(panels + i * d, val + v * d, d, out + v * stride + i, stride);
    }
  }
}

// The same distance, for one point on its own.
FSA_INLINE double distance_between(Metric metric, const Points& points, int64_t i, const double* val, int64_t stride) {
  const double scale = points.scale == nullptr ? 1.0 : points.scale[i];
  double sum = 0.0;
  with_precision(points, [&](auto* data) FSA_LAMBDA {
    const auto* x = data + i * points.d;
    for (int64_t j = 0; j < points.d; ++j) {
      const double here = as_double(x[j]) * scale;
      const double there = val[j * stride];
      if (metric == Metric::kSquaredEuclidean) {
        sum += (here - there) * (here - there);
      } else {
        sum -= here * there;
      }
    }
  });
  return sum;
}

}  // namespace fsa::FSA_ISA
