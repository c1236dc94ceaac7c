// logistic: walks of the L2-regularised logistic regression utility.
//   minimise over weights and free intercepts: sum over members of log-loss + penalty / 2 * |weights|^2,
//   softmax over the classes present, the binomial form when exactly two are (scikit-learn's objective; penalty = 1/C).
#pragma once

#include "ops/walk.h"

namespace fsa {

// Correct and log-likelihood answer one number per validation point.
enum class LogisticScore : int32_t { kAccuracy = 0, kLogLoss = 1, kCoefficients = 2, kCorrect = 3, kLogLikelihood = 4 };

// Features are a constant 1, then the centred points on the pool's principal axes, the largest first (the penalty does
// not notice the rotation), then zeros up to a multiple of the lanes.
struct LogisticProblem {
  Rows<const double> features;           // [points, width]
  const int32_t* classes;                // [points]
  Rows<const double> val_panels;         // [blocks of 8 validation points, n_features * 8]
  const int32_t* val_classes;            // [n_val]
  int64_t n_val;
  int64_t n_features;                    // with the constant
  int32_t n_classes;
  double penalty;
  double reach;                          // largest |features| over the points, divided by sqrt(penalty)
  Rows<const double> reference_weights;  // [references * n_classes, width] fits of growing coalitions of the pool
  const int64_t* reference_sizes;        // [references] ascending
  int64_t n_references;
  LogisticScore score;
};

// Log-loss mixes into every prediction this share of the smoothed class frequencies, (count + 1) / (size + classes).
constexpr double kPriorShare = 0.01;

namespace portable {
int64_t logistic_workspace(const LogisticProblem& problem, int64_t most_members);
WalkStatus walk_logistic(const LogisticProblem& problem, const Walks& walks, Range rows, double* values,
                         char* workspace, int64_t most_members, CancelFlag cancel);
}  // namespace portable
namespace avx2 {
WalkStatus walk_logistic(const LogisticProblem& problem, const Walks& walks, Range rows, double* values,
                         char* workspace, int64_t most_members, CancelFlag cancel);
}  // namespace avx2

}  // namespace fsa
