// The walk: players join one by one, the coalition is scored where asked, and branches each join the finished
// coalition alone. Values of a walk: its scored positions in order, then its branches.
#pragma once

#include "core/view.h"

namespace fsa {

struct Walks {
  Ragged<const int32_t> players;
  Ragged<const int32_t> scored;    // positions, ascending; position t is the coalition of the first t players
  Ragged<const int32_t> branches;  // players
  int64_t n_outputs;
  bool many_branches;              // worth preparing for; asked, not counted, so that no branch depends on the others

  int64_t first_value(int64_t row) const { return scored.offsets[row] + branches.offsets[row]; }
};

// Whether every player and branch is one of 0 .. n_players - 1, and every walk's positions ascend within it. Offsets
// must be sound.
bool are_within_bounds(const Walks& walks, int64_t n_walks, int64_t n_players);

// The walk that a value belongs to; walks without values are passed over.
int64_t walk_of(const Walks& walks, int64_t n_walks, int64_t value);

enum class WalkStatus : int32_t { kDone = 0, kCancelled = 1, kNotConverged = 2, kFailed = 3 };

// A Utility has reset(), add(player), score(out) -> WalkStatus, and mark(many_branches) / rewind() around branches.
template <class Utility>
WalkStatus walk_row(Utility& utility, const Walks& walks, int64_t row, double* values, CancelFlag cancel) {
  double* out = values + walks.first_value(row) * walks.n_outputs;
  const auto score = [&] {
    const WalkStatus status = *cancel ? WalkStatus::kCancelled : utility.score(out);
    out += walks.n_outputs;
    return status;
  };

  utility.reset();
  int64_t joined = 0;
  const auto join_until = [&](int64_t position) {
    while (joined < position) utility.add(walks.players[row][joined++]);
  };
  for (int64_t s = 0; s < walks.scored.size(row); ++s) {
    join_until(walks.scored[row][s]);
    if (const WalkStatus status = score(); status != WalkStatus::kDone) return status;
  }
  if (walks.branches.size(row) == 0) return WalkStatus::kDone;

  join_until(walks.players.size(row));
  utility.mark(walks.many_branches);
  for (int64_t b = 0; b < walks.branches.size(row); ++b) {
    utility.add(walks.branches[row][b]);
    if (const WalkStatus status = score(); status != WalkStatus::kDone) return status;
    utility.rewind();
  }
  return WalkStatus::kDone;
}

}  // namespace fsa
