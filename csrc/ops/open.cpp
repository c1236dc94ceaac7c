// CPU launcher of open.
#include "ops/open.h"

namespace fsa {

WalkStatus walk_open(const OpenUtility& utility, const Walks& walks, Range rows, double* values, double* workspace,
                     CancelFlag cancel, OpenFailure* failure) {
  OpenState state(utility, workspace, workspace + utility.state_size);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const WalkStatus status = walk_row(state, walks, row, values, cancel);
    if (status == WalkStatus::kDone) continue;
    *failure = state.failure();
    return status;
  }
  return WalkStatus::kDone;
}

}  // namespace fsa
