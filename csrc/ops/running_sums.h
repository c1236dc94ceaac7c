// running_sums: what a linear layer answers along walks. A position's answer is that of the position before, and the columns
// of who joined times how far the input lies from its background there.
#pragma once

#include "core/view.h"

namespace fsa {

// Row (w, 0) of out is starts[w]; row (w, p) is row (w, p - 1) + the sum over the entries e of joining[w, p - 1], in their
// order, of columns[e] * (inputs[items[w], e] - background[behind[w], e]). With rectified, max(0, .) of these sums is written.
template <class Number>
struct RunningSums {
  Number* out;                     // [walks, positions, units]
  Rows<const Number> starts;       // [walks, units]
  Rows<const int32_t> joining;     // [walks, positions - 1] players
  Rows<const Number> columns;      // [entries, units]
  Ragged<const int32_t> entries;   // of each player; data is null where entry e is player e
  Rows<const Number> inputs;       // [items, entries]
  const int64_t* items;            // [walks]
  Rows<const Number> background;
  const int64_t* behind;           // [walks]
  bool rectified;
};

// scratch: 2 * units numbers.
#define FSA_DECLARE_RUNNING_SUMS                                                                             \
  void running_sums(const RunningSums<float>& body, Range walks, float* scratch, CancelFlag cancel);  \
  void running_sums(const RunningSums<double>& body, Range walks, double* scratch, CancelFlag cancel);

namespace portable {
FSA_DECLARE_RUNNING_SUMS
}
namespace avx2 {
FSA_DECLARE_RUNNING_SUMS
}

}  // namespace fsa
