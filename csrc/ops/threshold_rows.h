// threshold_rows: values of the threshold utility on a device, a block per validation point.
#pragma once

#include "ops/knn_recursion.h"
#include "ops/ranked_tile.h"

namespace fsa {

// Needs no ranks: `distances` tell who is within the radius.
struct ThresholdRows {
  struct Shared {
    int64_t within[kStretches];
    int64_t matches[kStretches];
    ThresholdShares shares;
  };

  Rows<double> values;           // [rows, n]
  Rows<const double> distances;  // [rows, n]
  int64_t first;                 // validation point of row 0
  const int32_t* classes;        // [n]
  const int32_t* val_classes;    // [n_val]
  ThresholdTerms terms;

  FSA_HD int64_t blocks() const { return values.n_rows; }
  FSA_HD int32_t phases() const { return 3; }

  FSA_HD void operator()(int32_t phase, Place place, Shared& shared) const {
    if (phase == 0) {
      for (int32_t s = place.thread; s < kStretches; s += place.n_threads) count(place.block, s, shared);
    } else if (phase == 1) {
      if (place.thread == 0) find_shares(shared);
    } else {
      set_values(place, shared.shares);
    }
  }

 private:
  FSA_HD void count(int64_t row, int32_t s, Shared& shared) const {
    int64_t within = 0;
    int64_t matches = 0;
    for (int64_t i = s; i < values.n_columns; i += kStretches) {
      const bool is_within = distances[row][i] <= terms.radius;
      within += is_within;
      matches += is_within && classes[i] == val_classes[first + row];
    }
    shared.within[s] = within;
    shared.matches[s] = matches;
  }

  FSA_HD void find_shares(Shared& shared) const {
    int64_t within = 0;
    int64_t matches = 0;
    for (int32_t s = 0; s < kStretches; ++s) {
      within += shared.within[s];
      matches += shared.matches[s];
    }
    shared.shares = threshold_shares(terms, within, matches);
  }

  FSA_HD void set_values(Place place, const ThresholdShares& shares) const {
    const int64_t row = place.block;
    for (int64_t i = place.thread; i < values.n_columns; i += place.n_threads) {
      const double value = classes[i] == val_classes[first + row] ? shares.of_match : shares.of_other;
      values[row][i] = distances[row][i] <= terms.radius ? value : 0.0;
    }
  }
};

}  // namespace fsa
