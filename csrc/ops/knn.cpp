// CPU launchers of knn.
#include "ops/knn.h"

#include "launch/cpu.h"

namespace fsa {

void squared_distances(const SquaredDistances& body, Range points, CancelFlag cancel) {
  run_rows(body, points, cancel);
}

WalkStatus walk_knn(const KnnTile& tile, const Walks& walks, Range rows, double* values, char* workspace,
                    CancelFlag cancel) {
  KnnState state(tile, workspace, workspace + KnnState::bytes(tile.distances.n_columns, tile.k));
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const WalkStatus status = walk_row(state, walks, row, values, cancel);
    if (status != WalkStatus::kDone) return status;
  }
  return WalkStatus::kDone;
}

}  // namespace fsa
