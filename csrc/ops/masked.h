// masked: inputs whose absent players' entries are taken from background rows, in bits: any numbers of four or eight bytes.
#pragma once

#include "core/view.h"

namespace fsa {

// Row (c, j) of out, j below n_behind: entry e is inputs[items[c], e] where the player of e is in coalition c, else
// background[rows[c], e]; without rows, every row j of the background stands behind each coalition in turn.
template <class Bits>
struct Masked {
  Bits* out;                  // [coalitions, n_behind, entries]
  Rows<const Bits> inputs;    // [items, entries]
  const int64_t* items;       // [coalitions]
  Rows<const bool> members;   // [coalitions, players]
  const int32_t* player_of;   // [entries]; null where entry e is player e
  Rows<const Bits> background;
  const int64_t* rows;        // [coalitions], or null
  int64_t n_behind;           // 1 where rows are given, else all rows of the background
};

#define FSA_DECLARE_MASKED                                                          \
  void masked(const Masked<uint32_t>& body, Range coalitions, CancelFlag cancel); \
  void masked(const Masked<uint64_t>& body, Range coalitions, CancelFlag cancel);

namespace portable {
FSA_DECLARE_MASKED
}
namespace avx2 {
FSA_DECLARE_MASKED
}

}  // namespace fsa
