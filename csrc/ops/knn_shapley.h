// knn_shapley: exact values of training points under nearest-neighbour utilities, one validation point at a time.
#pragma once

#include "core/points.h"
#include "core/view.h"
#include "ops/neighbor_distances.h"

namespace fsa {

// Utilities in which a neighbour counts by whether its class is the validation point's: neighbours are ranked, and with
// m_i = 1 where the i-th nearest of n matches, else 0,
//   value_n = offset + slope * (matches among all n) + step_n m_n,   value_i = value_{i+1} + step_i (m_i - m_{i+1}).
// Hard (Jia et al., PVLDB 2019, Theorem 1): step_i = 1 / max(i, k), offset = slope = 0.
struct MatchSteps {
  const double* step;  // [n], step[i - 1] for rank i
  double offset;
  double slope;
};

struct NeighborProblem {
  Points train;
  Points val;
  Metric metric;
  const int32_t* classes;      // [train.n]
  const int32_t* val_classes;  // [val.n]
  bool self;                   // validation point v is training point v and no neighbour of its own
};

// How one call is cut: a function of the problem, never of the threads.
struct NeighborCut {
  int64_t val_per_block;   // a multiple of four; their keys are held together
  int64_t points_per_block;  // a multiple of eight
  int64_t sample;          // points whose distances shape the keys
};

// The values of validation point v are added to row (v - first_val) / val_per_row of `out`.
struct ValueRows {
  Rows<double> out;  // [rows, train.n]
  int64_t first_val;
  int64_t val_per_row;

  double* operator[](int64_t v) const { return out[(v - first_val) / val_per_row]; }
};

namespace portable {
int64_t neighbor_workspace(const NeighborProblem& problem, const NeighborCut& cut);
void match_values(const NeighborProblem& problem, const NeighborCut& cut, const MatchSteps& steps,
                  const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
}  // namespace portable
namespace avx2 {
void match_values(const NeighborProblem& problem, const NeighborCut& cut, const MatchSteps& steps,
                  const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
}  // namespace avx2

}  // namespace fsa
