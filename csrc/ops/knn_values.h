// knn_values: the recursions that turn ranked neighbours into values, part by part from the farthest to the nearest.
#pragma once

#include "ops/knn_shapley.h"
#include "ops/ranked_row.h"

namespace fsa::FSA_ISA {

// value_i = value_(i+1) + step_i (m_i - m_(i+1)), from value_(n+1) = offset + slope * matches and m_(n+1) = 0.
class MatchValues {
 public:
  MatchValues(const MatchSteps& steps, int64_t matches)
      : steps_(steps), value_(steps.offset + steps.slope * static_cast<double>(matches)) {}

  FSA_OUTLINE void operator()(const RankedPart& part) {
    const double* step = steps_.step + part.first_rank;
    double value = value_;
    int32_t farther = farther_;
    for (int64_t i = part.n - 1; i >= 0; --i) {
      const uint64_t entry = part.entries[i];
      const int32_t match = static_cast<int32_t>(mark_of(entry));
      value += step[i] * static_cast<double>(match - farther);
      farther = match;
      part.set(entry, value);
    }
    value_ = value;
    farther_ = farther;
  }

 private:
  const MatchSteps& steps_;
  double value_;
  int32_t farther_ = 0;
};

// With y the targets in their rank and t the validation target,
//   value_i = value_(i+1) + (y_(i+1) - y_i) / k * [((y_i + y_(i+1)) / k - 2 t) few_i
//             + 2 / k (nearer_i * sum_(l<i) y_l + sum_(l>i+1) farther_l y_l)],   value_(n+1) = y_(n+1) = 0.
class RegressionValues {
 public:
  static int64_t bytes(int64_t n) { return 2 * n * static_cast<int64_t>(sizeof(double)); }

  // scratch: [2 n] doubles, n as of the largest part.
  RegressionValues(const RegressionTerms& terms, double own, double* scratch, int64_t n)
      : terms_(terms), own_(own), y_(scratch), before_(scratch + n) {}

  // `sum_before` is the sum of the targets of all parts that are nearer.
  FSA_OUTLINE void operator()(const RankedPart& part, double sum_before) {
    for (int64_t i = 0; i < part.n; ++i) {
      y_[i] = terms_.targets[part.point(part.entries[i])];
      before_[i] = sum_before;
      sum_before += y_[i];
    }
    const double per_k = 1.0 / static_cast<double>(terms_.k);
    for (int64_t i = part.n - 1; i >= 0; --i) {
      const int64_t rank = part.first_rank + i;
      const double pair = ((y_[i] + next_) * per_k - 2.0 * own_) * terms_.few[rank];
      const double others = 2.0 * per_k * (terms_.nearer[rank] * before_[i] + beyond_);
      value_ += (next_ - y_[i]) * per_k * (pair + others);
      if (next_ != 0.0) beyond_ += next_ * terms_.farther[rank + 1];
      next_ = y_[i];
      part.set(part.entries[i], value_);
    }
  }

 private:
  const RegressionTerms& terms_;
  double own_;
  double* y_;
  double* before_;
  double next_ = 0.0;    // y of the neighbour just beyond
  double beyond_ = 0.0;  // the weighted sum of those beyond that one
  double value_ = 0.0;
};

}  // namespace fsa::FSA_ISA
