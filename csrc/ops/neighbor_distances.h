// neighbor_distances: distances of a block of points to a few validation points, eight points to the lanes.
//   euclidean: sum over features, in their order, of (point - validation point)^2, in float64;  inner: minus the sum of
//   products. Every lane is its own sequential sum, so a distance is the same bytes in any block, and equal points tie.
#pragma once

#include "core/lanes.h"
#include "core/points.h"
#include "ops/metric.h"

namespace fsa::FSA_ISA {

constexpr int64_t kValPerPass = 4;  // their sums and one panel's coordinates fill sixteen registers

FSA_INLINE Register<double> reals(const double* x) { return load(x); }
FSA_INLINE Register<double> reals(const float* x) {
  typedef float Few __attribute__((vector_size(kRegisterBytes / 2)));
  Few few;
  __builtin_memcpy(&few, x, sizeof few);
  return __builtin_convertvector(few, Register<double>);
}

// out[j * 8 + l] = rows[l][j] - center[j], and squares[l] the sum of their squares: eight rows become one panel, four by
// four where registers hold four.
template <class Value>
FSA_INLINE void panel_of_rows(const Value* const* rows, int64_t d, const double* center, double* out, double* squares) {
  for (int64_t l = 0; l < kLanes; ++l) squares[l] = 0.0;
  int64_t j = 0;
  if constexpr (kPerRegister<double> == 4) {
    Register<double> sums[2] = {};
    for (; j + 4 <= d; j += 4) {
      const Register<double> middle = load(center + j);
      for (int64_t half = 0; half < 2; ++half) {
        Register<double> four[4];
        for (int64_t r = 0; r < 4; ++r) four[r] = reals(rows[4 * half + r] + j) - middle;
        transpose(four);
        for (int64_t r = 0; r < 4; ++r) {
          store(out + (j + r) * kLanes + 4 * half, four[r]);
          sums[half] = sums[half] + four[r] * four[r];
        }
      }
    }
    store(squares, sums[0]);
    store(squares + 4, sums[1]);
  }
  for (; j < d; ++j) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const double x = static_cast<double>(rows[l][j]) - center[j];
      out[j * kLanes + l] = x;
      squares[l] += x * x;
    }
  }
}

// Coordinate j of point 8 * p + l stands at out[(p * d + j) * 8 + l], less center[j], and its squared length at
// squares[8 * p + l]; a last, short panel repeats its last point. rows [8, d] is scratch.
FSA_INLINE void pack_panels(const Points& points, const int32_t* which, int64_t begin, int64_t n, const double* center,
                            double* rows, double* out, double* squares) {
  const int64_t d = points.d;
  for (int64_t p = 0; p * kLanes < n; ++p) {
    int64_t point[kLanes];
    for (int64_t l = 0; l < kLanes; ++l) {
      const int64_t local = p * kLanes + l < n ? p * kLanes + l : n - 1;
      point[l] = which == nullptr ? begin + local : which[local];
    }
    if (points.precision == Precision::kSingle && points.scale == nullptr) {
      const float* here[kLanes];
      for (int64_t l = 0; l < kLanes; ++l) here[l] = static_cast<const float*>(points.data) + point[l] * d;
      panel_of_rows(here, d, center, out + p * d * kLanes, squares + p * kLanes);
    } else {
      const double* here[kLanes];
      for (int64_t l = 0; l < kLanes; ++l) {
        here[l] = rows + l * d;
        read_point(points, point[l], rows + l * d, 1);
      }
      panel_of_rows(here, d, center, out + p * d * kLanes, squares + p * kLanes);
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
