// masked_walks: masked inputs of the values of walks. A row is the row above it with the entries of who joined since, so that
// it costs a copy and no coalition is written down.
#pragma once

#include "core/view.h"
#include "ops/walk.h"

namespace fsa {

// Entry e of the row of a value is inputs[items[walk], e] where e's player is in the value's coalition, else
// background[behind[walk], e]; in bits: any numbers of four or eight bytes.
template <class Bits>
struct MaskedWalks {
  Walks walks;
  int64_t n_walks;
  int64_t first;                   // the value that out starts at
  Rows<Bits> out;                  // [values, entries]
  Rows<const Bits> inputs;         // [items, entries]
  const int64_t* items;            // [walks]
  Ragged<const int32_t> entries;   // of each player; data is null where entry e is player e
  Rows<const Bits> background;
  const int64_t* behind;           // [walks]
};

// Values counted from the first; CPU.
void masked_walks(const MaskedWalks<uint32_t>& body, Range values, CancelFlag cancel);
void masked_walks(const MaskedWalks<uint64_t>& body, Range values, CancelFlag cancel);

}  // namespace fsa
