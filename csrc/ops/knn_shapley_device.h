// knn_shapley on a device: distances of a tile, its values once CuPy has sorted them, and their sums.
#pragma once

#include "ops/add_columns.h"
#include "ops/distance_tiles.h"
#include "ops/match_rows.h"
#include "ops/regression_rows.h"
#include "ops/threshold_rows.h"

namespace fsa {

namespace cuda {
void neighbor_distances(const DistanceTiles& tiles, DeviceStream stream);
void match_values(const MatchRows& rows, DeviceStream stream);
void regression_values(const RegressionRows& rows, DeviceStream stream);
void threshold_values(const ThresholdRows& rows, DeviceStream stream);
void add_columns(const AddColumns& columns, DeviceStream stream);
}  // namespace cuda

}  // namespace fsa
