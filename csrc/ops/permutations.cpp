// CPU launcher of permutations.
#include "ops/permutations.h"

#include <cstddef>  // for size_t
#include <vector>

#include "launch/cpu.h"

namespace fsa {

void permutations(const Permutations& body, Range rows, CancelFlag cancel) { run_rows(body, rows, cancel); }

bool are_permutations(Rows<const int32_t> orders) {
  std::vector<int64_t> last_row(static_cast<size_t>(orders.n_columns), -1);
  for (int64_t row = 0; row < orders.n_rows; ++row) {
    for (int64_t i = 0; i < orders.n_columns; ++i) {
      const int32_t player = orders[row][i];
      if (player < 0 || player >= orders.n_columns || last_row[static_cast<size_t>(player)] == row) return false;
      last_row[static_cast<size_t>(player)] = row;
    }
  }
  return true;
}

}  // namespace fsa
