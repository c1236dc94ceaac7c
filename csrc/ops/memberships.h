// memberships: the coalition behind every value of a walk as one row of booleans. A row of a walk is the row above it
// and who joined since, so that it costs a copy.
#pragma once

#include "core/view.h"
#include "ops/walk.h"

namespace fsa {

struct Memberships {
  Walks walks;
  int64_t n_walks;
  int64_t first;   // the value that out starts at
  Rows<bool> out;  // [values, n_players]
};

// Values counted from the first; CPU.
void memberships(const Memberships& body, Range values, CancelFlag cancel);

}  // namespace fsa
