// The two products of a linear model, in lanes: scores of eight samples, and the gradient of eight features.
#pragma once

#include <type_traits>  // for integral_constant

#include "core/lanes.h"

namespace fsa::FSA_ISA {

// Sums are plain arrays of registers: enough at once to hide the latency of an addition, few enough to stay in sixteen
// registers. The arithmetic of every sum is the same however many are taken at once.
constexpr int64_t kSumsAtOnce = 10;
template <class T>
constexpr int64_t kColumnsAtOnce = kRegisters<T> <= 2 ? 5 : 3;
template <class T, int64_t Columns>
constexpr int64_t kTilesAtOnce = kSumsAtOnce / (Columns * kRegisters<T>) > 0 ? kSumsAtOnce / (Columns * kRegisters<T>) : 1;

// Calls visit(n as a constant) for n in 1 .. Most.
template <int64_t Most, class Visit>
FSA_INLINE void as_constant(int64_t n, const Visit& visit) {
  if constexpr (Most > 0) {
    if (n == Most) {
      visit(std::integral_constant<int64_t, Most>{});
    } else {
      as_constant<Most - 1>(n, visit);
    }
  }
}

// Splits n into the fewest groups of at most Most, as even as can be; calls visit(group size as a constant, first).
template <int64_t Most, class Visit>
FSA_INLINE void for_groups(int64_t n, const Visit& visit) {
  int64_t first = 0;
  for (int64_t groups = (n + Most - 1) / Most; groups > 0; --groups) {
    const int64_t size = (n - first + groups - 1) / groups;
    as_constant<Most>(size, [&](auto constant) { visit(constant, first); });
    first += size;
  }
}

// scores[p][c][lane] = sum over features of panels[p][f][lane] * weights[c][f], features in their order.
template <class T, int64_t Panels, int64_t Columns>
FSA_INLINE void score_columns(const T* panels, int64_t n_features, const T* weights, int64_t width, T* scores,
                              int64_t scores_stride) {
  Register<T> sums[Panels][Columns][kRegisters<T>] = {};
  for (int64_t f = 0; f < n_features; ++f) {
    Register<T> x[Panels][kRegisters<T>];
    for (int64_t p = 0; p < Panels; ++p) {
      for (int64_t r = 0; r < kRegisters<T>; ++r) {
        x[p][r] = load(panels + (p * n_features + f) * kLanes + r * kPerRegister<T>);
      }
    }
    for (int64_t c = 0; c < Columns; ++c) {
      const T weight = weights[c * width + f];
      for (int64_t p = 0; p < Panels; ++p) {
        for (int64_t r = 0; r < kRegisters<T>; ++r) sums[p][c][r] = sums[p][c][r] + x[p][r] * weight;
      }
    }
  }
  for (int64_t p = 0; p < Panels; ++p) {
    for (int64_t c = 0; c < Columns; ++c) {
      T* out = scores + p * scores_stride + c * kLanes;
      for (int64_t r = 0; r < kRegisters<T>; ++r) store(out + r * kPerRegister<T>, sums[p][c][r]);
    }
  }
}

// gradient[c][f .. f + Blocks * 8) = sum over samples of residuals[c][i] * rows[i][f ..], samples in their order.
template <class T, int64_t Columns, int64_t Blocks>
FSA_INLINE void gather_columns(const T* rows, int64_t n_rows, int64_t width, const T* residuals, int64_t stride,
                               T* gradient, int64_t gradient_width) {
  constexpr int64_t kAll = Blocks * kRegisters<T>;
  Register<T> sums[Columns][kAll] = {};
  for (int64_t i = 0; i < n_rows; ++i) {
    Register<T> x[kAll];
    for (int64_t r = 0; r < kAll; ++r) x[r] = load(rows + i * width + r * kPerRegister<T>);
    for (int64_t c = 0; c < Columns; ++c) {
      const T residual = residuals[c * stride + i];
      for (int64_t r = 0; r < kAll; ++r) sums[c][r] = sums[c][r] + x[r] * residual;
    }
  }
  for (int64_t c = 0; c < Columns; ++c) {
    for (int64_t r = 0; r < kAll; ++r) store(gradient + c * gradient_width + r * kPerRegister<T>, sums[c][r]);
  }
}

// scores [n_panels, n_columns, 8] of the samples in panels [n_panels, n_features, 8], for weights [n_columns, width].
template <class T>
FSA_INLINE void score_panels(const T* panels, int64_t n_panels, int64_t n_features, const T* weights, int64_t width,
                             int64_t n_columns, T* scores) {
  for_groups<kColumnsAtOnce<T>>(n_columns, [&](auto columns, int64_t c) {
    for_groups<kTilesAtOnce<T, columns()>>(n_panels, [&](auto n, int64_t p) {
      score_columns<T, n(), columns()>(panels + p * n_features * kLanes, n_features, weights + c * width, width,
                                       scores + (p * n_columns + c) * kLanes, n_columns * kLanes);
    });
  });
}

// gradient [n_columns, n_features] = residuals [n_columns, stride] times the first n_features of rows [n_rows, width];
// n_features a multiple of the lanes.
template <class T>
FSA_INLINE void gather_gradient(const T* rows, int64_t n_rows, int64_t width, int64_t n_features, const T* residuals,
                                int64_t stride, int64_t n_columns, T* gradient) {
  for_groups<kColumnsAtOnce<T>>(n_columns, [&](auto columns, int64_t c) {
    for_groups<kTilesAtOnce<T, columns()>>(n_features / kLanes, [&](auto blocks, int64_t block) {
      const int64_t f = block * kLanes;
      gather_columns<T, columns(), blocks()>(rows + f, n_rows, width, residuals + c * stride, stride,
                                             gradient + c * n_features + f, n_features);
    });
  });
}

// y += scale * x over n values.
template <class T>
FSA_INLINE void add_multiple(T scale, const T* x, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

}  // namespace fsa::FSA_ISA
