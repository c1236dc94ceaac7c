// regression_rows: RegressionValues on a device, a block per validation point.
#pragma once

#include "ops/knn_recursion.h"
#include "ops/ranked_tile.h"

namespace fsa {

// The sum over nearer targets goes one way and the rest the other, so it waits where the values will be.
struct RegressionRows {
  struct Shared {
    double before[kStretches];  // of the targets: what a stretch adds, then the sum of all nearer ones
    double beyond[kStretches];  // of farther_l y_l: what a stretch adds, one later than its ranks; then the sum of
                                // all that are beyond the one at its end
    double value[kStretches];   // what a stretch adds, then what it starts from
  };

  RankedTile tile;
  RegressionTerms terms;  // chances [n_ranks]

  FSA_HD int64_t blocks() const { return tile.values.n_rows; }
  FSA_HD int32_t phases() const { return 5; }

  FSA_HD void operator()(int32_t phase, Place place, Shared& shared) const {
    if (phase % 2 == 1) {
      if (place.thread == 0 && phase == 1) find_sums(shared);
      if (place.thread == 0 && phase == 3) find_starts(shared);
      return;
    }
    for (int32_t s = place.thread; s < kStretches; s += place.n_threads) {
      if (phase == 0) sum_targets(place.block, s, shared);
      if (phase == 2) sum_up(place.block, s, shared);
      if (phase == 4) set_values(place.block, s, shared);
    }
    if (phase == 4) tile.clear_unranked(place);
  }

 private:
  FSA_HD double target(int64_t row, int64_t rank) const { return terms.targets[tile.order[row][rank]]; }

  FSA_HD void sum_targets(int64_t row, int32_t s, Shared& shared) const {
    const Range ranks = tile.stretch(s);
    double sum = 0.0;
    for (int64_t i = ranks.begin; i < ranks.end; ++i) sum += target(row, i);
    shared.before[s] = sum;
    sum = 0.0;
    for (int64_t i = ranks.end < tile.n_ranks ? ranks.end : ranks.end - 1; i > ranks.begin; --i) {
      sum += target(row, i) * terms.farther[i];
    }
    shared.beyond[s] = sum;
  }

  FSA_HD static void find_sums(Shared& shared) {
    double sum = 0.0;
    for (int32_t s = 0; s < kStretches; ++s) {
      const double added = shared.before[s];
      shared.before[s] = sum;
      sum += added;
    }
    sum = 0.0;
    for (int32_t s = kStretches - 1; s >= 0; --s) {
      const double added = shared.beyond[s];
      shared.beyond[s] = sum;
      sum += added;
    }
  }

  // The recursion at the end of a stretch, about to step into it.
  FSA_HD RegressionRecursion recursion(int64_t row, int32_t s, const Shared& shared, double value) const {
    const int64_t end = tile.stretch(s).end;
    const double farther = end < tile.n_ranks ? target(row, end) : 0.0;
    return {1.0 / static_cast<double>(terms.k), terms.val_targets[tile.first + row], value, farther, shared.beyond[s]};
  }

  FSA_HD void sum_up(int64_t row, int32_t s, Shared& shared) const {
    const Range ranks = tile.stretch(s);
    double before = shared.before[s];
    for (int64_t i = ranks.begin; i < ranks.end; ++i) {
      tile.value(row, i) = before;
      before += target(row, i);
    }
    RegressionRecursion at = recursion(row, s, shared, 0.0);
    for (int64_t i = ranks.end - 1; i >= ranks.begin; --i) at.next(terms, i, target(row, i), tile.value(row, i));
    shared.value[s] = at.value;
  }

  FSA_HD static void find_starts(Shared& shared) {
    double value = 0.0;
    for (int32_t s = kStretches - 1; s >= 0; --s) {
      const double added = shared.value[s];
      shared.value[s] = value;
      value += added;
    }
  }

  FSA_HD void set_values(int64_t row, int32_t s, const Shared& shared) const {
    const Range ranks = tile.stretch(s);
    RegressionRecursion at = recursion(row, s, shared, shared.value[s]);
    for (int64_t i = ranks.end - 1; i >= ranks.begin; --i) {
      tile.value(row, i) = at.next(terms, i, target(row, i), tile.value(row, i));
    }
  }
};

}  // namespace fsa
