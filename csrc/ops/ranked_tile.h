// ranked_tile: ranked neighbours of a few validation points on a device, and how their ranks are cut among threads.
//   There are kStretches stretches whatever the block: one thread sums a stretch up from zero, one thread adds the
//   stretches up in their order, and every stretch is gone through again from where it truly starts. So the bytes
//   depend on the number of ranks alone.
#pragma once

#include "core/view.h"
#include "launch/phases.h"

namespace fsa {

constexpr int32_t kStretches = 128;

// Ranked training points of some validation points; ranks from `n_ranks` on are worth 0.
struct RankedTile {
  Rows<double> values;        // [rows, n] by point
  Rows<const int64_t> order;  // [rows, n] nearest first
  int64_t n_ranks;
  int64_t first;              // validation point of row 0

  FSA_HD Range stretch(int32_t s) const {
    const int64_t length = (n_ranks + kStretches - 1) / kStretches;
    return {before_end(s * length), before_end((s + 1) * length)};
  }
  FSA_HD double& value(int64_t row, int64_t rank) const { return values[row][order[row][rank]]; }

  FSA_HD void clear_unranked(Place place) const {
    for (int64_t i = n_ranks + place.thread; i < order.n_columns; i += place.n_threads) value(place.block, i) = 0.0;
  }

 private:
  FSA_HD int64_t before_end(int64_t rank) const { return rank < n_ranks ? rank : n_ranks; }
};

}  // namespace fsa
