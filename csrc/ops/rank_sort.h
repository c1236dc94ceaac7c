// rank_sort: sorts evenly spread 31-bit keys by counting into about twice as many buckets as there are keys.
//   An entry is key << 32 | place << 1 | mark; the order of entries is (key, place).
#pragma once

#include <algorithm>  // for std::sort
#include <cstdint>    // for int32_t, int64_t, uint16_t, uint32_t, uint64_t
#include <cstring>    // for memset

#include "core/lanes.h"

namespace fsa::FSA_ISA {

constexpr int kKeyBits = 31;
constexpr int64_t kMostCounted = UINT16_MAX;  // counts are 16 bits wide, to stay in the nearest cache

FSA_INLINE uint64_t entry_of(uint32_t key, int64_t place, uint32_t mark) {
  return static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(place) << 1 | mark;
}
FSA_INLINE uint32_t key_of(uint64_t entry) { return static_cast<uint32_t>(entry >> 32); }
FSA_INLINE int32_t place_of(uint64_t entry) { return static_cast<int32_t>((entry & 0xffffffffu) >> 1); }
FSA_INLINE uint32_t mark_of(uint64_t entry) { return static_cast<uint32_t>(entry & 1); }
FSA_INLINE bool same_key(uint64_t a, uint64_t b) { return ((a ^ b) >> 32) == 0; }

struct EarlierEntry {
  bool operator()(uint64_t a, uint64_t b) const { return a < b; }
};

FSA_INLINE int bits_for(int64_t n) {
  int bits = 0;
  while ((int64_t{1} << bits) < n) ++bits;
  return bits;
}

// Replaces counts by where their buckets begin, four to a word: a product by 0001 0001 0001 0001 sums the lower ones,
// and never carries, as all of them together stay below 2^16. Says whether a bucket holds kCrowded or more.
FSA_INLINE bool begins_of(uint16_t* counts, int64_t n_buckets) {
  constexpr uint64_t kOnes = 0x0001000100010001u;
  constexpr uint64_t kCrowded = 0xffe0ffe0ffe0ffe0u;  // bits that a count below 32 leaves empty
  uint64_t begin = 0;
  uint64_t seen = 0;
  for (int64_t b = 0; b < n_buckets; b += 4) {
    uint64_t four;
    std::memcpy(&four, counts + b, sizeof four);
    seen |= four;
    const uint64_t up_to = four * kOnes;
    const uint64_t begins = (up_to << 16) + begin * kOnes;
    std::memcpy(counts + b, &begins, sizeof begins);
    begin += up_to >> 48;
  }
  return (seen & kCrowded) != 0;
}

// After the deal, ends[b] is where bucket b ends.
inline void sort_crowded(uint64_t* entries, const uint16_t* ends, int64_t n_buckets) {
  constexpr int kFew = 16;
  int64_t begin = 0;
  for (int64_t b = 0; b < n_buckets; ++b) {
    if (ends[b] - begin > kFew) std::sort(entries + begin, entries + ends[b], EarlierEntry{});
    begin = ends[b];
  }
}

FSA_INLINE void insertion_pass(uint64_t* entries, int64_t n) {
  uint64_t before = n > 0 ? entries[0] : 0;
  for (int64_t i = 1; i < n; ++i) {
    const uint64_t entry = entries[i];
    if (entry >= before) {
      before = entry;
      continue;
    }
    entries[i] = before;
    int64_t place = i - 1;
    for (; place > 0 && entry < entries[place - 1]; --place) entries[place] = entries[place - 1];
    entries[place] = entry;
  }
}

// Buckets for n keys, as bits; at least four, which begins_of takes together.
FSA_INLINE int bucket_bits(int64_t n, int most) {
  const int bits = bits_for(n < 4 ? 4 : n) + 1;
  return bits < most ? bits : most;
}

// out[0 .. n) = entry(i) in their order; key(i) is its key without the `known` bits that all of them share at the top.
template <class Key, class Entry>
FSA_INLINE void bucket_sort(int64_t n, int known, const Key& key, const Entry& entry, uint64_t* out,
                            uint16_t* counts) {
  if (n > kMostCounted) {  // more ties than a part should have
    for (int64_t i = 0; i < n; ++i) out[i] = entry(i);
    std::sort(out, out + n, EarlierEntry{});
    return;
  }
  const int bits = bucket_bits(n, kKeyBits - known);
  const int64_t n_buckets = int64_t{1} << bits;
  const int shift = kKeyBits - known - bits;
  std::memset(counts, 0, static_cast<size_t>(n_buckets) * sizeof *counts);
  for (int64_t i = 0; i < n; ++i) ++counts[key(i) >> shift];
  const bool crowded = begins_of(counts, n_buckets);
  for (int64_t i = 0; i < n; ++i) out[counts[key(i) >> shift]++] = entry(i);
  if (crowded) sort_crowded(out, counts, n_buckets);
  insertion_pass(out, n);
}

constexpr int64_t kMostBuckets = 2 * (kMostCounted + 1);

}  // namespace fsa::FSA_ISA
