// CUDA launchers of coalitions: one thread per row, and one per word column where rows are long.
#include "ops/coalitions.h"

#include "launch/cuda.cuh"

namespace fsa::cuda {

void prefix_coalitions(const PrefixCoalitions& body, Range rows, DeviceStream stream) {
  const int64_t words = words_for(body.permutations.n_columns);
  run_rows("prefix_coalitions", PrefixColumns{body}, {rows.begin * words, rows.end * words}, stream);
}

void subsets(const Subsets& body, Range rows, DeviceStream stream) { run_rows("subsets", body, rows, stream); }

void draw_sizes(const DrawsWithReplacement& body, Range rows, DeviceStream stream) {
  run_rows("draw_sizes", DrawSizes{body}, rows, stream);
}

void draw_players(const DrawsWithReplacement& body, Range rows, DeviceStream stream) {
  run_rows("draw_players", DrawPlayers{body}, rows, stream);
}

}  // namespace fsa::cuda
