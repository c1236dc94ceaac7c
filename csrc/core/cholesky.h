// The inverse of a small symmetric positive definite matrix in floats, for preconditioners.
#pragma once

#include <cmath>  // for sqrt

#include "core/products.h"

namespace fsa::FSA_ISA {

// A symmetric positive definite matrix is brought to a unit diagonal, given kHold of the identity, which keeps the pivots
// clear of float rounding, and factored as U^T U. Kept is U^-1, and the inverse applied as U^-1 U^-T: two products, in
// which no sum waits for another as in two triangular solves.
class CholeskyInverse {
 public:
  // matrix [n, n] holds the upper triangle and becomes U^-1; transposed [n, n] becomes U^-T; scale, row [n]; n a multiple
  // of the lanes.
  FSA_INLINE void factor(float* matrix, int64_t n, float* transposed, float* scale, float* row) {
    matrix_ = matrix;
    transposed_ = transposed;
    scale_ = scale;
    row_ = row;
    n_ = n;
    equilibrate();
    eliminate();
    invert();
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) transposed[j * n + i] = matrix[i * n + j];
    }
  }

  // x [n] becomes the solution of matrix x = x.
  FSA_INLINE void solve(float* x) const {
    for (int64_t i = 0; i < n_; ++i) x[i] *= scale_[i];
    gather_gradient(matrix_, n_, n_, n_, x, n_, 1, row_);
    gather_gradient(transposed_, n_, n_, n_, row_, n_, 1, x);
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

  // Leaves U with the inverse of its diagonal, zeros below it.
  FSA_INLINE void eliminate() {
    for (int64_t k = 0; k < n_; ++k) {
      float* pivot_row = matrix_ + k * n_;
      const float inverse_pivot = 1.0f / std::sqrt(pivot_row[k] > 0.5f * kHold ? pivot_row[k] : 0.5f * kHold);
      for (int64_t j = 0; j < k; ++j) pivot_row[j] = 0.0f;
      for (int64_t j = k + 1; j < n_; ++j) pivot_row[j] *= inverse_pivot;
      for (int64_t i = k + 1; i < n_; ++i) {
        const int64_t first = lane_below(i);
        add_multiple(-pivot_row[i], pivot_row + first, matrix_ + i * n_ + first, n_ - first);
      }
      pivot_row[k] = inverse_pivot;
    }
  }

  // Row i of U^-1 is (e_i - sum over j > i of U_ij times row j) / U_ii; from the last row up, each in the place of U's.
  FSA_INLINE void invert() {
    for (int64_t i = n_ - 1; i >= 0; --i) {
      float* own = matrix_ + i * n_;
      const float inverse_pivot = own[i];
      const int64_t first = lane_below(i), below = i + 1;
      for (int64_t j = below; j < n_; ++j) row_[j] = -inverse_pivot * own[j];
      gather_gradient(matrix_ + below * n_ + first, n_ - below, n_, n_ - first, row_ + below, n_, 1, own + first);
      own[i] = inverse_pivot;
    }
  }

  float* matrix_ = nullptr;
  float* transposed_ = nullptr;
  float* scale_ = nullptr;
  float* row_ = nullptr;
  int64_t n_ = 0;
};

}  // namespace fsa::FSA_ISA
