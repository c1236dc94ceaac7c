// A coalition as one row of 64-bit words: player p is bit p % 64 of word p / 64.
#pragma once

#include <cstdint>  // for int32_t, int64_t, uint64_t

#include "core/host_device.h"

namespace fsa {

FSA_HD inline int64_t words_for(int64_t n_players) { return (n_players + 63) / 64; }
FSA_HD inline bool has_player(const uint64_t* row, uint32_t player) { return (row[player / 64] >> (player % 64)) & 1u; }
FSA_HD inline void join(uint64_t* row, uint32_t player) { row[player / 64] |= uint64_t{1} << (player % 64); }

// The word whose lowest n bits are set; n at most 64.
FSA_HD inline uint64_t low_bits(int64_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

}  // namespace fsa
