// CPU launcher of masked_walks.
#include "ops/masked_walks.h"

#include <algorithm>  // for find, min
#include <cstring>    // for memcpy

namespace fsa {

namespace {

// The entries of a player, taken from a row.
template <class Bits>
void take_entries(const MaskedWalks<Bits>& body, int32_t player, const Bits* from, Bits* row) {
  if (body.entries.data == nullptr) {
    row[player] = from[player];
    return;
  }
  const int32_t* entries = body.entries[player];
  for (int64_t e = 0; e < body.entries.size(player); ++e) row[entries[e]] = from[entries[e]];
}

bool has_joined(const Walks& walks, int64_t walk, int32_t player) {
  const int32_t* end = walks.players[walk] + walks.players.size(walk);
  return std::find(walks.players[walk], end, player) != end;
}

template <class Bits>
void write_walk(const MaskedWalks<Bits>& body, int64_t walk, Range values, CancelFlag cancel) {
  const auto& [players, scored, branches, n_outputs, many_branches] = body.walks;
  const int64_t entries = body.out.n_columns;
  const Bits* input = body.inputs[body.items[walk]];
  const Bits* behind = body.background[body.behind[walk]];
  const int64_t n_scored = scored.size(walk);
  int64_t joined = 0;
  int32_t guest = -1;  // who is in the row above for its branch alone
  for (int64_t value = values.begin; value < values.end && !*cancel; ++value) {
    Bits* row = body.out[value - body.first];
    memcpy(row, value == values.begin ? behind : row - entries, static_cast<size_t>(entries) * sizeof(Bits));
    if (guest >= 0) take_entries(body, guest, behind, row);
    const int64_t place = value - body.walks.first_value(walk);
    const int64_t position = place < n_scored ? scored[walk][place] : players.size(walk);
    while (joined < position) take_entries(body, players[walk][joined++], input, row);
    if (place < n_scored) continue;
    const int32_t branch = branches[walk][place - n_scored];
    guest = has_joined(body.walks, walk, branch) ? -1 : branch;
    take_entries(body, branch, input, row);
  }
}

template <class Bits>
void write_walks(const MaskedWalks<Bits>& body, Range values, CancelFlag cancel) {
  int64_t value = body.first + values.begin;
  const int64_t end = body.first + values.end;
  for (int64_t walk = walk_of(body.walks, body.n_walks, value); value < end && !*cancel; ++walk) {
    const int64_t stop = std::min(end, body.walks.first_value(walk + 1));
    write_walk(body, walk, {value, stop}, cancel);
    value = stop;
  }
}

}  // namespace

void masked_walks(const MaskedWalks<uint32_t>& body, Range values, CancelFlag cancel) { write_walks(body, values, cancel); }
void masked_walks(const MaskedWalks<uint64_t>& body, Range values, CancelFlag cancel) { write_walks(body, values, cancel); }

}  // namespace fsa
