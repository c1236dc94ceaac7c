// CUDA launcher of permutations: one thread per row.
#include "ops/permutations.h"

#include "launch/cuda.cuh"

namespace fsa::cuda {

void permutations(const Permutations& body, Range rows, DeviceStream stream) {
  run_rows("permutations", body, rows, stream);
}

}  // namespace fsa::cuda
