// Rows of bits turned into columns: whoever a sample's row names, becomes a row that names samples.
#pragma once

#include <cstring>  // for memset

#include "core/bits.h"

namespace fsa {

// Row i, bit j of a square of 64 becomes row j, bit i: halves are exchanged across the diagonal, then their halves.
inline void transpose_square(uint64_t* square) {
  uint64_t low = ~uint64_t{0} >> 32;
  for (int64_t half = 32; half > 0; half /= 2, low ^= low << half) {
    for (int64_t i = 0; i < 64; i = (i + half + 1) & ~half) {
      const uint64_t exchanged = ((square[i] >> half) ^ square[i + half]) & low;
      square[i] ^= exchanged << half;
      square[i + half] ^= exchanged;
    }
  }
}

// out [64 words_for(n_players), words_for(n_samples)] from rows [n_samples, words_for(n_players)]; bits beyond the
// samples are zero.
inline void transpose_bits(const uint64_t* rows, int64_t n_samples, int64_t n_players, uint64_t* out) {
  const int64_t words = words_for(n_players), sample_words = words_for(n_samples);
  uint64_t square[64];
  for (int64_t s = 0; s < sample_words; ++s) {
    const int64_t samples = n_samples - 64 * s < 64 ? n_samples - 64 * s : 64;
    for (int64_t w = 0; w < words; ++w) {
      memset(square, 0, sizeof square);
      for (int64_t i = 0; i < samples; ++i) square[i] = rows[(64 * s + i) * words + w];
      transpose_square(square);
      for (int64_t i = 0; i < 64; ++i) out[(64 * w + i) * sample_words + s] = square[i];
    }
  }
}

}  // namespace fsa
