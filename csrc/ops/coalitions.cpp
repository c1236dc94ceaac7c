// CPU launchers of coalitions.
#include "ops/coalitions.h"

#include "launch/cpu.h"

namespace fsa {

void prefix_coalitions(const PrefixCoalitions& body, Range rows, CancelFlag cancel) {
  const int64_t words = words_for(body.permutations.n_columns);
  run_rows([&](int64_t row) { body(row, 0, words); }, rows, cancel);
}

void subsets(const Subsets& body, Range rows, CancelFlag cancel) { run_rows(body, rows, cancel); }

void count_members(const CountMembers& body, Range rows, CancelFlag cancel) { run_rows(body, rows, cancel); }

void list_members(const ListMembers& body, Range rows, CancelFlag cancel) { run_rows(body, rows, cancel); }

void draw_sizes(const DrawsWithReplacement& body, Range rows, CancelFlag cancel) {
  run_rows(DrawSizes{body}, rows, cancel);
}

void draw_players(const DrawsWithReplacement& body, Range rows, CancelFlag cancel) {
  run_rows(DrawPlayers{body}, rows, cancel);
}

}  // namespace fsa
