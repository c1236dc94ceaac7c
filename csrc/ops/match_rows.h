// match_rows: MatchValues on a device, a block per validation point.
#pragma once

#include "ops/knn_recursion.h"
#include "ops/ranked_tile.h"

namespace fsa {

struct MatchRows {
  struct Shared {
    double value[kStretches];  // what a stretch adds, then what it starts from
    int64_t matches[kStretches];
  };

  RankedTile tile;
  const int32_t* classes;      // [n]
  const int32_t* val_classes;  // [n_val]
  MatchSteps steps;            // [n_ranks]

  FSA_HD int64_t blocks() const { return tile.values.n_rows; }
  FSA_HD int32_t phases() const { return 3; }

  FSA_HD void operator()(int32_t phase, Place place, Shared& shared) const {
    if (phase == 1) {
      if (place.thread == 0) find_starts(shared);
      return;
    }
    for (int32_t s = place.thread; s < kStretches; s += place.n_threads) {
      if (phase == 0) sum_up(place.block, s, shared);
      if (phase == 2) set_values(place.block, tile.stretch(s), shared.value[s]);
    }
    if (phase == 2) tile.clear_unranked(place);
  }

 private:
  FSA_HD int32_t match(int64_t row, int64_t rank) const {
    return classes[tile.order[row][rank]] == val_classes[tile.first + row];
  }
  FSA_HD MatchRecursion recursion(int64_t row, int64_t end, double value) const {
    return {value, end < tile.n_ranks ? match(row, end) : 0};
  }

  FSA_HD void sum_up(int64_t row, int32_t s, Shared& shared) const {
    const Range ranks = tile.stretch(s);
    MatchRecursion at = recursion(row, ranks.end, 0.0);
    int64_t matches = 0;
    for (int64_t i = ranks.end - 1; i >= ranks.begin; --i) {
      const int32_t own = match(row, i);
      matches += own;
      at.next(steps.step[i], own);
    }
    shared.value[s] = at.value;
    shared.matches[s] = matches;
  }

  FSA_HD void find_starts(Shared& shared) const {
    int64_t matches = 0;
    for (int32_t s = 0; s < kStretches; ++s) matches += shared.matches[s];
    double value = beyond_the_last(steps, matches);
    for (int32_t s = kStretches - 1; s >= 0; --s) {
      const double added = shared.value[s];
      shared.value[s] = value;
      value += added;
    }
  }

  FSA_HD void set_values(int64_t row, Range ranks, double start) const {
    MatchRecursion at = recursion(row, ranks.end, start);
    for (int64_t i = ranks.end - 1; i >= ranks.begin; --i) tile.value(row, i) = at.next(steps.step[i], match(row, i));
  }
};

}  // namespace fsa
