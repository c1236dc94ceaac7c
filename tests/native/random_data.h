// What the program of all operations runs on: numbers of a seed, walks and workspaces of exactly the sizes asked for.
#pragma once

#include <algorithm>  // for max
#include <cstdio>     // for fprintf
#include <cstdlib>    // for aligned_alloc, exit
#include <cstring>    // for memset
#include <memory>
#include <vector>

#include "core/philox.h"
#include "ops/permutations.h"
#include "ops/walk.h"

namespace fsa {

inline const int32_t kGoOn = 0;

inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

template <class T>
std::vector<T> filled(int64_t n, T value = T{}) {
  return std::vector<T>(static_cast<size_t>(n), value);
}

struct Freed {
  void operator()(char* memory) const { std::free(memory); }
};
// A workspace of garbage, the same every time.
inline std::unique_ptr<char, Freed> workspace_of(int64_t bytes) {
  constexpr size_t kLine = 64;
  const size_t whole = (static_cast<size_t>(bytes) + kLine - 1) / kLine * kLine;
  std::unique_ptr<char, Freed> memory(static_cast<char*>(std::aligned_alloc(kLine, whole)));
  std::memset(memory.get(), 0x5A, whole);
  return memory;
}

inline std::vector<double> numbers(int64_t n, uint64_t seed) {
  Stream stream(seed, {Op::kSubset, 0, 0, 0});
  std::vector<double> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(4.0 * stream.uniform() - 2.0);
  return out;
}

inline std::vector<int32_t> integers(int64_t n, uint32_t bound, uint64_t seed) {
  Stream stream(seed, {Op::kSubset, 0, 0, 0});
  std::vector<int32_t> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(static_cast<int32_t>(stream.below(bound)));
  return out;
}

// Walks that own their arrays: every prefix of some permutations, multisets scored at their end, branches on every row.
struct OwnedWalks {
  std::vector<int32_t> players, scored, branches;
  std::vector<int64_t> offsets{0}, scored_offsets{0}, branch_offsets{0};

  Walks view(int64_t n_outputs) const {
    return {{players.data(), offsets.data()},
            {scored.data(), scored_offsets.data()},
            {branches.data(), branch_offsets.data()},
            n_outputs,
            true};
  }
  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t n_values() const { return static_cast<int64_t>(scored.size() + branches.size()); }
  int64_t most_members() const {
    int64_t most = 0;
    for (size_t row = 1; row < offsets.size(); ++row) most = std::max(most, offsets[row] - offsets[row - 1]);
    return most + 1;
  }
  void close_row() {
    offsets.push_back(static_cast<int64_t>(players.size()));
    scored_offsets.push_back(static_cast<int64_t>(scored.size()));
    branch_offsets.push_back(static_cast<int64_t>(branches.size()));
  }
};

inline OwnedWalks random_walks(int64_t n_players, int64_t rows, uint64_t seed) {
  OwnedWalks walks;
  for (int64_t row = 0; row < rows; ++row) {
    if (row % 2 == 0) {
      std::vector<int32_t> order = filled<int32_t>(n_players);
      Permutations{{order.data(), 1, n_players}, {seed, 0, nullptr, nullptr, static_cast<uint32_t>(row)}}(0);
      walks.players.insert(walks.players.end(), order.begin(), order.end());
      for (int32_t t = 0; t <= n_players; ++t) walks.scored.push_back(t);
    } else {
      const uint64_t row_seed = seed + static_cast<uint64_t>(row);
      const std::vector<int32_t> drawn = integers(row, static_cast<uint32_t>(n_players), row_seed);
      walks.players.insert(walks.players.end(), drawn.begin(), drawn.end());
      walks.scored.push_back(static_cast<int32_t>(row));
    }
    const uint64_t other_seed = 1000 + seed + static_cast<uint64_t>(row);
    const std::vector<int32_t> joining = integers(5, static_cast<uint32_t>(n_players), other_seed);
    walks.branches.insert(walks.branches.end(), joining.begin(), joining.end());
    walks.close_row();
  }
  return walks;
}

}  // namespace fsa
