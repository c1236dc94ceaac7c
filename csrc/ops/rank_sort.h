// rank_sort: one row of evenly spread 31-bit keys to points in their order, by counting into as many buckets as points.
//   An entry is key << 32 | point << 1 | mark; the order of entries is (key, point). Long rows are first dealt to parts
//   that fit the nearest cache.
#pragma once

#include <algorithm>  // for std::sort
#include <cstdint>    // for int32_t, int64_t, uint32_t, uint64_t
#include <cstring>    // for memset

#include "core/lanes.h"

namespace fsa::FSA_ISA {

constexpr int64_t kMostInOnePart = 1 << 15;
constexpr int64_t kPartSize = 1 << 12;
constexpr int64_t kCrowded = 24;  // buckets beyond it are sorted on their own, before the insertion pass
constexpr int kKeyBits = 31;

FSA_INLINE uint64_t entry_of(uint32_t key, int64_t point, uint32_t mark) {
  return static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(point) << 1 | mark;
}
FSA_INLINE uint32_t key_of(uint64_t entry) { return static_cast<uint32_t>(entry >> 32); }
FSA_INLINE int32_t point_of(uint64_t entry) { return static_cast<int32_t>((entry & 0xffffffffu) >> 1); }
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

// Where bucket b begins, from the counts of all; says whether one is crowded.
FSA_INLINE bool begins_of(uint32_t* counts, int64_t n_buckets) {
  uint32_t begin = 0;
  uint32_t most = 0;
  for (int64_t b = 0; b < n_buckets; ++b) {
    const uint32_t count = counts[b];
    most = count > most ? count : most;
    counts[b] = begin;
    begin += count;
  }
  return most > kCrowded;
}

// After the deal, ends[b] is where bucket b ends.
inline void sort_crowded(uint64_t* entries, const uint32_t* ends, int64_t n_buckets) {
  uint32_t begin = 0;
  for (int64_t b = 0; b < n_buckets; ++b) {
    if (ends[b] - begin > kCrowded) std::sort(entries + begin, entries + ends[b], EarlierEntry{});
    begin = ends[b];
  }
}

FSA_INLINE void insertion_pass(uint64_t* entries, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    const uint64_t entry = entries[i];
    int64_t place = i;
    for (; place > 0 && entry < entries[place - 1]; --place) entries[place] = entries[place - 1];
    entries[place] = entry;
  }
}

// Sorts one row of keys [n] into out [n]. `entry(i)` makes entry i. tmp [n] and counts [sort_counts(n)] are scratch.
class RankSort {
 public:
  static int64_t n_counts(int64_t n) { return n <= kMostInOnePart ? n_buckets(n) : n_parts(n) + 1 + kPartBuckets; }

  RankSort(uint64_t* tmp, uint32_t* counts) : tmp_(tmp), counts_(counts) {}

  template <class Entry>
  FSA_INLINE void operator()(const uint32_t* keys, int64_t n, const Entry& entry, uint64_t* out) const {
    if (n <= kMostInOnePart) {
      deal(keys, n, kKeyBits - bits_for(n_buckets(n)), n_buckets(n), entry, out, counts_);
      insertion_pass(out, n);
    } else {
      sort_in_parts(keys, n, entry, out);
    }
  }

 private:
  static constexpr int64_t kPartBuckets = kPartSize;
  static int64_t n_buckets(int64_t n) { return int64_t{1} << bits_for(n < 64 ? 64 : n); }
  static int64_t n_parts(int64_t n) { return int64_t{1} << bits_for((n + kPartSize - 1) / kPartSize); }

  template <class Entry>
  FSA_INLINE void deal(const uint32_t* keys, int64_t n, int shift, int64_t buckets, const Entry& entry, uint64_t* out,
                       uint32_t* counts) const {
    std::memset(counts, 0, static_cast<size_t>(buckets) * sizeof *counts);
    for (int64_t i = 0; i < n; ++i) ++counts[keys[i] >> shift];
    const bool crowded = begins_of(counts, buckets);
    for (int64_t i = 0; i < n; ++i) out[counts[keys[i] >> shift]++] = entry(keys[i], i);
    if (crowded && shift > 0) sort_crowded(out, counts, buckets);
  }

  template <class Entry>
  FSA_INLINE void sort_in_parts(const uint32_t* keys, int64_t n, const Entry& entry, uint64_t* out) const {
    const int64_t parts = n_parts(n);
    const int shift = kKeyBits - bits_for(parts);
    uint32_t* begins = counts_;
    std::memset(begins, 0, static_cast<size_t>(parts) * sizeof *begins);
    for (int64_t i = 0; i < n; ++i) ++begins[keys[i] >> shift];
    begins_of(begins, parts);
    for (int64_t i = 0; i < n; ++i) tmp_[begins[keys[i] >> shift]++] = entry(keys[i], i);
    int64_t begin = 0;
    for (int64_t p = 0; p < parts; ++p) {
      sort_part(tmp_ + begin, begins[p] - begin, shift, out + begin, counts_ + parts + 1);
      begin = begins[p];
    }
  }

  static void sort_part(const uint64_t* entries, int64_t n, int part_shift, uint64_t* out, uint32_t* counts) {
    const int shift = part_shift - bits_for(kPartBuckets) + 32;
    const uint64_t mask = kPartBuckets - 1;
    std::memset(counts, 0, kPartBuckets * sizeof *counts);
    for (int64_t i = 0; i < n; ++i) ++counts[(entries[i] >> shift) & mask];
    const bool crowded = begins_of(counts, kPartBuckets);
    for (int64_t i = 0; i < n; ++i) out[counts[(entries[i] >> shift) & mask]++] = entries[i];
    if (crowded) sort_crowded(out, counts, kPartBuckets);
    insertion_pass(out, n);
  }

  uint64_t* tmp_;
  uint32_t* counts_;
};

}  // namespace fsa::FSA_ISA
