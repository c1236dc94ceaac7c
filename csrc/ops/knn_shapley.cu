// CUDA launchers of knn_shapley: blocks with phases, and one thread per sum of a column.
#include "ops/knn_shapley_device.h"

#include "launch/cuda.cuh"

namespace fsa::cuda {

void neighbor_distances(const DistanceTiles& tiles, DeviceStream stream) {
  run_phases("neighbor_distances", tiles, tiles.blocks(), stream);
}

void match_values(const MatchRows& rows, DeviceStream stream) {
  run_phases("match_values", rows, rows.blocks(), stream);
}

void regression_values(const RegressionRows& rows, DeviceStream stream) {
  run_phases("regression_values", rows, rows.blocks(), stream);
}

void threshold_values(const ThresholdRows& rows, DeviceStream stream) {
  run_phases("threshold_values", rows, rows.blocks(), stream);
}

void add_columns(const AddColumns& columns, DeviceStream stream) {
  run_rows("add_columns", columns, {0, columns.entries()}, stream);
}

}  // namespace fsa::cuda
