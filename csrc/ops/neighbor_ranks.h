// neighbor_ranks: training points in the order (distance, index) from each validation point of a range, streamed in
// blocks: memory is a row of keys per validation point of a block, and one row of entries.
#pragma once

#include "core/arena.h"
#include "ops/distance_keys.h"
#include "ops/knn_shapley.h"
#include "ops/rank_sort.h"

namespace fsa::FSA_ISA {

class NeighborRanks {
 public:
  static int64_t bytes(const NeighborProblem& problem, const NeighborCut& cut) {
    return NeighborRanks(problem, cut, nullptr).used_;
  }

  NeighborRanks(const NeighborProblem& problem, const NeighborCut& cut, char* workspace)
      : problem_(problem), cut_(cut) {
    const int64_t n = problem.train.n;
    const int64_t d = problem.train.d;
    Arena arena(workspace);
    val_ = arena.take<double>(cut.val_per_block * d);
    panels_ = arena.take<double>(cut.points_per_block * d);
    distances_ = arena.take<double>(cut.val_per_block * cut.points_per_block);
    sample_ = arena.take<double>(cut.val_per_block * sample_stride());
    which_ = arena.take<int32_t>(cut.sample);
    maps_ = arena.take<DistanceKeys>(cut.val_per_block);
    keys_ = arena.take<uint32_t>(cut.val_per_block * n);
    entries_ = arena.take<uint64_t>(n);
    ties_ = arena.take<Tie>(n);
    counts_ = arena.take<uint32_t>(RankSort::n_counts(n));
    used_ = arena.used();
  }

  // Keys of up to val_per_block validation points from `first` on.
  void load(int64_t first, int64_t n_val, CancelFlag cancel) {
    first_ = first;
    padded_val_ = (n_val + kValPerPass - 1) / kValPerPass * kValPerPass;
    for (int64_t v = 0; v < padded_val_; ++v) {
      const int64_t own = v < n_val ? v : n_val - 1;
      read_point(problem_.val, first + own, val_of(v), kValPerPass);
    }
    fit_maps();
    for (int64_t begin = 0; begin < problem_.train.n && !*cancel; begin += cut_.points_per_block) key_block(begin);
  }

  int64_t n_neighbors() const { return problem_.train.n - (problem_.self ? 1 : 0); }

  // The neighbours of the v-th validation point of the block, nearest first: entries [n_neighbors]. An entry is marked
  // where the class matches. Among points of equal marks and equal keys the order is not settled when kMarksOnly.
  template <bool kMarksOnly>
  uint64_t* sorted(int64_t v) {
    const int64_t n = problem_.train.n;
    uint32_t* keys = keys_ + v * n;
    if (problem_.self) keys[first_ + v] = kLeftOut;
    const RankSort sort(reinterpret_cast<uint64_t*>(ties_), counts_);
    const int32_t* classes = problem_.classes;
    if (classes != nullptr) {
      const int32_t own = problem_.val_classes[first_ + v];
      sort(keys, n, [=](uint32_t key, int64_t i) FSA_LAMBDA { return entry_of(key, i, classes[i] == own); }, entries_);
    } else {
      sort(keys, n, [=](uint32_t key, int64_t i) FSA_LAMBDA { return entry_of(key, i, 0); }, entries_);
    }
    settle<kMarksOnly>(v, n_neighbors());
    return entries_;
  }

  double distance(int64_t v, int32_t point) const {
    return distance_between(problem_.metric, problem_.train, point, val_of(v), kValPerPass);
  }

 private:
  struct Tie {
    double distance;
    uint64_t entry;
  };
  struct Earlier {
    bool operator()(const Tie& a, const Tie& b) const {
      return a.distance < b.distance || (a.distance == b.distance && point_of(a.entry) < point_of(b.entry));
    }
  };

  int64_t sample_stride() const { return padded(cut_.sample) + cut_.points_per_block; }
  double* val_of(int64_t v) const {
    return val_ + v / kValPerPass * kValPerPass * problem_.train.d + v % kValPerPass;
  }

  void distances(int64_t n, double* out, int64_t stride) {
    const int64_t d = problem_.train.d;
    if (problem_.metric == Metric::kSquaredEuclidean) {
      distances_of_block<Metric::kSquaredEuclidean>(panels_, n, val_, padded_val_, d, out, stride);
    } else {
      distances_of_block<Metric::kInner>(panels_, n, val_, padded_val_, d, out, stride);
    }
  }

  void fit_maps() {
    for (int64_t s = 0; s < cut_.sample; ++s) which_[s] = static_cast<int32_t>(s * problem_.train.n / cut_.sample);
    for (int64_t begin = 0; begin < cut_.sample; begin += cut_.points_per_block) {
      const int64_t left = cut_.sample - begin;
      const int64_t n = left < cut_.points_per_block ? left : cut_.points_per_block;
      pack_panels(problem_.train, which_ + begin, 0, n, panels_);
      distances(n, sample_ + begin, sample_stride());
    }
    for (int64_t v = 0; v < padded_val_; ++v) maps_[v].fit(sample_ + v * sample_stride(), cut_.sample);
  }

  void key_block(int64_t begin) {
    const int64_t left = problem_.train.n - begin;
    const int64_t n = left < cut_.points_per_block ? left : cut_.points_per_block;
    pack_panels(problem_.train, nullptr, begin, n, panels_);
    distances(n, distances_, cut_.points_per_block);
    for (int64_t v = 0; v < padded_val_; ++v) {
      maps_[v].keys(distances_ + v * cut_.points_per_block, n, keys_ + v * problem_.train.n + begin);
    }
  }

  template <bool kMarksOnly>
  void settle(int64_t v, int64_t n) {
    for (int64_t i = 0; i + 1 < n; ++i) {
      if (!same_key(entries_[i], entries_[i + 1])) continue;
      const int64_t begin = i;
      bool mixed = false;
      for (; i + 1 < n && same_key(entries_[i], entries_[i + 1]); ++i) {
        mixed = mixed || mark_of(entries_[i]) != mark_of(entries_[i + 1]);
      }
      if (mixed || !kMarksOnly) settle_run(v, begin, i + 1);
    }
  }

  void settle_run(int64_t v, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ties_[i] = {distance(v, point_of(entries_[i])), entries_[i]};
    std::sort(ties_ + begin, ties_ + end, Earlier{});
    for (int64_t i = begin; i < end; ++i) entries_[i] = ties_[i].entry;
  }

  const NeighborProblem& problem_;
  const NeighborCut& cut_;
  int64_t first_ = 0;
  int64_t padded_val_ = 0;
  double* val_;        // [val_per_block / 4, d, 4]
  double* panels_;     // [points_per_block / 8, d, 8]
  double* distances_;  // [val_per_block, points_per_block]
  double* sample_;     // [val_per_block, sample]
  int32_t* which_;     // [sample]
  DistanceKeys* maps_;  // [val_per_block]
  uint32_t* keys_;     // [val_per_block, n]
  uint64_t* entries_;  // [n]
  Tie* ties_;          // [n] also the scratch of the sort
  uint32_t* counts_;
  int64_t used_;
};

}  // namespace fsa::FSA_ISA
