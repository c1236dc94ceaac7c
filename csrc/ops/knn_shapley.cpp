// CPU launcher of knn_shapley; compiled once per instruction set.
#include "ops/knn_shapley.h"

#include "ops/neighbor_ranks.h"

namespace fsa::FSA_ISA {

namespace {

// The values of one part, given that of the neighbour just beyond it; parts come from the farthest to the nearest.
class MatchValues {
 public:
  MatchValues(const MatchSteps& steps, int64_t matches)
      : steps_(steps), value_(steps.offset + steps.slope * static_cast<double>(matches)) {}

  void operator()(const RankedPart& part) {
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
      MatchValues valued(steps, steps.slope == 0.0 ? 0 : ranks.matches(v));
      ranks.rank(v);
      for (int64_t p = ranks.n_parts() - 1; p >= 0; --p) {
        const RankedPart part = ranks.part<true>(v, p);
        valued(part);
        ranks.finish(part);
      }
      ranks.add_values(values[first + v]);
    }
    if (*cancel) return;
  }
}

}  // namespace fsa::FSA_ISA
