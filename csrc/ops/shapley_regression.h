// shapley_regression: additive values that sum to a total and fit the values of drawn coalitions best, game by game.
#pragma once

#include "core/view.h"

namespace fsa {

// With A the weighted sum of 1_S 1_S' over a game's coalitions S, b that of 1_S v(S), and 1 the vector of ones,
//   phi = inv(A) (b - 1 (1' inv(A) b - total) / (1' inv(A) 1))   (Covert and Lee, AISTATS 2021, equation 7).
// A sample is a coalition, or a coalition and its complement, which weigh the same. phi is NaN where A is singular.
struct ShapleyRegression {
  const uint64_t* members;  // [games, samples, words]: of the first coalition of each sample
  const double* values;     // [games, samples, coalitions, outputs], above the empty coalition's
  const double* weight;     // [n_players + 1] by size of the first coalition; null where all weigh alike
  const double* totals;     // [games, outputs]
  double* phi;              // [games, n_players, outputs]
  int64_t n_samples;
  int64_t n_players;
  int64_t n_outputs;
  bool paired;
};

#define FSA_DECLARE_REGRESSION                                                                     \
  int64_t shapley_regression_workspace(int64_t n_samples, int64_t n_players, int64_t n_outputs); \
  void shapley_regression(const ShapleyRegression& body, Range games, char* memory, CancelFlag cancel);

namespace portable {
FSA_DECLARE_REGRESSION
}
namespace avx2 {
FSA_DECLARE_REGRESSION
}

}  // namespace fsa
