// permutations: a row is a uniform permutation of the players (Fisher and Yates), a function of its lane.
#pragma once

#include "core/philox.h"
#include "core/view.h"

namespace fsa {

struct Permutations {
  Rows<int32_t> out;  // [rows, n_players]
  RowLanes lanes;

  FSA_HD void operator()(int64_t row) const {
    Stream stream = lanes.stream(Op::kPermutation, row);
    int32_t* order = out[row];
    for (int64_t i = 0; i < out.n_columns; ++i) order[i] = static_cast<int32_t>(i);
    for (int64_t i = out.n_columns - 1; i > 0; --i) {
      const uint32_t j = stream.below(static_cast<uint32_t>(i) + 1);
      const int32_t moved = order[i];
      order[i] = order[j];
      order[j] = moved;
    }
  }
};

void permutations(const Permutations& body, Range rows, CancelFlag cancel);  // CPU

namespace cuda {
void permutations(const Permutations& body, Range rows, DeviceStream stream);
}

// Whether every row holds each of 0 .. n - 1 once.
bool are_permutations(Rows<const int32_t> orders);

}  // namespace fsa
