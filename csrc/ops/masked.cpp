// CPU launcher of masked, compiled once per instruction set: a coalition's masks are made once, a piece that stays in cache
// at a time, for all rows behind it.
#include "ops/masked.h"

#include "core/lanes.h"

namespace fsa::FSA_ISA {

namespace {

constexpr int64_t kPiece = 1024;

// Entries first .. first + n: what stays of the input, and ones where the background shows.
template <class Bits>
FSA_INLINE void split(const Masked<Bits>& body, int64_t coalition, int64_t first, int64_t n, Bits* kept, Bits* shown) {
  const bool* member = body.members[coalition];
  const Bits* input = body.inputs[body.items[coalition]] + first;
  if (body.player_of == nullptr) {
    for (int64_t e = 0; e < n; ++e) shown[e] = static_cast<Bits>(Bits{member[first + e]} - Bits{1});
  } else {
    for (int64_t e = 0; e < n; ++e) shown[e] = static_cast<Bits>(Bits{member[body.player_of[first + e]]} - Bits{1});
  }
  for (int64_t e = 0; e < n; ++e) kept[e] = input[e] & static_cast<Bits>(~shown[e]);
}

template <class Bits>
FSA_INLINE void blend(const Bits* __restrict behind, int64_t n, const Bits* __restrict kept, const Bits* __restrict shown,
                  Bits* __restrict out) {
  for (int64_t e = 0; e < n; ++e) out[e] = kept[e] | (behind[e] & shown[e]);
}

template <class Bits>
FSA_INLINE void mask_coalitions(const Masked<Bits>& body, Range coalitions, CancelFlag cancel) {
  const int64_t entries = body.inputs.n_columns;
  Bits kept[kPiece], shown[kPiece];
  for (int64_t c = coalitions.begin; c < coalitions.end && !*cancel; ++c) {
    for (int64_t first = 0; first < entries; first += kPiece) {
      const int64_t n = kPiece < entries - first ? kPiece : entries - first;
      split(body, c, first, n, kept, shown);
      Bits* out = body.out + c * body.n_behind * entries + first;
      for (int64_t j = 0; j < body.n_behind; ++j, out += entries) {
        blend(body.background[body.rows == nullptr ? j : body.rows[c]] + first, n, kept, shown, out);
      }
    }
  }
}

}  // namespace

void masked(const Masked<uint32_t>& body, Range coalitions, CancelFlag cancel) {
  mask_coalitions(body, coalitions, cancel);
}
void masked(const Masked<uint64_t>& body, Range coalitions, CancelFlag cancel) {
  mask_coalitions(body, coalitions, cancel);
}

}  // namespace fsa::FSA_ISA
