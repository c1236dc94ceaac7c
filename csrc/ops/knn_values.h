// knn_values: the recursions that turn ranked neighbours into values, part by part from the farthest to the nearest.
#pragma once

#include "ops/knn_recursion.h"
#include "ops/knn_shapley.h"
#include "ops/ranked_row.h"

namespace fsa::FSA_ISA {

class MatchValues {
 public:
  MatchValues(const MatchSteps& steps, int64_t matches) : steps_(steps), so_far_{beyond_the_last(steps, matches)} {}

  FSA_OUTLINE void operator()(const RankedPart& part) {
    const double* step = steps_.step + part.first_rank;
    MatchRecursion recursion = so_far_;
    for (int64_t i = part.n - 1; i >= 0; --i) {
      const uint64_t entry = part.entries[i];
      part.set(entry, recursion.next(step[i], static_cast<int32_t>(mark_of(entry))));
    }
    so_far_ = recursion;
  }

 private:
  const MatchSteps& steps_;
  MatchRecursion so_far_;
};

class RegressionValues {
 public:
  static int64_t bytes(int64_t n) { return 2 * n * static_cast<int64_t>(sizeof(double)); }

  // scratch: [2 n] doubles, n as of the largest part.
  RegressionValues(const RegressionTerms& terms, double own, double* scratch, int64_t n)
      : terms_(terms), y_(scratch), before_(scratch + n), so_far_{1.0 / static_cast<double>(terms.k), own} {}

  // `sum_before` is the sum of the targets of all parts that are nearer.
  FSA_OUTLINE void operator()(const RankedPart& part, double sum_before) {
    for (int64_t i = 0; i < part.n; ++i) {
      y_[i] = terms_.targets[part.point(part.entries[i])];
      before_[i] = sum_before;
      sum_before += y_[i];
    }
    RegressionRecursion recursion = so_far_;
    for (int64_t i = part.n - 1; i >= 0; --i) {
      part.set(part.entries[i], recursion.next(terms_, part.first_rank + i, y_[i], before_[i]));
    }
    so_far_ = recursion;
  }

 private:
  const RegressionTerms& terms_;
  double* y_;
  double* before_;
  RegressionRecursion so_far_;
};

}  // namespace fsa::FSA_ISA
