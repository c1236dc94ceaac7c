// The bounds of walks, and whose a value is.
#include "ops/walk.h"

#include <algorithm>  // for max

namespace fsa {

namespace {

bool all_below(const int32_t* players, int64_t n, int64_t n_players) {
  uint32_t most = 0;  // of a negative player: beyond any number of players
  for (int64_t i = 0; i < n; ++i) most = std::max(most, static_cast<uint32_t>(players[i]));
  return n == 0 || most < n_players;
}

bool ascends_within(const int32_t* positions, int64_t n, int64_t last) {
  if (n == 0) return true;
  bool ascends = true;
  for (int64_t i = 1; i < n; ++i) ascends &= positions[i - 1] <= positions[i];
  return ascends && positions[0] >= 0 && positions[n - 1] <= last;
}

}  // namespace

bool are_within_bounds(const Walks& walks, int64_t n_walks, int64_t n_players) {
  const auto& [players, scored, branches, n_outputs, many_branches] = walks;
  for (int64_t walk = 0; walk < n_walks; ++walk) {
    if (!ascends_within(scored[walk], scored.size(walk), players.size(walk))) return false;
  }
  return all_below(players.data, players.offsets[n_walks], n_players) &&
         all_below(branches.data, branches.offsets[n_walks], n_players);
}

int64_t walk_of(const Walks& walks, int64_t n_walks, int64_t value) {
  int64_t walk = 0;
  for (int64_t above = n_walks; above - walk > 1;) {
    const int64_t middle = (walk + above) / 2;
    if (walks.first_value(middle) <= value) walk = middle; else above = middle;
  }
  return walk;
}

}  // namespace fsa
