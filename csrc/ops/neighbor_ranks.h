// neighbor_ranks: training points in the order (distance, index) from each validation point of a range, streamed in
// blocks: memory is a row of keys per validation point of a block, and one row of entries.
#pragma once

#include "core/order.h"
#include "ops/neighbor_keys.h"
#include "ops/ranked_row.h"

namespace fsa::FSA_ISA {

class NeighborRanks {
 public:
  static int64_t bytes(const NeighborProblem& problem, const NeighborCut& cut) {
    return NeighborRanks(problem, cut, nullptr).arena_.used();
  }

  NeighborRanks(const NeighborProblem& problem, const NeighborCut& cut, char* workspace)
      : problem_(problem), arena_(workspace), keys_(problem, cut, arena_), row_(problem.train.n, arena_) {
    ties_ = arena_.take<Tie>(problem.train.n);
  }

  NeighborKeys& keys() { return keys_; }
  double distance(int64_t v, int32_t point) const { return keys_.distance(v, point); }
  int64_t n_neighbors() const { return problem_.train.n - (problem_.self ? 1 : 0); }
  int64_t n_parts() const { return row_.n_parts(); }

  // Neighbours of the validation point's class.
  int64_t matches(int64_t v) const {
    const int32_t own = problem_.val_classes[keys_.first() + v];
    int64_t count = problem_.self ? -1 : 0;
    for (int64_t i = 0; i < problem_.train.n; ++i) count += problem_.classes[i] == own;
    return count;
  }

  // Deals the neighbours of the v-th validation point of the block; marked where the class matches.
  FSA_OUTLINE void rank(int64_t v) {
    uint32_t* keys = keys_.row(v);
    const int64_t left_out = problem_.self ? keys_.first() + v : -1;
    if (left_out >= 0) keys[left_out] = kLeftOut;
    const int shift = row_.part_shift();
    const auto prepare = [&](int64_t begin, int64_t end) FSA_LAMBDA {
      keys_.settle_at_multiples(v, shift, begin, end);
      if (begin <= left_out && left_out < end) keys[left_out] = kLeftOut;
    };
    const int32_t* classes = problem_.classes;
    if (classes != nullptr) {
      const int32_t own = problem_.val_classes[keys_.first() + v];
      row_.deal(keys, [=](int64_t i) FSA_LAMBDA { return static_cast<uint32_t>(classes[i] == own); }, prepare);
    } else {
      row_.deal(keys, [](int64_t) FSA_LAMBDA { return 0u; }, prepare);
    }
  }

  // Part p in the order (distance, index), with the point itself, in self-valuation, cut off its end and valued zero.
  // Among points of equal marks whose keys are that close the order is not settled when kMarksOnly.
  template <bool kMarksOnly>
  FSA_OUTLINE RankedPart part(int64_t v, int64_t p) {
    RankedPart part = row_.part(p);
    if (part.n > 0 && key_of(part.entries[part.n - 1]) == kLeftOut) {
      --part.n;
      left_out_ = place_of(part.entries[part.n]);
    } else {
      left_out_ = -1;
    }
    settle<kMarksOnly>(v, part);
    return part;
  }

  // To be called when the values of the part are set.
  void finish(const RankedPart& part) {
    if (left_out_ >= 0) part.set(entry_of(kLeftOut, left_out_, 0), 0.0);
  }

  FSA_OUTLINE void add_values(double* out) { row_.add_values(out); }

  // sums[p]: the targets of all neighbours in parts nearer than p.
  void sums_before(const double* targets, double* sums) const { row_.sums_before(targets, sums); }

  // All neighbours of the v-th validation point of the block, nearest first; returns how many.
  int64_t order(int64_t v, int32_t* out) {
    rank(v);
    int64_t n = 0;
    for (int64_t p = 0; p < n_parts(); ++p) {
      const RankedPart ranked = part<false>(v, p);
      for (int64_t i = 0; i < ranked.n; ++i) out[n++] = ranked.point(ranked.entries[i]);
    }
    return n;
  }

 private:
  struct Tie {
    double distance;
    uint64_t entry;
  };
  struct Earlier {
    bool operator()(const Tie& a, const Tie& b) const {
      return before(a.distance, place_of(a.entry), b.distance, place_of(b.entry));  // places are in index order
    }
  };

  // Whether sorted entries may truly be the other way round: their keys are within the slack, or one more, which is
  // harmless and lets whole entries be subtracted.
  FSA_INLINE static bool open(uint64_t a, uint64_t b, int64_t reach) { return static_cast<int64_t>(b - a) <= reach; }

  // The first i from `begin` on whose order with i + 1 is open, or n. Whole strides are looked at without a branch.
  static int64_t next_open(const uint64_t* entries, int64_t begin, int64_t n, int64_t reach) {
    constexpr int64_t kStride = 32;
    int64_t i = begin;
    for (; i + kStride < n; i += kStride) {
      int64_t any = 0;  // negative where one of them is
      for (int64_t j = i; j < i + kStride; ++j) any |= static_cast<int64_t>(entries[j + 1] - entries[j]) - (reach + 1);
      if (any < 0) break;
    }
    for (; i + 1 < n; ++i) {
      if (open(entries[i], entries[i + 1], reach)) return i;
    }
    return n;
  }

  template <bool kMarksOnly>
  void settle(int64_t v, const RankedPart& part) {
    const uint64_t* entries = part.entries;
    const int64_t reach = (int64_t{keys_.slack(v)} + 1) << 32;
    for (int64_t i = 0; i + 1 < part.n; ++i) {
      i = next_open(entries, i, part.n, reach);
      if (i + 1 >= part.n) break;
      const int64_t begin = i;
      bool mixed = false;
      for (; i + 1 < part.n && open(entries[i], entries[i + 1], reach); ++i) {
        mixed = mixed || mark_of(entries[i]) != mark_of(entries[i + 1]);
      }
      if (mixed || !kMarksOnly) settle_run(v, part, begin, i + 1);
    }
  }

  void settle_run(int64_t v, const RankedPart& part, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ties_[i] = {distance(v, part.point(part.entries[i])), part.entries[i]};
    if (std::is_sorted(ties_ + begin, ties_ + end, Earlier{})) return;
    std::sort(ties_ + begin, ties_ + end, Earlier{});
    for (int64_t i = begin; i < end; ++i) part.entries[i] = ties_[i].entry;
  }

  const NeighborProblem& problem_;
  Arena arena_;
  NeighborKeys keys_;
  RankedRow row_;
  Tie* ties_;  // [the largest part]
  int32_t left_out_ = -1;
};

}  // namespace fsa::FSA_ISA
