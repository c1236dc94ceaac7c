// neighbor_distances: distances of a block of points to a few validation points, eight points to the lanes.
//   euclidean: sum over features, in their order, of (point - validation point)^2, in float64;  inner: minus the sum of
//   products. Every lane is its own sequential sum, so a distance is the same bytes in any block, and equal points tie.
#pragma once

#include "core/lanes.h"
#include "core/points.h"
#include "ops/metric.h"

namespace fsa::FSA_ISA {

constexpr int64_t kValPerPass = 4;  // their sums and one panel's coordinates fill sixteen registers

// out[j * 8 + l] = rows[l * d + j]: eight rows become one panel, four by four where registers hold four.
template <class Value>
FSA_INLINE void panel_of_rows(const Value* rows, int64_t d, Value* out) {
  int64_t j = 0;
  if constexpr (kPerRegister<Value> == 4) {
    for (; j + 4 <= d; j += 4) {
      for (int64_t l = 0; l < kLanes; l += 4) {
        Register<Value> four[4];
        for (int64_t r = 0; r < 4; ++r) four[r] = load(rows + (l + r) * d + j);
        transpose(four);
        for (int64_t r = 0; r < 4; ++r) store(out + (j + r) * kLanes + l, four[r]);
      }
    }
  }
  for (; j < d; ++j) {
    for (int64_t l = 0; l < kLanes; ++l) out[j * kLanes + l] = rows[l * d + j];
  }
}

// Coordinate j of point 8 * p + l stands at out[(p * d + j) * 8 + l], less center[j]; a last, short panel repeats its
// last point. rows [8, d] is scratch.
FSA_INLINE void pack_panels(const Points& points, const int32_t* which, int64_t begin, int64_t n, const double* center,
                            double* rows, double* out) {
  const int64_t d = points.d;
  for (int64_t p = 0; p * kLanes < n; ++p) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t local = p * kLanes + l < n ? p * kLanes + l : n - 1;
      read_point(points, which == nullptr ? begin + local : which[local], rows + l * d, 1);
      for (int64_t j = 0; j < d; ++j) rows[l * d + j] -= center[j];
    }
    panel_of_rows(rows, d, out + p * d * kLanes);
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

// Squared lengths of packed points [n rounded up to eights]; returns the largest.
inline double squares_of_block(const double* panels, int64_t n, int64_t d, double* out) {
  double largest = 0.0;
  for (int64_t i = 0; i < n; i += kLanes) {
    const double* panel = panels + i * d;
    double squares[kLanes] = {};
    for (int64_t j = 0; j < d; ++j) {
      for (int64_t l = 0; l < kLanes; ++l) squares[l] += panel[j * kLanes + l] * panel[j * kLanes + l];
    }
    for (int64_t l = 0; l < kLanes; ++l) {
      out[i + l] = squares[l];
      largest = squares[l] > largest ? squares[l] : largest;
    }
  }
  return largest;
}

// out[v * stride + i] = |x|^2 + |v|^2 - 2 x v, two thirds of the work of a sum of squared differences, and close to it:
// off by at most product_error().
inline void product_distances_of_block(const double* panels, const double* squares, int64_t n, const double* val,
                                       const double* val_squares, int64_t n_val, int64_t d, double* out,
                                       int64_t stride) {
  constexpr int64_t kParts = kRegisters<double>;
  for (int64_t first = 0; first < n_val; first += kValPerPass) {
    const double* four = val + first * d;
    for (int64_t i = 0; i < n; i += kLanes) {
      const double* panel = panels + i * d;
      Register<double> sums[kValPerPass][kParts] = {};
      for (int64_t j = 0; j < d; ++j) {
        for (int64_t r = 0; r < kParts; ++r) {
          const Register<double> x = load(panel + j * kLanes + r * kPerRegister<double>);
          for (int64_t v = 0; v < kValPerPass; ++v) sums[v][r] = sums[v][r] + x * four[j * kValPerPass + v];
        }
      }
      for (int64_t r = 0; r < kParts; ++r) {
        const Register<double> own = load(squares + i + r * kPerRegister<double>);
        for (int64_t v = 0; v < kValPerPass; ++v) {
          store(out + (first + v) * stride + i + r * kPerRegister<double>,
                own + val_squares[first + v] - (sums[v][r] + sums[v][r]));
        }
      }
    }
  }
}

// How far a product distance may be from the sum of squared differences, in float64, of points as long as `length` at
// most, centred as they are. With u = 2^-53 coordinates are off by u |x|, which moves the distance by
// 2 u r (|x| + |v|), r <= |x| + |v|; sums of d terms by d u each, of |x|^2, |v|^2, 2 |x| |v| and r^2. Doubled, to be
// safe.
inline double product_error(int64_t d, double length, double val_length) {
  const double both = length + val_length;
  return (4.0 * static_cast<double>(d) + 16.0) * 0x1p-53 * both * both;
}

// The sum of squared differences, or minus that of products, for one point on its own.
FSA_INLINE double distance_between(Metric metric, const Points& points, int64_t i, const double* val, int64_t stride) {
  const double scale = points.scale == nullptr ? 1.0 : points.scale[i];
  double sum = 0.0;
  with_precision(points, [&](auto* data) FSA_LAMBDA {
    const auto* x = data + i * points.d;
    for (int64_t j = 0; j < points.d; ++j) {
      const double here = as_double(x[j]) * scale;
      const double there = val[j * stride];
      sum = metric == Metric::kInner ? with_feature<Metric::kInner>(sum, here, there)
                                     : with_feature<Metric::kSquaredEuclidean>(sum, here, there);
    }
  });
  return sum;
}

}  // namespace fsa::FSA_ISA
