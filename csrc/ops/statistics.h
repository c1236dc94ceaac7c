// statistics: running count, mean and sum of squared deviations per item, updated one sample at a time (Welford 1962).
#pragma once

#include "core/host_device.h"
#include "core/view.h"

namespace fsa {

struct Moments {
  int64_t* count;          // [items]
  Rows<double> mean;       // [items, outputs]
  Rows<double> deviation;  // [items, outputs] sum of squared deviations from the mean

  FSA_HD void add(int64_t item, const double* after, const double* before) const {
    const double n = static_cast<double>(++count[item]);
    double* __restrict means = mean[item];  // apart from all else, so that outputs go side by side
    double* __restrict deviations = deviation[item];
    for (int64_t o = 0; o < mean.n_columns; ++o) {
      const double value = after[o] - before[o];
      const double delta = value - means[o];
      const double moved = means[o] + delta / n;
      means[o] = moved;
      deviations[o] += delta * (value - moved);
    }
  }
};

// Contribution c of item items[c] is values[after[c]] - values[before[c]]. Contributions are taken in their order, so
// an item's statistics depend on the order of its own contributions only.
struct AddContributions {
  Moments moments;
  Rows<const double> values;  // [n_values, outputs]
  const int64_t* items;
  const int64_t* after;
  const int64_t* before;

  FSA_HD void operator()(int64_t c) const { moments.add(items[c], values[after[c]], values[before[c]]); }
};

void add_contributions(const AddContributions& body, Range contributions, CancelFlag cancel);  // CPU, one thread

}  // namespace fsa
