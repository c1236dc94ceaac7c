// A kernel with phases, for tests: the column of each row's first smallest value, by a tree over a block's threads.
#pragma once

#include "core/order.h"
#include "core/view.h"
#include "launch/phases.h"

namespace fsa {

// Threads are a power of two, at most kMostThreads. The careless one forgets the barrier between two steps of the tree.
template <bool Careless>
struct RowMinimum {
  static constexpr int32_t kMostThreads = 128;
  static constexpr int32_t kSteps = 7;  // of the tree: 2^7 threads
  struct Shared {
    double value[kMostThreads];
    int32_t column[kMostThreads];
  };

  Rows<const double> values;  // [rows, columns]
  int32_t* out;               // [rows]

  FSA_HD int32_t phases() const { return kSteps + 2; }
  FSA_HD void operator()(int32_t phase, Place place, Shared& shared) const {
    if (phase == 0) {
      scan(place, shared);
    } else if (phase <= kSteps) {
      if (!Careless || phase != 2) take(place, shared, place.n_threads >> phase);
      if (Careless && phase == 1) take(place, shared, place.n_threads >> 2);
    } else if (place.thread == 0) {
      out[place.block] = shared.column[0];
    }
  }

 private:
  FSA_HD void scan(Place place, Shared& shared) const {
    shared.value[place.thread] = kFarthest;
    shared.column[place.thread] = kLast;
    for (int64_t c = place.thread; c < values.n_columns; c += place.n_threads) {
      keep_first(shared, place.thread, values[place.block][c], static_cast<int32_t>(c));
    }
  }

  FSA_HD void take(Place place, Shared& shared, int32_t half) const {
    const int32_t other = place.thread + half;
    if (place.thread < half) keep_first(shared, place.thread, shared.value[other], shared.column[other]);
  }

  FSA_HD static void keep_first(Shared& shared, int32_t thread, double value, int32_t column) {
    if (!before(value, column, shared.value[thread], shared.column[thread])) return;
    shared.value[thread] = value;
    shared.column[thread] = column;
  }
};

}  // namespace fsa
