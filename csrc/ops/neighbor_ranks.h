// neighbor_ranks: training points in the order (distance, index) from each validation point of a range, streamed in
// blocks: memory is a row of keys per validation point of a block, and one row of entries.
#pragma once

#include "core/arena.h"
#include "core/order.h"
#include "ops/distance_keys.h"
#include "ops/knn_shapley.h"
#include "ops/ranked_row.h"

namespace fsa::FSA_ISA {

class NeighborRanks {
 public:
  static int64_t bytes(const NeighborProblem& problem, const NeighborCut& cut) {
    return NeighborRanks(problem, cut, nullptr).arena_.used();
  }

  NeighborRanks(const NeighborProblem& problem, const NeighborCut& cut, char* workspace)
      : problem_(problem), cut_(cut), arena_(workspace), row_(problem.train.n, arena_) {
    const int64_t n = problem.train.n;
    const int64_t d = problem.train.d;
    val_ = arena_.take<double>(cut.val_per_block * d);
    panels_ = arena_.take<double>(cut.points_per_block * d);
    distances_ = arena_.take<double>(cut.val_per_block * cut.points_per_block);
    sample_ = arena_.take<double>(cut.val_per_block * sample_stride());
    which_ = arena_.take<int32_t>(cut.sample);
    maps_ = arena_.take<DistanceKeys>(cut.val_per_block);
    keys_ = arena_.take<uint32_t>(cut.val_per_block * n);
    ties_ = arena_.take<Tie>(n);
    kept_ = arena_.take<double>(n <= kMostKept ? cut.val_per_block * n : 0);
  }

  // Keys of up to val_per_block validation points from `first` on.
  void load(int64_t first, int64_t n_val, CancelFlag cancel) {
    read_validation(first, n_val);
    fit_maps();
    for (int64_t begin = 0; begin < problem_.train.n && !*cancel; begin += cut_.points_per_block) key_block(begin);
  }

  int64_t n_neighbors() const { return problem_.train.n - (problem_.self ? 1 : 0); }

  // Neighbours of the validation point's class.
  int64_t matches(int64_t v) const {
    const int32_t own = problem_.val_classes[first_ + v];
    int64_t count = problem_.self ? -1 : 0;
    for (int64_t i = 0; i < problem_.train.n; ++i) count += problem_.classes[i] == own;
    return count;
  }

  // Deals the neighbours of the v-th validation point of the block; marked where the class matches.
  void rank(int64_t v) {
    uint32_t* keys = keys_ + v * problem_.train.n;
    if (problem_.self) keys[first_ + v] = kLeftOut;
    const int32_t* classes = problem_.classes;
    if (classes != nullptr) {
      const int32_t own = problem_.val_classes[first_ + v];
      row_.deal(keys, [=](int64_t i) FSA_LAMBDA { return static_cast<uint32_t>(classes[i] == own); });
    } else {
      row_.deal(keys, [](int64_t) FSA_LAMBDA { return 0u; });
    }
  }

  int64_t n_parts() const { return row_.n_parts(); }

