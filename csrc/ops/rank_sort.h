// rank_sort: deals evenly spread 31-bit keys to buckets by counting, about two buckets to a key, and sorting the few in each.
//   An entry is key << 32 | place << 1 | mark; the order of entries is (key, place).
#pragma once

#include <algorithm>  // for is_sorted, sort
#include <cstdint>    // for int32_t, int64_t, uint16_t, uint32_t, uint64_t, uint8_t
#include <cstring>    // for memcpy, memset

#include "core/arena.h"
#include "core/lanes.h"

namespace fsa::FSA_ISA {

constexpr int kKeyBits = 31;
constexpr int64_t kMostCounted = UINT16_MAX;

FSA_INLINE uint64_t entry_of(uint32_t key, int64_t place, uint32_t mark) {
  return static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(place) << 1 | mark;
}
FSA_INLINE uint32_t key_of(uint64_t entry) { return static_cast<uint32_t>(entry >> 32); }
FSA_INLINE int32_t place_of(uint64_t entry) { return static_cast<int32_t>((entry & 0xffffffffu) >> 1); }
FSA_INLINE uint32_t mark_of(uint64_t entry) { return static_cast<uint32_t>(entry & 1); }

struct EarlierEntry {
  bool operator()(uint64_t a, uint64_t b) const { return a < b; }
};

constexpr int bits_for(int64_t n) {
  int bits = 0;
  while ((int64_t{1} << bits) < n) ++bits;
  return bits;
}

// out[next_place(bucket(i))] = entry(i) for i in order. In short loops of one thing each: loads behind stores to places
// not yet known would wait for them.
template <class Bucket, class Entry, class Place>
FSA_INLINE void deal_in_stretches(int64_t n, const Bucket& bucket, const Entry& entry, const Place& next_place,
                                  uint64_t* out) {
  constexpr int64_t kStretch = 64;
  uint64_t entries[kStretch];
  uint32_t places[kStretch];
  for (int64_t begin = 0; begin < n; begin += kStretch) {
    const int64_t few = n - begin < kStretch ? n - begin : kStretch;
    for (int64_t i = 0; i < few; ++i) {
      entries[i] = entry(begin + i);
      places[i] = bucket(begin + i);
    }
    for (int64_t i = 0; i < few; ++i) places[i] = next_place(places[i]);
    for (int64_t i = 0; i < few; ++i) out[places[i]] = entries[i];
  }
}

// Counts of buckets, a word of them at a time. Bytes keep the counts of all buckets in the nearest cache; `begins` says
// where each word of buckets begins.
class Buckets {
 public:
  Buckets(int bits, Arena& arena) : n_(int64_t{1} << bits) {
    counts_ = arena.take<uint16_t>(n_);
    begins_ = arena.take<uint16_t>(n_ / 4);
  }

  // out[0 .. n) = entry(i), by bucket(i), and in the order of i within a bucket; n at most kMostCounted.
  template <class Bucket, class Entry>
  FSA_INLINE void deal(int64_t n, const Bucket& bucket, const Entry& entry, uint64_t* out) {
    if (!deal_counted(n, bucket, entry, out, reinterpret_cast<uint8_t*>(counts_))) {
      deal_counted(n, bucket, entry, out, counts_);  // ties that a byte cannot count
    }
  }

 private:
  // Says whether the counts of every word of buckets together stay below what one of them can hold.
  template <class Count, class Bucket, class Entry>
  FSA_INLINE bool deal_counted(int64_t n, const Bucket& bucket, const Entry& entry, uint64_t* out, Count* within) {
    constexpr int64_t kPerWord = static_cast<int64_t>(sizeof(uint64_t) / sizeof(Count));
    constexpr int64_t kShare = bits_for(kPerWord);
    std::memset(within, 0, static_cast<size_t>(n_) * sizeof *within);
    for (int64_t i = 0; i < n; ++i) ++within[bucket(i)];
    if (find_begins(within) != n) return false;
    deal_in_stretches(n, bucket, entry, [=](uint32_t b) FSA_LAMBDA {
      return static_cast<uint32_t>(begins_[b >> kShare] + within[b]++);
    }, out);
    return true;
  }

  // Replaces counts by where their buckets begin in their word: a product by ...0101 sums the lower ones. Returns how
  // many are counted: fewer than there are where a count or a sum overflowed, for that loses more than it carries.
  template <class Count>
  FSA_INLINE int64_t find_begins(Count* within) {
    constexpr int kBits = 8 * static_cast<int>(sizeof(Count));
    constexpr int64_t kPerWord = 64 / kBits;
    constexpr uint64_t kOnes = ~uint64_t{0} / ((uint64_t{1} << kBits) - 1);
    uint64_t begin = 0;
    for (int64_t w = 0; w < n_ / kPerWord; ++w) {
      uint64_t counts;
      std::memcpy(&counts, within + w * kPerWord, sizeof counts);
      const uint64_t up_to = counts * kOnes;
      const uint64_t below = up_to << kBits;
      std::memcpy(within + w * kPerWord, &below, sizeof below);
      begins_[w] = static_cast<uint16_t>(begin);
      begin += up_to >> (64 - kBits);
    }
    return static_cast<int64_t>(begin);
  }

  int64_t n_;
  uint16_t* counts_;  // [n], or bytes in the first half of it
  uint16_t* begins_;  // [n / 4]
};

// Exchanges entries i and i + 1, i + 2 and i + 3, .. of `pairs` pairs where they are in the wrong order.
FSA_INLINE void exchange_pairs(uint64_t* entries, int64_t pairs) {
  for (int64_t p = 0; p < pairs; ++p) {
    const uint64_t a = entries[2 * p];
    const uint64_t b = entries[2 * p + 1];
    entries[2 * p] = a < b ? a : b;
    entries[2 * p + 1] = a < b ? b : a;
  }
}

// Sorts buckets of up to kRounds entries wherever they begin: odd-even transposition, a stretch that stays in the
// nearest cache at a time, every round one entry behind the one before.
FSA_INLINE void sort_small_buckets(uint64_t* entries, int64_t n) {
  constexpr int64_t kRounds = 4;
  constexpr int64_t kStretch = 512;
  for (int64_t begin = 0; begin < n + kRounds; begin += kStretch) {
    for (int64_t round = 0; round < kRounds; ++round) {
      const int64_t first = begin > round ? begin - round : round % 2;
      const int64_t end = begin + kStretch - round < n ? begin + kStretch - round : n;
      if (first < end) exchange_pairs(entries + first, (end - first) / 2);
    }
  }
}

// Sorts entries that are in order but for a few.
FSA_INLINE void sort_nearly_sorted(uint64_t* entries, int64_t n) {
  constexpr int64_t kStretch = 32;
  for (int64_t begin = 1; begin < n; begin += kStretch) {
    const int64_t end = n - begin < kStretch ? n : begin + kStretch;
    uint64_t any = 0;  // its highest bit is set where an entry is before the one it follows
    for (int64_t i = begin; i < end; ++i) any |= entries[i] - entries[i - 1];
    if (any >> 63 == 0) continue;
    for (int64_t i = begin; i < end; ++i) {
      const uint64_t entry = entries[i];
      int64_t place = i;
      for (; place > 0 && entry < entries[place - 1]; --place) entries[place] = entries[place - 1];
      entries[place] = entry;
    }
  }
}

}  // namespace fsa::FSA_ISA
