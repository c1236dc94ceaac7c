// ranked_row: one row of keys as parts in their order, each small enough for the nearest cache while it is sorted and
// valued, and the way back from values in that order to points.
#pragma once

#include "core/arena.h"
#include "ops/rank_sort.h"

namespace fsa::FSA_ISA {

// Entries of one part, nearest first; the place in an entry is that of its point among the part's own.
struct RankedPart {
  uint64_t* entries;        // [n]
  int64_t n;
  int64_t first_rank;       // how many neighbours are nearer than all of the part
  const uint64_t* members;  // [n] the part's points in index order, as entries; null: places are points
  uint64_t* values;         // [n] bits of doubles, by place; may be where the members are

  int32_t point(uint64_t entry) const {
    const int32_t place = place_of(entry);
    return members == nullptr ? place : place_of(members[place]);
  }
  void set(uint64_t entry, double value) const { std::memcpy(values + place_of(entry), &value, sizeof value); }
};

class RankedRow {
 public:
  static constexpr int64_t kOnePart = 1 << 15;
  static constexpr int64_t kPartSize = 1 << 12;

  RankedRow(int64_t n, Arena& arena)
      : n_(n), part_bits_(bits_for(max_parts(n))), bucket_bits_(bits_of_buckets(n)), buckets_(bucket_bits_, arena) {
    dealt_ = arena.take<uint64_t>(n);
    sorted_ = arena.take<uint64_t>(n);
    begins_ = arena.take<uint32_t>(n_parts() + 1);
    cursors_ = arena.take<uint32_t>(n_parts());
  }

  static int64_t max_parts(int64_t n) {
    return n <= kOnePart ? 1 : int64_t{1} << bits_for((n + kPartSize - 1) / kPartSize);
  }
  int64_t n_parts() const { return int64_t{1} << part_bits_; }

  // Parts begin at the multiples of 2^part_shift() among keys.
  int part_shift() const { return kKeyBits - part_bits_; }

  // Deals the row to its parts. mark(i) is what point i is marked with; prepare(begin, end) is called once for every
  // stretch of keys, before it is read, where there are several parts.
  template <class Mark, class Prepare>
  FSA_INLINE void deal(const uint32_t* keys, const Mark& mark, const Prepare& prepare) {
    keys_ = keys;
    const int shift = part_shift();
    if (part_bits_ == 0) {
      sort_part(n_, [=](int64_t i) FSA_LAMBDA { return keys[i]; },
                [=](int64_t i) FSA_LAMBDA { return entry_of(keys[i], i, mark(i)); });
      return;
    }
    std::memset(begins_, 0, static_cast<size_t>(n_parts() + 1) * sizeof *begins_);
    constexpr int64_t kStretch = 32;
    uint32_t* counts = begins_ + 1;
    int64_t begin = 0;
    for (; begin + kStretch <= n_; begin += kStretch) {
      prepare(begin, begin + kStretch);
      for (int64_t i = begin; i < begin + kStretch; ++i) ++counts[keys[i] >> shift];
    }
    prepare(begin, n_);
    for (; begin < n_; ++begin) ++counts[keys[begin] >> shift];
    for (int64_t p = 0; p < n_parts(); ++p) {
      cursors_[p] = begins_[p];
      begins_[p + 1] += begins_[p];
    }
    deal_in_stretches(n_, [=](int64_t i) FSA_LAMBDA { return keys[i] >> shift; },
                      [=](int64_t i) FSA_LAMBDA { return entry_of(keys[i], i, mark(i)); },
                      [this](uint32_t p) FSA_LAMBDA { return cursors_[p]++; }, dealt_);
  }

  // Part p sorted by (key, place). Its members stand until a value of the part is set.
  RankedPart part(int64_t p) {
    if (part_bits_ == 0) return {sorted_, n_, 0, nullptr, dealt_};
    uint64_t* members = dealt_ + begins_[p];
    const int64_t n = begins_[p + 1] - begins_[p];
    sort_part(n, [=](int64_t i) FSA_LAMBDA { return key_of(members[i]); },
              [=](int64_t i) FSA_LAMBDA { return entry_of(key_of(members[i]), i, mark_of(members[i])); });
    return {sorted_, n, begins_[p], members, members};
  }

  // sums[p] = sum of targets over the parts nearer than p, before a value is set.
  void sums_before(const double* targets, double* sums) const {
    double sum = 0.0;
    for (int64_t p = 0; p < n_parts(); ++p) {
      sums[p] = sum;
      if (p + 1 == n_parts()) return;
      double part_sum = 0.0;
      for (uint32_t i = begins_[p]; i < begins_[p + 1]; ++i) part_sum += targets[place_of(dealt_[i])];
      sum += part_sum;
    }
  }

  // out[i] += the value set for point i; every point must have one.
  void add_values(double* out) {
    if (part_bits_ == 0) {
      for (int64_t i = 0; i < n_; ++i) out[i] += value_at(i);
      return;
    }
    std::memcpy(cursors_, begins_, static_cast<size_t>(n_parts()) * sizeof *cursors_);
    for (int64_t i = 0; i < n_; ++i) out[i] += value_at(cursors_[keys_[i] >> part_shift()]++);
  }

 private:
  // Two to three halves of a part's points, as a power of two; at least the eight that are counted together.
  static int bits_of_buckets(int64_t n) {
    const int64_t part = n / max_parts(n);
    const int bits = bits_for(part < 6 ? 8 : part + part / 2);
    return bits < kKeyBits - bits_for(max_parts(n)) ? bits : kKeyBits - bits_for(max_parts(n));
  }

  template <class Key, class Entry>
  FSA_INLINE void sort_part(int64_t n, const Key& key, const Entry& entry) {
    if (n > kMostCounted) {  // more ties than a part should have
      for (int64_t i = 0; i < n; ++i) sorted_[i] = entry(i);
      std::sort(sorted_, sorted_ + n, EarlierEntry{});
      return;
    }
    const int shift = part_shift() - bucket_bits_;
    const uint32_t last = (uint32_t{1} << bucket_bits_) - 1;
    buckets_.deal(n, [=](int64_t i) FSA_LAMBDA { return key(i) >> shift & last; }, entry, sorted_);
    sort_small_buckets(sorted_, n);
    sort_nearly_sorted(sorted_, n);
  }

  FSA_INLINE double value_at(int64_t place) const {
    double value;
    std::memcpy(&value, dealt_ + place, sizeof value);
    return value;
  }

  int64_t n_;
  int part_bits_;
  int bucket_bits_;
  Buckets buckets_;
  const uint32_t* keys_ = nullptr;
  uint64_t* dealt_;    // [n] by part, in index order; then their values
  uint64_t* sorted_;   // [the largest part]
  uint32_t* begins_;   // [parts + 1]
  uint32_t* cursors_;  // [parts]
};

}  // namespace fsa::FSA_ISA
