// knn_shapley: exact values of training points under nearest-neighbour utilities, one validation point at a time.
#pragma once

#include "core/points.h"
#include "core/view.h"
#include "ops/metric.h"

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

// The same, clocked: seconds of distances and their keys, of sorting, of valuing are added to seconds[0 .. 2].
struct ClockedSteps {
  MatchSteps steps;
  double* seconds;
};

// The same for the nearest `ranks` alone; the others are worth 0.
struct NearestSteps {
  MatchSteps steps;  // [ranks], offset = slope = 0
  int64_t ranks;     // below the number of neighbours
};

// Regression, v(S) = -(sum of the targets of the min(k, |S|) nearest / k - t)^2 (Jia et al. 2019): chances
// that the index draws, of the others, by rank and over [n] each,
struct RegressionTerms {
  const double* targets;      // [train.n]
  const double* val_targets;  // [val.n]
  const double* few;          // fewer than k that are nearer
  const double* nearer;       // a given nearer one, and fewer than k nearer ones in all
  const double* farther;      // this one, and at most k - 2 of the nearer ones, two of which are never drawn
  int64_t k;
};

// The weighted vote of knn_weighted.h, with weights in steps of 1 / most of the largest.
struct WeightedVote {
  const double* size;     // [k] weight of each coalition of so many others
  const double* tail;     // [n] weight of all coalitions whose k-th nearest has this rank, together
  const double* weights;  // [val.n, train.n], or null: 1 / distance
  int64_t k;
  int32_t most;
  int64_t cutoff;         // ranks from here on replace nobody; n when exact
};

// v(S) = share of matches among the members within `radius` (as a distance of the metric's), 1 / C without any
// (Wang et al. 2023). A neighbour's value, of c within and M matches among them, is match_or_not - M * per_match.
struct ThresholdTerms {
  double radius;
  const double* of_match;   // [n + 1] by c
  const double* of_other;   // [n + 1]
  const double* per_match;  // [n + 1]
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

// Neighbours that the caller ranked: row v is points[offsets[v] .. offsets[v + 1]), nearest first.
struct NeighborLists {
  const int64_t* offsets;      // [n_val + 1]
  const int32_t* points;
  const int32_t* classes;      // [n], or null
  const int32_t* val_classes;  // [n_val], or null
  int64_t longest;
};

namespace portable {
int64_t neighbor_workspace(const NeighborProblem& problem, const NeighborCut& cut);
int64_t nearest_workspace(const NeighborProblem& problem, const NeighborCut& cut, int64_t ranks);
int64_t regression_workspace(int64_t n);
int64_t weighted_workspace(const WeightedVote& vote, int64_t n);
int64_t lists_workspace(int64_t longest);
void match_values(const NeighborProblem& problem, const NeighborCut& cut, const MatchSteps& steps,
                  const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void clocked_match_values(const NeighborProblem& problem, const NeighborCut& cut, const ClockedSteps& terms,
                          const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void nearest_match_values(const NeighborProblem& problem, const NeighborCut& cut, const NearestSteps& terms,
                          const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void regression_values(const NeighborProblem& problem, const NeighborCut& cut, const RegressionTerms& terms,
                       const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void weighted_values(const NeighborProblem& problem, const NeighborCut& cut, const WeightedVote& vote,
                     const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void threshold_values(const NeighborProblem& problem, const NeighborCut& cut, const ThresholdTerms& terms,
                      const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void listed_match_values(const NeighborLists& lists, const MatchSteps& steps, const ValueRows& values, Range val,
                         char* workspace, CancelFlag cancel);
void listed_regression_values(const NeighborLists& lists, const RegressionTerms& terms, const ValueRows& values,
                              Range val, char* workspace, CancelFlag cancel);
}  // namespace portable
namespace avx2 {
void match_values(const NeighborProblem& problem, const NeighborCut& cut, const MatchSteps& steps,
                  const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void clocked_match_values(const NeighborProblem& problem, const NeighborCut& cut, const ClockedSteps& terms,
                          const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void nearest_match_values(const NeighborProblem& problem, const NeighborCut& cut, const NearestSteps& terms,
                          const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void regression_values(const NeighborProblem& problem, const NeighborCut& cut, const RegressionTerms& terms,
                       const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void weighted_values(const NeighborProblem& problem, const NeighborCut& cut, const WeightedVote& vote,
                     const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void threshold_values(const NeighborProblem& problem, const NeighborCut& cut, const ThresholdTerms& terms,
                      const ValueRows& values, Range val, char* workspace, CancelFlag cancel);
void listed_match_values(const NeighborLists& lists, const MatchSteps& steps, const ValueRows& values, Range val,
                         char* workspace, CancelFlag cancel);
void listed_regression_values(const NeighborLists& lists, const RegressionTerms& terms, const ValueRows& values,
                              Range val, char* workspace, CancelFlag cancel);
}  // namespace avx2

}  // namespace fsa
