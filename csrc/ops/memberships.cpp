// CPU launcher of memberships.
#include "ops/memberships.h"

#include <algorithm>  // for min
#include <cstring>    // for memcpy, memset

namespace fsa {

namespace {

void write_walk(const Memberships& body, int64_t walk, Range values, CancelFlag cancel) {
  const auto& [players, scored, branches, n_outputs, many_branches] = body.walks;
  const size_t n = static_cast<size_t>(body.out.n_columns);
  const int64_t n_scored = scored.size(walk);
  int64_t joined = 0;
  int32_t guest = -1;  // who is in the row above for its branch alone
  for (int64_t value = values.begin; value < values.end && !*cancel; ++value) {
    bool* coalition = body.out[value - body.first];
    if (value == values.begin) memset(coalition, 0, n); else memcpy(coalition, coalition - n, n);
    if (guest >= 0) coalition[guest] = false;
    const int64_t place = value - body.walks.first_value(walk);
    const int64_t position = place < n_scored ? scored[walk][place] : players.size(walk);
    while (joined < position) coalition[players[walk][joined++]] = true;
    if (place < n_scored) continue;
    const int32_t branch = branches[walk][place - n_scored];
    guest = coalition[branch] ? -1 : branch;
    coalition[branch] = true;
  }
}

}  // namespace

void memberships(const Memberships& body, Range values, CancelFlag cancel) {
  int64_t value = body.first + values.begin;
  const int64_t end = body.first + values.end;
  for (int64_t walk = walk_of(body.walks, body.n_walks, value); value < end && !*cancel; ++walk) {
    const int64_t stop = std::min(end, body.walks.first_value(walk + 1));
    write_walk(body, walk, {value, stop}, cancel);
    value = stop;
  }
}

}  // namespace fsa
