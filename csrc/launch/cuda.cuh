// Runs a body on a device: over rows by a grid-stride loop, or by a block's phases with a barrier after each. Launches
// go to the caller's stream and are not waited for; a refused launch becomes an exception that names the kernel.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>  // for runtime_error
#include <string>

#include "core/view.h"
#include "launch/phases.h"

namespace fsa::cuda {

constexpr unsigned kThreadsPerBlock = 128;
// Enough blocks to fill any device; the grid-stride loop takes the rows beyond.
constexpr int64_t kMostBlocks = 1 << 16;

template <class Body>
__global__ void __launch_bounds__(kThreadsPerBlock) each_row(Body body, Range rows) {
  const int64_t stride = int64_t{gridDim.x} * blockDim.x;
  const int64_t thread = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (int64_t row = rows.begin + thread; row < rows.end; row += stride) body(row);
}

template <class Kernel>
__global__ void __launch_bounds__(kThreadsPerBlock) each_phase(Kernel kernel, int64_t blocks) {
  __shared__ typename Kernel::Shared shared;
  const int32_t phases = kernel.phases();
  for (int64_t block = blockIdx.x; block < blocks; block += gridDim.x) {
    const Place place{block, static_cast<int32_t>(threadIdx.x), static_cast<int32_t>(blockDim.x)};
    for (int32_t phase = 0; phase < phases; ++phase) {
      kernel(phase, place, shared);
      __syncthreads();
    }
  }
}

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), int64_t blocks, DeviceStream stream,
            const Arguments&... arguments) {
  const unsigned grid = static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks);
  void* pointers[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
  const cudaError_t error = cudaLaunchKernel(kernel, dim3(grid), dim3(kThreadsPerBlock), pointers, 0, stream);
  if (error == cudaSuccess) return;
  cudaGetLastError();  // or the next caller of the runtime would be told of it again
  throw std::runtime_error("The CUDA kernel " + std::string(name) + " was not launched: " + cudaGetErrorString(error) +
                           ".");
}

template <class Body>
void run_rows(const char* name, const Body& body, Range rows, DeviceStream stream) {
  if (rows.begin >= rows.end) return;
  launch(name, &each_row<Body>, (rows.end - rows.begin + kThreadsPerBlock - 1) / kThreadsPerBlock, stream, body, rows);
}

template <class Kernel>
void run_phases(const char* name, const Kernel& kernel, int64_t blocks, DeviceStream stream) {
  if (blocks > 0) launch(name, &each_phase<Kernel>, blocks, stream, kernel, blocks);
}

}  // namespace fsa::cuda
