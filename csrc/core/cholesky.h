// Factor and solve a small symmetric positive definite system in floats, for preconditioners.
#pragma once

#include <cmath>  // for sqrt

#include "core/products.h"

namespace fsa::FSA_ISA {

FSA_INLINE int64_t lane_below(int64_t i) { return i / kLanes * kLanes; }

// The upper triangle of matrix [n, n] becomes that of U with U^T U = matrix, n a multiple of the lanes; the diagonal of
// U is kept as its inverse in inverse_pivot [n], and zeros stand below it as far as lanes reach. A pivot lost to
// rounding is replaced by its diagonal entry: the factor then belongs to a nearby matrix.
FSA_INLINE void cholesky(float* matrix, int64_t n, float* inverse_pivot) {
  constexpr float kLost = 1e-5f;
  for (int64_t k = 0; k < n; ++k) inverse_pivot[k] = matrix[k * n + k];
  for (int64_t k = 0; k < n; ++k) {
    float* row = matrix + k * n;
    const float least = kLost * inverse_pivot[k];
    inverse_pivot[k] = 1.0f / std::sqrt(row[k] > least ? row[k] : inverse_pivot[k]);
    for (int64_t j = lane_below(k); j <= k; ++j) row[j] = 0.0f;
    for (int64_t j = k + 1; j < n; ++j) row[j] *= inverse_pivot[k];
    for (int64_t i = k + 1; i < n; ++i) {
      const int64_t first = lane_below(i);
      add_multiple(-row[i], row + first, matrix + i * n + first, n - first);
    }
  }
}

// x [n] becomes the solution of U^T U x = x.
FSA_INLINE void cholesky_solve(const float* factor, const float* inverse_pivot, int64_t n, float* x) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t first = lane_below(i);
    x[i] *= inverse_pivot[i];
    add_multiple(-x[i], factor + i * n + first, x + first, n - first);
  }
  for (int64_t i = n - 1; i >= 0; --i) {
    const int64_t first = lane_below(i);
    x[i] = (x[i] - dot(factor + i * n + first, x + first, n - first)) * inverse_pivot[i];
  }
}

}  // namespace fsa::FSA_ISA
