// add_columns: values of a tile of validation points, added to sums over them.
#pragma once

#include "core/view.h"
#include "ops/knn_shapley.h"

namespace fsa {

// Adds the values of validation points `first` .. to the rows of sums that are theirs, each sum in the order of the
// validation points. One thread per entry of a row that they touch, so nothing is added at the same time.
struct AddColumns {
  Rows<const double> values;  // [rows, n] of validation points from `first` on
  int64_t first;
  ValueRows sums;             // its first_val is 0

  FSA_HD int64_t entries() const {
    const int64_t last = (first + values.n_rows - 1) / sums.val_per_row;
    return values.n_rows == 0 ? 0 : (last - first / sums.val_per_row + 1) * values.n_columns;
  }

  FSA_HD void operator()(int64_t entry) const {
    const int64_t row = first / sums.val_per_row + entry / values.n_columns;
    const int64_t column = entry % values.n_columns;
    const int64_t begin = row * sums.val_per_row - first;
    const int64_t end = begin + sums.val_per_row;
    double sum = sums.out[row][column];
    for (int64_t v = begin < 0 ? 0 : begin; v < end && v < values.n_rows; ++v) sum += values[v][column];
    sums.out[row][column] = sum;
  }
};

}  // namespace fsa
