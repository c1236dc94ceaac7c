// coalitions: prefixes of permutations, subsets by a size law or by independent coins, and draws with replacement.
#pragma once

#include <cstring>  // for memcpy

#include "core/bits.h"
#include "core/philox.h"
#include "core/view.h"

namespace fsa {

// out[row][t] holds the first t players of permutation row, for t = 0 .. n. One call writes the words
// word_begin .. word_end - 1 of every prefix, so that a device can give each word column a thread of its own.
struct PrefixCoalitions {
  Rows<const int32_t> permutations;  // [rows, n]
  uint64_t* out;                     // [rows, n + 1, words]

  FSA_HD void operator()(int64_t row, int64_t word_begin, int64_t word_end) const {
    const int64_t n = permutations.n_columns;
    const int64_t words = words_for(n);
    uint64_t* prefix = out + row * (n + 1) * words;
    for (int64_t w = word_begin; w < word_end; ++w) prefix[w] = 0;
    for (int64_t t = 0; t < n; ++t, prefix += words) {
      const uint32_t player = static_cast<uint32_t>(permutations[row][t]);
      memcpy(prefix + words + word_begin, prefix + word_begin, static_cast<size_t>(word_end - word_begin) * sizeof(uint64_t));
      const int64_t word = player / 64;
      if (word >= word_begin && word < word_end) join(prefix + words, player);
    }
  }
};

// Index i is one word column of one row: a device thread writes that word of every prefix and nothing else.
struct PrefixColumns {
  PrefixCoalitions prefixes;

  FSA_HD void operator()(int64_t i) const {
    const int64_t words = words_for(prefixes.permutations.n_columns);
    const int64_t word = i % words;
    prefixes(i / words, word, word + 1);
  }
};

// Which coalitions a row draws from: a size by cumulative law, then uniform within the size; or a coin per player.
struct SubsetLaw {
  const double* cumulative;  // [n + 1] P(size <= s), last entry 1; null for coins
  uint64_t coin;             // a player joins when a 32-bit word is below this: q * 2^32
};

struct Subsets {
  Rows<uint64_t> out;  // [rows, words]
  int64_t n_players;
  SubsetLaw law;
  RowLanes lanes;

  FSA_HD void operator()(int64_t row) const {
    Stream stream = lanes.stream(Op::kSubset, row);
    if (law.cumulative == nullptr) {
      flip_coins(stream, out[row]);
    } else {
      draw_size(stream, out[row]);
    }
  }

 private:
  FSA_HD void flip_coins(Stream& stream, uint64_t* coalition) const {
    for (int64_t w = 0; w < out.n_columns; ++w) {
      uint64_t word = 0;
      const int64_t players = n_players - 64 * w < 64 ? n_players - 64 * w : 64;
      for (int64_t bit = 0; bit < players; ++bit) word |= uint64_t{stream.next() < law.coin} << bit;
      coalition[w] = word;
    }
  }

  // Floyd's sampling (Bentley and Floyd, CACM 1987): as many draws as members; of the smaller side, then flipped.
  FSA_HD void draw_size(Stream& stream, uint64_t* coalition) const {
    const double u = stream.uniform();
    int64_t size = 0;
    for (int64_t above = n_players; size < above;) {
      const int64_t middle = (size + above) / 2;
      if (u < law.cumulative[middle]) above = middle; else size = middle + 1;
    }
    const bool flip = 2 * size > n_players;
    const int64_t drawn = flip ? n_players - size : size;
    for (int64_t w = 0; w < out.n_columns; ++w) coalition[w] = 0;
    for (int64_t j = n_players - drawn; j < n_players; ++j) {
      const uint32_t candidate = stream.below(static_cast<uint32_t>(j) + 1);
      join(coalition, has_player(coalition, candidate) ? static_cast<uint32_t>(j) : candidate);
    }
    if (!flip) return;
    for (int64_t w = 0; w < out.n_columns; ++w) coalition[w] = ~coalition[w] & low_bits(n_players - 64 * w);
  }
};

// A row draws a size uniform on min_size .. max_size, then as many players, each uniform, with replacement. The size is
// known before the players, so that ragged rows can be laid out.
struct DrawsWithReplacement {
  Ragged<int32_t> out;
  int64_t* sizes;  // [rows]
  int64_t n_players;
  int64_t min_size;
  int64_t max_size;
  RowLanes lanes;

  FSA_HD void draw_size(int64_t row) const {
    Stream stream = lanes.stream(Op::kDrawWithReplacement, row);
    sizes[row] = next_size(stream);
  }

  FSA_HD void draw_players(int64_t row) const {
    Stream stream = lanes.stream(Op::kDrawWithReplacement, row);
    const int64_t size = next_size(stream);
    for (int64_t i = 0; i < size; ++i) {
      out[row][i] = static_cast<int32_t>(stream.below(static_cast<uint32_t>(n_players)));
    }
  }

 private:
  FSA_HD int64_t next_size(Stream& stream) const {
    return min_size + stream.below(static_cast<uint32_t>(max_size - min_size + 1));
  }
};

// Its two halves, each a body over rows.
struct DrawSizes {
  DrawsWithReplacement draws;

  FSA_HD void operator()(int64_t row) const { draws.draw_size(row); }
};
struct DrawPlayers {
  DrawsWithReplacement draws;

  FSA_HD void operator()(int64_t row) const { draws.draw_players(row); }
};

// A coalition's row of bits as the list of its members, in order. The sizes come first, so that lists can be laid out.
struct CountMembers {
  Rows<const uint64_t> bits;
  int64_t* sizes;  // [rows]

  void operator()(int64_t row) const {
    int64_t size = 0;
    for (int64_t w = 0; w < bits.n_columns; ++w) size += __builtin_popcountll(bits[row][w]);
    sizes[row] = size;
  }
};
struct ListMembers {
  Rows<const uint64_t> bits;
  Ragged<int32_t> out;

  void operator()(int64_t row) const {
    int32_t* next = out[row];
    for (int64_t w = 0; w < bits.n_columns; ++w) {
      for (uint64_t word = bits[row][w]; word != 0; word &= word - 1) {
        *next++ = static_cast<int32_t>(64 * w + __builtin_ctzll(word));
      }
    }
  }
};

// CPU
void count_members(const CountMembers& body, Range rows, CancelFlag cancel);
void list_members(const ListMembers& body, Range rows, CancelFlag cancel);
void prefix_coalitions(const PrefixCoalitions& body, Range rows, CancelFlag cancel);
void subsets(const Subsets& body, Range rows, CancelFlag cancel);
void draw_sizes(const DrawsWithReplacement& body, Range rows, CancelFlag cancel);
void draw_players(const DrawsWithReplacement& body, Range rows, CancelFlag cancel);

namespace cuda {
void prefix_coalitions(const PrefixCoalitions& body, Range rows, DeviceStream stream);
void subsets(const Subsets& body, Range rows, DeviceStream stream);
void draw_sizes(const DrawsWithReplacement& body, Range rows, DeviceStream stream);
void draw_players(const DrawsWithReplacement& body, Range rows, DeviceStream stream);
}  // namespace cuda

}  // namespace fsa
