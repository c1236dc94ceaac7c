// CUDA launcher of background: one thread per row.
#include "ops/background.h"

#include "launch/cuda.cuh"

namespace fsa::cuda {

void background_rows(const BackgroundRows& body, Range rows, DeviceStream stream) {
  run_rows("background_rows", body, rows, stream);
}

}  // namespace fsa::cuda
