// The two products of a linear model, in lanes: scores of eight samples at once, and the gradient of eight features.
#pragma once

#include <type_traits>  // for integral_constant

#include "core/lanes.h"

namespace fsa::FSA_ISA {

// Accumulators are plain arrays of registers, few enough to stay in sixteen of them: the arithmetic of every sum is the
// same however many are taken at once.
template <class T>
constexpr int64_t kColumnsAtOnce = kRegisters<T> <= 2 ? 5 : 3;
template <class T>
constexpr int64_t kBlocksAtOnce = kRegisters<T> == 1 ? 2 : 1;

// scores[c][lane] = sum over features of panel[f][lane] * weights[c][f], features in their order.
template <class T, int64_t Columns>
FSA_INLINE void score_columns(const T* panel, int64_t n_features, const T* weights, int64_t width, T* scores) {
  Register<T> sums[Columns][kRegisters<T>] = {};
  for (int64_t f = 0; f < n_features; ++f) {
    Register<T> x[kRegisters<T>];
    for (int64_t r = 0; r < kRegisters<T>; ++r) x[r] = load(panel + f * kLanes + r * kPerRegister<T>);
    for (int64_t c = 0; c < Columns; ++c) {
      const T weight = weights[c * width + f];
      for (int64_t r = 0; r < kRegisters<T>; ++r) sums[c][r] = sums[c][r] + x[r] * weight;
    }
  }
  for (int64_t c = 0; c < Columns; ++c) {
    for (int64_t r = 0; r < kRegisters<T>; ++r) store(scores + c * kLanes + r * kPerRegister<T>, sums[c][r]);
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

// Calls visit(group size as a constant, first column) for groups of at most kColumnsAtOnce columns.
template <class T, class Visit>
FSA_INLINE void for_column_groups(int64_t n_columns, const Visit& visit) {
  int64_t c = 0;
  for (; n_columns - c >= kColumnsAtOnce<T>; c += kColumnsAtOnce<T>) {
    visit(std::integral_constant<int64_t, kColumnsAtOnce<T>>{}, c);
  }
  switch (n_columns - c) {
    case 4: visit(std::integral_constant<int64_t, 4>{}, c); break;
    case 3: visit(std::integral_constant<int64_t, 3>{}, c); break;
    case 2: visit(std::integral_constant<int64_t, 2>{}, c); break;
    case 1: visit(std::integral_constant<int64_t, 1>{}, c); break;
    default: break;
  }
}

// scores [n_columns, 8] of the eight samples in panel [n_features, 8], for weights [n_columns, width].
template <class T>
FSA_INLINE void score_panel(const T* panel, int64_t n_features, const T* weights, int64_t width, int64_t n_columns,
                            T* scores) {
  for_column_groups<T>(n_columns, [&](auto columns, int64_t c) {
    score_columns<T, columns()>(panel, n_features, weights + c * width, width, scores + c * kLanes);
  });
}

// gradient [n_columns, n_features] = residuals [n_columns, stride] times the first n_features of rows [n_rows, width];
// n_features a multiple of the lanes.
template <class T>
FSA_INLINE void gather_gradient(const T* rows, int64_t n_rows, int64_t width, int64_t n_features, const T* residuals,
                                int64_t stride, int64_t n_columns, T* gradient) {
  for_column_groups<T>(n_columns, [&](auto columns, int64_t c) {
    constexpr int64_t kColumns = columns();
    constexpr int64_t kBlocks = kBlocksAtOnce<T>;
    const T* r = residuals + c * stride;
    int64_t f = 0;
    T* out = gradient + c * n_features;
    for (; f + kBlocks * kLanes <= n_features; f += kBlocks * kLanes) {
      gather_columns<T, kColumns, kBlocks>(rows + f, n_rows, width, r, stride, out + f, n_features);
    }
    if (f < n_features) gather_columns<T, kColumns, 1>(rows + f, n_rows, width, r, stride, out + f, n_features);
  });
}

// y += scale * x over n values.
template <class T>
FSA_INLINE void add_multiple(T scale, const T* x, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

}  // namespace fsa::FSA_ISA
