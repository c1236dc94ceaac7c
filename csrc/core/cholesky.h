// Factor and solve a small symmetric positive definite system in floats, for preconditioners.
#pragma once

#include <cmath>  // for sqrt

#include "core/products.h"

namespace fsa::FSA_ISA {

// A symmetric positive definite matrix, brought to a unit diagonal, plus kHold of the identity, which keeps the pivots
// clear of float rounding: the factor belongs to a nearby matrix.
class Cholesky {
 public:
  // matrix [n, n] holds the upper triangle and becomes the factor U, zeros below the diagonal as far as lanes reach;
  // n a multiple of the lanes; scale and inverse_pivot [n].
  FSA_INLINE void factor(float* matrix, int64_t n, float* scale, float* inverse_pivot) {
    matrix_ = matrix;
    scale_ = scale;
    inverse_pivot_ = inverse_pivot;
    n_ = n;
    equilibrate();
    for (int64_t k = 0; k < n; ++k) {
      float* row = matrix + k * n;
      inverse_pivot[k] = 1.0f / std::sqrt(row[k] > 0.5f * kHold ? row[k] : 0.5f * kHold);
      for (int64_t j = lane_below(k); j <= k; ++j) row[j] = 0.0f;
      for (int64_t j = k + 1; j < n; ++j) row[j] *= inverse_pivot[k];
      for (int64_t i = k + 1; i < n; ++i) {
        const int64_t first = lane_below(i);
        add_multiple(-row[i], row + first, matrix + i * n + first, n - first);
      }
    }
  }

  // x [n] becomes the solution of matrix x = x.
  FSA_INLINE void solve(float* x) const {
    for (int64_t i = 0; i < n_; ++i) x[i] *= scale_[i];
    for (int64_t i = 0; i < n_; ++i) {
      const int64_t first = lane_below(i);
      x[i] *= inverse_pivot_[i];
      add_multiple(-x[i], matrix_ + i * n_ + first, x + first, n_ - first);
    }
    for (int64_t i = n_ - 1; i >= 0; --i) {
      const int64_t first = lane_below(i);
      x[i] = (x[i] - dot(matrix_ + i * n_ + first, x + first, n_ - first)) * inverse_pivot_[i];
    }
    for (int64_t i = 0; i < n_; ++i) x[i] *= scale_[i];
  }

 private:
  static constexpr float kHold = 1e-6f;

  FSA_INLINE void equilibrate() {
    for (int64_t i = 0; i < n_; ++i) scale_[i] = 1.0f / std::sqrt(matrix_[i * n_ + i]);
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = i; j < n_; ++j) matrix_[i * n_ + j] *= scale_[i] * scale_[j];
      matrix_[i * n_ + i] = 1.0f + kHold;
    }
  }

  float* matrix_ = nullptr;
  float* scale_ = nullptr;
  float* inverse_pivot_ = nullptr;
  int64_t n_ = 0;
};

}  // namespace fsa::FSA_ISA