  // Part p in the order (distance, index), with the point itself, in self-valuation, cut off its end and valued zero.
  // Among points of equal marks and equal keys the order is not settled when kMarksOnly.
  template <bool kMarksOnly>
  RankedPart part(int64_t v, int64_t p) {
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

  void add_values(double* out) { row_.add_values(out); }

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

  // In place of keys: whether each point is within `radius` of each validation point of the block.
  void load_within(int64_t first, int64_t n_val, double radius, CancelFlag cancel) {
    read_validation(first, n_val);
    for (int64_t begin = 0; begin < problem_.train.n && !*cancel; begin += cut_.points_per_block) {
      const int64_t n = distances_from(begin);
      for (int64_t v = 0; v < padded_val_; ++v) {
        uint32_t* within = keys_ + v * problem_.train.n + begin;
        const double* distances = distances_ + v * cut_.points_per_block;
        for (int64_t i = 0; i < n; ++i) within[i] = distances[i] <= radius;
      }
    }
  }

  void add_threshold_values(int64_t v, const ThresholdTerms& terms, double* out) {
    const int32_t own = problem_.val_classes[first_ + v];
    uint32_t* within = keys_ + v * problem_.train.n;
    if (problem_.self) within[first_ + v] = 0;
    int64_t n = 0;
    int64_t matches = 0;
    for (int64_t i = 0; i < problem_.train.n; ++i) {
      n += within[i];
      matches += within[i] & static_cast<uint32_t>(problem_.classes[i] == own);
    }
    const double shared = static_cast<double>(matches) * terms.per_match[n];
    const double of_match = terms.of_match[n] - shared;
    const double of_other = terms.of_other[n] - shared;
    for (int64_t i = 0; i < problem_.train.n; ++i) {
      const double value = problem_.classes[i] == own ? of_match : of_other;
      out[i] += within[i] ? value : 0.0;
    }
  }

  double distance(int64_t v, int32_t point) const {
    if (keeps_) return kept_[v * problem_.train.n + point];
    return distance_between(problem_.metric, problem_.train, point, val_of(v), kValPerPass);
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

  static constexpr int64_t kMostKept = 1 << 16;

  int64_t sample_stride() const { return padded(cut_.sample); }
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

  void read_validation(int64_t first, int64_t n_val) {
    first_ = first;
    padded_val_ = (n_val + kValPerPass - 1) / kValPerPass * kValPerPass;
    for (int64_t v = 0; v < padded_val_; ++v) {
      const int64_t own = v < n_val ? v : n_val - 1;
      read_point(problem_.val, first + own, val_of(v), kValPerPass);
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
    keeps_ = problem_.train.n <= kMostKept && many_tie(sample_, cut_.sample);
  }

  // Whether a point is expected to share its distance with an eighth of another, as in data of small integers. Only the
  // speed depends on it. Reorders the sample.
  bool many_tie(double* sample, int64_t n) const {
    std::sort(sample, sample + n);
    double pairs = 0.0;
    int64_t same = 0;
    for (int64_t i = 1; i < n; ++i) {
      same = sample[i] == sample[i - 1] ? same + 1 : 0;
      pairs += static_cast<double>(same);
    }
    return 8.0 * 2.0 * pairs * static_cast<double>(problem_.train.n) > static_cast<double>(n) * static_cast<double>(n);
  }

  // Distances of the block of points from `begin` on; returns how many there are.
  int64_t distances_from(int64_t begin) {
    const int64_t left = problem_.train.n - begin;
    const int64_t n = left < cut_.points_per_block ? left : cut_.points_per_block;
    pack_panels(problem_.train, nullptr, begin, n, panels_);
    distances(n, distances_, cut_.points_per_block);
    return n;
  }

  void key_block(int64_t begin) {
    const int64_t n = distances_from(begin);
    for (int64_t v = 0; v < padded_val_; ++v) {
      const double* distances = distances_ + v * cut_.points_per_block;
      maps_[v].keys(distances, n, keys_ + v * problem_.train.n + begin);
      if (keeps_) std::memcpy(kept_ + v * problem_.train.n + begin, distances, static_cast<size_t>(n) * sizeof *distances);
    }
  }

  // The first i from `begin` on whose key is that of i + 1, or n. Whole strides are looked at without a branch.
  static int64_t next_tie(const uint64_t* entries, int64_t begin, int64_t n) {
    constexpr int64_t kStride = 32;
    int64_t i = begin;
    for (; i + kStride < n; i += kStride) {
      bool tied = false;
      for (int64_t j = i; j < i + kStride; ++j) tied |= same_key(entries[j], entries[j + 1]);
      if (tied) break;
    }
    for (; i + 1 < n; ++i) {
      if (same_key(entries[i], entries[i + 1])) return i;
    }
    return n;
  }

  template <bool kMarksOnly>
  void settle(int64_t v, const RankedPart& part) {
    const uint64_t* entries = part.entries;
    for (int64_t i = 0; i + 1 < part.n; ++i) {
      i = next_tie(entries, i, part.n);
      if (i + 1 >= part.n) break;
      const int64_t begin = i;
      bool mixed = false;
      for (; i + 1 < part.n && same_key(entries[i], entries[i + 1]); ++i) {
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
  const NeighborCut& cut_;
  Arena arena_;
  RankedRow row_;
  int64_t first_ = 0;
  int64_t padded_val_ = 0;
  double* val_;        // [val_per_block / 4, d, 4]
  double* panels_;     // [points_per_block / 8, d, 8]
  double* distances_;  // [val_per_block, points_per_block]
  double* sample_;     // [val_per_block, sample]
  int32_t* which_;     // [sample]
  DistanceKeys* maps_;  // [val_per_block]
  uint32_t* keys_;     // [val_per_block, n]
  Tie* ties_;          // [the largest part]
  double* kept_;       // [val_per_block, n] distances, where many will have to be looked up
  bool keeps_ = false;
  int32_t left_out_ = -1;
};

}  // namespace fsa::FSA_ISA
