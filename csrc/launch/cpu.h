// Runs a body over a range of rows on the calling thread. Threads are made in Python, one call per chunk of rows.
#pragma once

#include "core/view.h"

namespace fsa {

template <class Body>
void run_rows(const Body& body, Range rows, CancelFlag cancel) {
  for (int64_t row = rows.begin; row < rows.end && !*cancel; ++row) body(row);
}

}  // namespace fsa
