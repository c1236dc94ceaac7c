// knn_recursion: one rank's step from the value of the neighbour beyond to its own; the CPU takes all ranks of a
// validation point with it, a device a stretch of them per thread. The formulas' terms are explained in knn_shapley.h.
#pragma once

#include "core/host_device.h"
#include "ops/knn_shapley.h"

namespace fsa {

// value_i = value_(i+1) + step_i (m_i - m_(i+1)), from value_(n+1) = offset + slope * matches and m_(n+1) = 0.
struct MatchRecursion {
  double value;
  int32_t farther = 0;  // m of the neighbour just beyond

  FSA_HD FSA_INLINE double next(double step, int32_t match) {
    value += step * static_cast<double>(match - farther);
    farther = match;
    return value;
  }
};

FSA_HD FSA_INLINE double beyond_the_last(const MatchSteps& steps, int64_t matches) {
  return steps.offset + steps.slope * static_cast<double>(matches);
}

// With y the targets in their rank and t the validation target,
//   value_i = value_(i+1) + (y_(i+1) - y_i) / k * [((y_i + y_(i+1)) / k - 2 t) few_i
//             + 2 / k (nearer_i * sum_(l<i) y_l + sum_(l>i+1) farther_l y_l)],   value_(n+1) = y_(n+1) = 0.
struct RegressionRecursion {
  double per_k;
  double own;            // t
  double value = 0.0;
  double farther = 0.0;  // y of the neighbour just beyond
  double beyond = 0.0;   // sum of farther_l y_l over those beyond that one

  // `before` is the sum of the targets of all that are nearer.
  FSA_HD FSA_INLINE double next(const RegressionTerms& terms, int64_t rank, double y, double before) {
    const double pair = ((y + farther) * per_k - 2.0 * own) * terms.few[rank];
    const double others = 2.0 * per_k * (terms.nearer[rank] * before + beyond);
    value += (farther - y) * per_k * (pair + others);
    if (farther != 0.0) beyond += farther * terms.farther[rank + 1];
    farther = y;
    return value;
  }
};

// What a match and another are worth among n within the radius.
struct ThresholdShares {
  double of_match;
  double of_other;
};

FSA_HD FSA_INLINE ThresholdShares threshold_shares(const ThresholdTerms& terms, int64_t n, int64_t matches) {
  const double shared = static_cast<double>(matches) * terms.per_match[n];
  return {terms.of_match[n] - shared, terms.of_other[n] - shared};
}

}  // namespace fsa
