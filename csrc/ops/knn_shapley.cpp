// CPU launchers of knn_shapley; compiled once per instruction set.
#include "ops/knn_shapley.h"

#include <chrono>  // for steady_clock
#include <cmath>   // for nearbyint, sqrt

#include "ops/knn_values.h"
#include "ops/knn_weighted.h"
#include "ops/nearest_few.h"
#include "ops/neighbor_ranks.h"

namespace fsa::FSA_ISA {

namespace {

// Calls value(v, its position in its block) for every validation point of the range, once its block is keyed.
template <class Value>
inline void for_each_validation(NeighborRanks& ranks, const NeighborCut& cut, Range val, CancelFlag cancel,
                                const Value& value) {
  for (int64_t first = val.begin; first < val.end; first += cut.val_per_block) {
    const int64_t n_val = val.end - first < cut.val_per_block ? val.end - first : cut.val_per_block;
    ranks.keys().load(first, n_val, cancel);
    for (int64_t v = 0; v < n_val && !*cancel; ++v) value(first + v, v);
    if (*cancel) return;
  }
}

// Distance as the weights see it: the root of the squared one.
inline double inverse_weight(double squared, double nearest_squared) {
  if (nearest_squared == 0.0) return squared == 0.0 ? 1.0 : 0.0;
  return std::sqrt(nearest_squared) / std::sqrt(squared);
}

// Signed integer weights by rank.
inline void rank_weights(const NeighborRanks& ranks, const NeighborProblem& problem, const WeightedVote& vote,
                         int64_t v, int64_t in_block, const int32_t* order, int64_t n, double* raw, int32_t* out) {
  double largest = 0.0;
  const double nearest = n > 0 && vote.weights == nullptr ? ranks.distance(in_block, order[0]) : 0.0;
  for (int64_t i = 0; i < n; ++i) {
    raw[i] = vote.weights == nullptr ? inverse_weight(ranks.distance(in_block, order[i]), nearest)
                                     : vote.weights[v * problem.train.n + order[i]];
    largest = raw[i] > largest ? raw[i] : largest;
  }
  for (int64_t i = 0; i < n; ++i) {
    const double scaled = largest > 0.0 ? raw[i] / largest * static_cast<double>(vote.most) : 0.0;
    const int32_t steps = static_cast<int32_t>(std::nearbyint(scaled));
    out[i] = problem.classes[order[i]] == problem.val_classes[v] ? steps : -steps;
  }
}

inline void add_threshold_values(const ThresholdTerms& terms, const NeighborProblem& problem, const uint32_t* within,
                                 int32_t own, double* out) {
  int64_t n = 0;
  int64_t matches = 0;
  for (int64_t i = 0; i < problem.train.n; ++i) {
    n += within[i];
    matches += within[i] & static_cast<uint32_t>(problem.classes[i] == own);
  }
  const ThresholdShares shares = threshold_shares(terms, n, matches);
  for (int64_t i = 0; i < problem.train.n; ++i) {
    const double value = problem.classes[i] == own ? shares.of_match : shares.of_other;
    out[i] += within[i] ? value : 0.0;
  }
}

inline RankedPart listed_part(const NeighborLists& lists, int64_t v, uint64_t* members, uint64_t* entries) {
  const int32_t* points = lists.points + lists.offsets[v];
  const int64_t n = lists.offsets[v + 1] - lists.offsets[v];
  for (int64_t i = 0; i < n; ++i) {
    const bool match = lists.classes != nullptr && lists.classes[points[i]] == lists.val_classes[v];
    members[i] = entry_of(0, points[i], match);
    entries[i] = entry_of(0, i, match);
  }
  return {entries, n, 0, members, members};
}

inline void add_listed(const NeighborLists& lists, int64_t v, const RankedPart& part, double* out) {
  const int32_t* points = lists.points + lists.offsets[v];
  for (int64_t i = 0; i < part.n; ++i) {
    double value;
    std::memcpy(&value, part.values + i, sizeof value);
    out[points[i]] += value;
  }
}

// Entries of the nearest `n` by the full ranking, for one validation point.
inline void nearest_by_ranking(NeighborRanks& ranks, const NeighborProblem& problem, int64_t v, int32_t* order,
                               int64_t n, uint64_t* entries, CancelFlag cancel) {
  ranks.keys().load(v, 1, cancel);
  if (*cancel) return;
  ranks.order(0, order);
  for (int64_t i = 0; i < n; ++i) {
    entries[i] = entry_of(0, order[i], problem.classes[order[i]] == problem.val_classes[v]);
  }
}

// Values of neighbours alone in the order of `points`, added to `out`; the points' values end in their place.
inline void add_nearest(const MatchSteps& steps, uint64_t* points, uint64_t* entries, int64_t n, double* values,
                        double* out) {
  for (int64_t i = 0; i < n; ++i) entries[i] = entry_of(0, i, mark_of(points[i]));
  uint64_t* by_place = reinterpret_cast<uint64_t*>(values);
  MatchValues{steps, 0}(RankedPart{entries, n, 0, points, by_place});
  for (int64_t i = 0; i < n; ++i) {
    double value;
    std::memcpy(&value, by_place + i, sizeof value);
    out[place_of(points[i])] += value;
  }
}

constexpr int64_t kRankedAtOnce = 4;

// What a stage took, for benchmarks; Unclocked leaves no code.
struct Unclocked {
  void stage(int64_t /*which*/) const {}
};
class Clocked {
 public:
  explicit Clocked(double* seconds) : seconds_(seconds), last_(Clock::now()) {}
  void stage(int64_t which) {
    const Clock::time_point now = Clock::now();
    seconds_[which] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  double* seconds_;
  Clock::time_point last_;
};
enum Stage : int64_t { kProducts = 0, kSort = 1, kScan = 2 };

template <class StageClock>
inline void add_match_values(const NeighborProblem& problem, const NeighborCut& cut, const MatchSteps& steps,
                             const ValueRows& values, Range val, char* workspace, CancelFlag cancel,
                             StageClock clock) {
  NeighborRanks ranks(problem, cut, workspace);
  for_each_validation(ranks, cut, val, cancel, [&](int64_t v, int64_t in_block) {
    clock.stage(kProducts);
    MatchValues valued(steps, steps.slope == 0.0 ? 0 : ranks.matches(in_block));
    ranks.rank(in_block);
    for (int64_t p = ranks.n_parts() - 1; p >= 0; --p) {
      const RankedPart part = ranks.part<true>(in_block, p);
      clock.stage(kSort);
      valued(part);
      ranks.finish(part);
      clock.stage(kScan);
    }
    ranks.add_values(values[v]);
    clock.stage(kScan);
  });
}

}  // namespace

int64_t neighbor_workspace(const NeighborProblem& problem, const NeighborCut& cut) {
  return NeighborRanks::bytes(problem, cut);
}

void match_values(const NeighborProblem& problem, const NeighborCut& cut, const MatchSteps& steps,
                  const ValueRows& values, Range val, char* workspace, CancelFlag cancel) {
  add_match_values(problem, cut, steps, values, val, workspace, cancel, Unclocked{});
}

void clocked_match_values(const NeighborProblem& problem, const NeighborCut& cut, const ClockedSteps& terms,
                          const ValueRows& values, Range val, char* workspace, CancelFlag cancel) {
  add_match_values(problem, cut, terms.steps, values, val, workspace, cancel, Clocked(terms.seconds));
}

int64_t nearest_workspace(const NeighborProblem& problem, const NeighborCut& cut, int64_t ranks) {
  const NeighborCut single{kRankedAtOnce, cut.points_per_block, cut.sample};
  Arena arena(nullptr);
  arena.take<uint64_t>(3 * ranks);
  arena.take<int32_t>(problem.train.n);
  return NearestFew::bytes(problem, cut, ranks) + NeighborRanks::bytes(problem, single) + arena.used();
}

void nearest_match_values(const NeighborProblem& problem, const NeighborCut& cut, const NearestSteps& terms,
                          const ValueRows& values, Range val, char* workspace, CancelFlag cancel) {
  const int64_t n = terms.ranks;
  const NeighborCut single{kRankedAtOnce, cut.points_per_block, cut.sample};
  NearestFew few(problem, cut, n, workspace);
  workspace += NearestFew::bytes(problem, cut, n);
  NeighborRanks ranks(problem, single, workspace);
  Arena arena(workspace + NeighborRanks::bytes(problem, single));
  uint64_t* points = arena.take<uint64_t>(3 * n);
  int32_t* order = arena.take<int32_t>(problem.train.n);
  const bool screened = problem.metric == Metric::kSquaredEuclidean;
  for (int64_t first = val.begin; first < val.end && !*cancel; first += cut.val_per_block) {
    const int64_t n_val = val.end - first < cut.val_per_block ? val.end - first : cut.val_per_block;
    if (screened) few.screen(first, n_val, cancel);
    for (int64_t v = 0; v < n_val && !*cancel; ++v) {
      if (!screened || !few.nearest(v, points)) {
        nearest_by_ranking(ranks, problem, first + v, order, n, points, cancel);
      }
      if (*cancel) return;
      add_nearest(terms.steps, points, points + n, n, reinterpret_cast<double*>(points + 2 * n), values[first + v]);
    }
  }
}

int64_t regression_workspace(int64_t n) { return RegressionValues::bytes(n) + RankedRow::max_parts(n) * 8; }

void regression_values(const NeighborProblem& problem, const NeighborCut& cut, const RegressionTerms& terms,
                       const ValueRows& values, Range val, char* workspace, CancelFlag cancel) {
  NeighborRanks ranks(problem, cut, workspace);
  double* scratch = reinterpret_cast<double*>(workspace + NeighborRanks::bytes(problem, cut));
  double* sums_before = scratch + 2 * problem.train.n;
  for_each_validation(ranks, cut, val, cancel, [&](int64_t v, int64_t in_block) {
    RegressionValues valued(terms, terms.val_targets[v], scratch, problem.train.n);
    ranks.rank(in_block);
    ranks.sums_before(terms.targets, sums_before);
    for (int64_t p = ranks.n_parts() - 1; p >= 0; --p) {
      const RankedPart part = ranks.part<false>(in_block, p);
      valued(part, sums_before[p]);
      ranks.finish(part);
    }
    ranks.add_values(values[v]);
  });
}

int64_t weighted_workspace(const WeightedVote& vote, int64_t n) {
  Arena arena(nullptr);
  WeightedCounts counts(vote, arena);
  arena.take<double>(2 * n);
  arena.take<int32_t>(2 * n);
  return arena.used();
}

void weighted_values(const NeighborProblem& problem, const NeighborCut& cut, const WeightedVote& vote,
                     const ValueRows& values, Range val, char* workspace, CancelFlag cancel) {
  NeighborRanks ranks(problem, cut, workspace);
  Arena arena(workspace + NeighborRanks::bytes(problem, cut));
  WeightedCounts counts(vote, arena);
  double* raw = arena.take<double>(2 * problem.train.n);
  double* by_rank = raw + problem.train.n;
  int32_t* order = arena.take<int32_t>(2 * problem.train.n);
  int32_t* weights = order + problem.train.n;
  for_each_validation(ranks, cut, val, cancel, [&](int64_t v, int64_t in_block) {
    const int64_t n = ranks.order(in_block, order);
    rank_weights(ranks, problem, vote, v, in_block, order, n, raw, weights);
    counts.values(vote, weights, n, by_rank);
    for (int64_t i = 0; i < n; ++i) values[v][order[i]] += by_rank[i];
  });
}

void threshold_values(const NeighborProblem& problem, const NeighborCut& cut, const ThresholdTerms& terms,
                      const ValueRows& values, Range val, char* workspace, CancelFlag cancel) {
  Arena arena(workspace);
  NeighborKeys keys(problem, cut, arena);
  for (int64_t first = val.begin; first < val.end && !*cancel; first += cut.val_per_block) {
    const int64_t n_val = val.end - first < cut.val_per_block ? val.end - first : cut.val_per_block;
    keys.load_within(first, n_val, terms.radius, cancel);
    for (int64_t v = 0; v < n_val && !*cancel; ++v) {
      if (problem.self) keys.row(v)[first + v] = 0;
      add_threshold_values(terms, problem, keys.row(v), problem.val_classes[first + v], values[first + v]);
    }
  }
}

int64_t lists_workspace(int64_t longest) {
  return 2 * longest * static_cast<int64_t>(sizeof(uint64_t)) + RegressionValues::bytes(longest);
}

void listed_match_values(const NeighborLists& lists, const MatchSteps& steps, const ValueRows& values, Range val,
                         char* workspace, CancelFlag cancel) {
  uint64_t* members = reinterpret_cast<uint64_t*>(workspace);
  for (int64_t v = val.begin; v < val.end && !*cancel; ++v) {
    const RankedPart part = listed_part(lists, v, members, members + lists.longest);
    int64_t matches = 0;
    for (int64_t i = 0; i < part.n; ++i) matches += mark_of(part.entries[i]);
    MatchValues{steps, matches}(part);
    add_listed(lists, v, part, values[v]);
  }
}

void listed_regression_values(const NeighborLists& lists, const RegressionTerms& terms, const ValueRows& values,
                              Range val, char* workspace, CancelFlag cancel) {
  uint64_t* members = reinterpret_cast<uint64_t*>(workspace);
  double* scratch = reinterpret_cast<double*>(members + 2 * lists.longest);
  for (int64_t v = val.begin; v < val.end && !*cancel; ++v) {
    const RankedPart part = listed_part(lists, v, members, members + lists.longest);
    RegressionValues(terms, terms.val_targets[v], scratch, lists.longest)(part, 0.0);
    add_listed(lists, v, part, values[v]);
  }
}

}  // namespace fsa::FSA_ISA
