// background: one row of a background set per lane, uniform, apart from the lane's coalition.
#pragma once

#include "core/philox.h"
#include "core/view.h"

namespace fsa {

struct BackgroundRows {
  int64_t* out;          // [rows], each one of
  uint32_t n_background;  // 0 .. n_background - 1
  RowLanes lanes;

  FSA_HD void operator()(int64_t row) const {
    Stream stream = lanes.stream(Op::kBackground, row);
    out[row] = stream.below(n_background);
  }
};

void background_rows(const BackgroundRows& body, Range rows, CancelFlag cancel);  // CPU

namespace cuda {
void background_rows(const BackgroundRows& body, Range rows, DeviceStream stream);
}

}  // namespace fsa
