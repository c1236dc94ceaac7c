// CPU launcher of knn_shapley; compiled once per instruction set.
#include "ops/knn_shapley.h"

#include "ops/neighbor_ranks.h"

namespace fsa::FSA_ISA {

namespace {

// From the farthest neighbour to the nearest.
inline void add_match_values(const MatchSteps& steps, const uint64_t* entries, int64_t n, double* out) {
  int64_t matches = 0;
  for (int64_t i = 0; i < n; ++i) matches += mark_of(entries[i]);
  double value = steps.offset + steps.slope * static_cast<double>(matches);
  int32_t farther = 0;
  for (int64_t i = n - 1; i >= 0; --i) {
    const int32_t match = static_cast<int32_t>(mark_of(entries[i]));
    value += steps.step[i] * static_cast<double>(match - farther);
    farther = match;
    out[point_of(entries[i])] += value;
  }
}

}  // namespace

int64_t neighbor_workspace(const NeighborProblem& problem, const NeighborCut& cut) {
  return NeighborRanks::bytes(problem, cut);
}

void match_values(const NeighborProblem& problem, const NeighborCut& cut, const MatchSteps& steps,
                  const ValueRows& values, Range val, char* workspace, CancelFlag cancel) {
  NeighborRanks ranks(problem, cut, workspace);
  for (int64_t first = val.begin; first < val.end; first += cut.val_per_block) {
    const int64_t n_val = val.end - first < cut.val_per_block ? val.end - first : cut.val_per_block;
    ranks.load(first, n_val, cancel);
    for (int64_t v = 0; v < n_val && !*cancel; ++v) {
      add_match_values(steps, ranks.sorted<true>(v), ranks.n_neighbors(), values[first + v]);
    }
    if (*cancel) return;
  }
}

}  // namespace fsa::FSA_ISA
