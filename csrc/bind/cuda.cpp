// The _cuda module: the operations on CUDA devices. Nothing here waits for a device.
#include <cuda_runtime_api.h>

#include "bind/device_ops.h"

namespace {

struct Cuda {
  // Without a driver, or with one that answers an error, there is no device to use.
  static int count() {
    int n = 0;
    if (cudaGetDeviceCount(&n) == cudaSuccess) return n;
    cudaGetLastError();  // or the next caller of the runtime would be told of it again
    return 0;
  }
  static constexpr auto background_rows = &fsa::cuda::background_rows;
  static constexpr auto permutations = &fsa::cuda::permutations;
  static constexpr auto prefix_coalitions = &fsa::cuda::prefix_coalitions;
  static constexpr auto subsets = &fsa::cuda::subsets;
  static constexpr auto draw_sizes = &fsa::cuda::draw_sizes;
  static constexpr auto draw_players = &fsa::cuda::draw_players;
  static constexpr auto neighbor_distances = &fsa::cuda::neighbor_distances;
  static constexpr auto match_values = &fsa::cuda::match_values;
  static constexpr auto regression_values = &fsa::cuda::regression_values;
  static constexpr auto threshold_values = &fsa::cuda::threshold_values;
  static constexpr auto add_columns = &fsa::cuda::add_columns;
};

}  // namespace

PYBIND11_MODULE(_cuda, m, pybind11::mod_gil_not_used()) {
  m.doc() = "CUDA launchers of fastsa; addresses are checked by the Python layer above. Importable without a driver.";
  fsa::bind_device_ops<Cuda>(m);
}
