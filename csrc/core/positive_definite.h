// Solves A X = B for a symmetric positive definite A, in doubles: the Cholesky factor of [A | B] in tiles of four rows by
// eight lanes, so that B is carried along, then a substitution backwards in the same tiles.
#pragma once

#include <cmath>  // for sqrt

#include "core/lanes.h"

namespace fsa::FSA_ISA {

class PositiveDefinite {
 public:
  static FSA_INLINE int64_t width(int64_t n, int64_t columns) { return padded(n) + padded(columns); }

  // system [padded(n), width(n, columns)] holds the upper triangle of A, then from column padded(n) on B, which becomes X.
  // What pads is zero, with a diagonal of ones. False, and X of no use, where A is not positive definite to kLeast.
  FSA_INLINE bool solve(double* system, int64_t n, int64_t columns) {
    system_ = system;
    n_ = padded(n);
    width_ = width(n, columns);
    for (int64_t k = 0; k < n_; k += kTile) {
      double diagonal[kTile];
      for (int64_t r = 0; r < kTile; ++r) diagonal[r] = row(k + r)[k + r];
      for (int64_t j = lane_below(k); j < width_; j += kLanes) subtract<true>(k, j, 0, k);
      if (!factor_rows(k, diagonal)) return false;
    }
    for (int64_t k = n_ - kTile; k >= 0; k -= kTile) {
      for (int64_t j = n_; j < width_; j += kLanes) {
        subtract<false>(k, j, k + kTile, n_);
        substitute_rows(k, j);
      }
    }
    return true;
  }

 private:
  static constexpr int64_t kTile = 4;
  // Of a diagonal entry that must be left when the rows above are taken out of it: far above rounding, far below what any
  // matrix has that determines its solution to a few digits.
  static constexpr double kLeast = 1e-11;

  FSA_INLINE double* row(int64_t i) const { return system_ + i * width_; }

  // Rows k .. k + 3, lanes j .. j + 7: minus the sum over p in [begin, end) of U[p, row] (Above) or U[row, p] times row p.
  template <bool Above>
  FSA_INLINE void subtract(int64_t k, int64_t j, int64_t begin, int64_t end) {
    constexpr int64_t kAll = kRegisters<double>, kEach = kPerRegister<double>;
    Register<double> sums[kTile][kAll];
    for (int64_t r = 0; r < kTile; ++r) {
      for (int64_t l = 0; l < kAll; ++l) sums[r][l] = load(row(k + r) + j + l * kEach);
    }
    for (int64_t p = begin; p < end; ++p) {
      Register<double> other[kAll];
      for (int64_t l = 0; l < kAll; ++l) other[l] = load(row(p) + j + l * kEach);
      for (int64_t r = 0; r < kTile; ++r) {
        const double factor = Above ? row(p)[k + r] : row(k + r)[p];
        for (int64_t l = 0; l < kAll; ++l) sums[r][l] = sums[r][l] - other[l] * factor;
      }
    }
    for (int64_t r = 0; r < kTile; ++r) {
      for (int64_t l = 0; l < kAll; ++l) store(row(k + r) + j + l * kEach, sums[r][l]);
    }
  }

  // The factor's rows k .. k + 3, once those above are taken out; diagonal [4] as it was before.
  FSA_INLINE bool factor_rows(int64_t k, const double* diagonal) {
    for (int64_t r = 0; r < kTile; ++r) {
      double* own = row(k + r);
      const double pivot = own[k + r];
      if (!(pivot > kLeast * diagonal[r])) return false;
      const double scale = 1.0 / std::sqrt(pivot);
      for (int64_t j = lane_below(k); j < width_; ++j) own[j] *= scale;
      for (int64_t below = r + 1; below < kTile; ++below) {
        const double factor = own[k + below];
        double* other = row(k + below);
        for (int64_t j = lane_below(k); j < width_; ++j) other[j] -= factor * own[j];
      }
    }
    return true;
  }

  // X at rows k + 3 .. k, lanes j .. j + 7, once the rows below are taken out.
  FSA_INLINE void substitute_rows(int64_t k, int64_t j) {
    for (int64_t r = kTile - 1; r >= 0; --r) {
      const double* factors = row(k + r);
      double* own = row(k + r) + j;
      for (int64_t below = r + 1; below < kTile; ++below) {
        const double* other = row(k + below) + j;
        for (int64_t l = 0; l < kLanes; ++l) own[l] -= factors[k + below] * other[l];
      }
      for (int64_t l = 0; l < kLanes; ++l) own[l] /= factors[k + r];
    }
  }

  double* system_ = nullptr;
  int64_t n_ = 0;
  int64_t width_ = 0;
};

}  // namespace fsa::FSA_ISA
