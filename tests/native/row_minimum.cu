// Shows that a kernel with phases builds for a device.
#include "native/row_minimum.h"

#include "launch/cuda.cuh"

namespace fsa::cuda {

static_assert(RowMinimum<false>::kMostThreads >= static_cast<int32_t>(kThreadsPerBlock), "a thread per shared value");

void row_minimum(const RowMinimum<false>& kernel, DeviceStream stream) {
  run_phases("row_minimum", kernel, kernel.values.n_rows, stream);
}

}  // namespace fsa::cuda
