// neighbor_keys: keys of all training points for a block of validation points, and the exact distances behind them.
#pragma once

#include <algorithm>  // for copy, sort
#include <cmath>      // for sqrt

#include "core/arena.h"
#include "ops/distance_keys.h"
#include "ops/knn_shapley.h"
#include "ops/neighbor_distances.h"

namespace fsa::FSA_ISA {

// Euclidean keys come from products of centred points where their error moves few keys; `slack` then says how far keys
// may be apart and their distances still be in the other order.
class NeighborKeys {
 public:
  NeighborKeys(const NeighborProblem& problem, const NeighborCut& cut, Arena& arena) : problem_(problem), cut_(cut) {
    const int64_t n = problem.train.n;
    const int64_t d = problem.train.d;
    center_ = arena.take<double>(d);
    zero_ = arena.take<double>(d);
    rows_ = arena.take<double>(kLanes * d);
    val_ = arena.take<double>(cut.val_per_block * d);
    centered_val_ = arena.take<double>(cut.val_per_block * d);
    val_squares_ = arena.take<double>(cut.val_per_block);
    panels_ = arena.take<double>(cut.points_per_block * d);
    squares_ = arena.take<double>(cut.points_per_block);
    distances_ = arena.take<double>(cut.val_per_block * cut.points_per_block);
    sample_ = arena.take<double>(cut.val_per_block * padded(cut.sample));
    which_ = arena.take<int32_t>(cut.sample);
    maps_ = arena.take<DistanceKeys>(cut.val_per_block);
    slack_ = arena.take<uint32_t>(cut.val_per_block);
    keys_ = arena.take<uint32_t>(cut.val_per_block * n);
    kept_ = arena.take<double>(n <= kMostKept ? cut.val_per_block * n : 0);
  }

  // Keys for up to val_per_block validation points from `first` on.
  void load(int64_t first, int64_t n_val, CancelFlag cancel) {
    read_validation(first, n_val);
    fit_maps();
    by_products_ = products_pay_ && !keeps_ && problem_.metric == Metric::kSquaredEuclidean;
    key_all(cancel);
    if (by_products_ && !find_slack()) {
      products_pay_ = by_products_ = false;
      key_all(cancel);
    }
  }

  // In place of keys: whether each point is within `radius`.
  void load_within(int64_t first, int64_t n_val, double radius, CancelFlag cancel) {
    read_validation(first, n_val);
    by_products_ = keeps_ = false;
    for (int64_t begin = 0; begin < problem_.train.n && !*cancel; begin += cut_.points_per_block) {
      const int64_t n = distances_from(begin);
      for (int64_t v = 0; v < padded_val_; ++v) {
        uint32_t* within = row(v) + begin;
        const double* distances = distances_ + v * cut_.points_per_block;
        for (int64_t i = 0; i < n; ++i) within[i] = distances[i] <= radius;
      }
    }
  }

  int64_t first() const { return first_; }
  uint32_t* row(int64_t v) const { return keys_ + v * problem_.train.n; }
  uint32_t slack(int64_t v) const { return by_products_ ? slack_[v] : 0; }

  double distance(int64_t v, int32_t point) const {
    if (keeps_) return kept_[v * problem_.train.n + point];
    return distance_between(problem_.metric, problem_.train, point, val_of(val_, v), kValPerPass);
  }

  // Gives those of keys begin .. end - 1 that are next to a multiple of 2^shift their exact distances, so that none is
  // on the wrong side of it.
  FSA_INLINE void settle_at_multiples(int64_t v, int shift, int64_t begin, int64_t end) {
    const uint32_t slack = this->slack(v);
    const uint32_t below = (uint32_t{1} << shift) - 1;
    uint32_t* keys = row(v);
    if (slack == 0) return;
    uint32_t any = 0;  // its highest bit is set where one of them is
    for (int64_t i = begin; i < end; ++i) any |= ((keys[i] + slack) & below) - (2 * slack + 1);
    if (any >> 31 == 0) return;
    for (int64_t i = begin; i < end; ++i) {
      if (((keys[i] + slack) & below) <= 2 * slack) keys[i] = maps_[v].key(distance(v, static_cast<int32_t>(i)));
    }
  }

 private:
  static constexpr int64_t kMostKept = 1 << 16;
  static constexpr double kMostMoved = 1.0 / 64.0;  // share of neighbouring points whose order products may leave open

  // Coordinate j of validation point v is at [j * 4] from here.
  double* val_of(double* val, int64_t v) const {
    return val + v / kValPerPass * kValPerPass * problem_.train.d + v % kValPerPass;
  }

  void read_validation(int64_t first, int64_t n_val) {
    if (!centered_) find_center();
    first_ = first;
    padded_val_ = (n_val + kValPerPass - 1) / kValPerPass * kValPerPass;
    for (int64_t v = 0; v < padded_val_; ++v) {
      double* val = val_of(val_, v);
      double* centered = val_of(centered_val_, v);
      read_point(problem_.val, first + (v < n_val ? v : n_val - 1), val, kValPerPass);
      val_squares_[v] = 0.0;
      for (int64_t j = 0; j < problem_.train.d; ++j) {
        const double x = val[j * kValPerPass] - center_[j];
        centered[j * kValPerPass] = x;
        val_squares_[v] += x * x;
      }
    }
  }

  void find_center() {
    const int64_t d = problem_.train.d;
    for (int64_t j = 0; j < d; ++j) center_[j] = zero_[j] = 0.0;
    for (int64_t s = 0; s < cut_.sample; ++s) {
      which_[s] = static_cast<int32_t>(s * problem_.train.n / cut_.sample);
      read_point(problem_.train, which_[s], panels_, 1);
      for (int64_t j = 0; j < d; ++j) center_[j] += panels_[j] / static_cast<double>(cut_.sample);
    }
    centered_ = true;
  }

  void exact_distances(int64_t n, double* out, int64_t stride) {
    const int64_t d = problem_.train.d;
    if (problem_.metric == Metric::kSquaredEuclidean) {
      distances_of_block<Metric::kSquaredEuclidean>(panels_, n, val_, padded_val_, d, out, stride);
    } else {
      distances_of_block<Metric::kInner>(panels_, n, val_, padded_val_, d, out, stride);
    }
  }

  void fit_maps() {
    const int64_t stride = padded(cut_.sample);
    for (int64_t begin = 0; begin < cut_.sample; begin += cut_.points_per_block) {
      const int64_t left = cut_.sample - begin;
      const int64_t n = left < cut_.points_per_block ? left : cut_.points_per_block;
      pack_panels(problem_.train, which_ + begin, 0, n, zero_, rows_, panels_, squares_);
      exact_distances(n, sample_ + begin, stride);
    }
    for (int64_t v = 0; v < padded_val_; ++v) maps_[v].fit(sample_ + v * stride, cut_.sample);
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
    const int64_t d = problem_.train.d;
    const int64_t left = problem_.train.n - begin;
    const int64_t n = left < cut_.points_per_block ? left : cut_.points_per_block;
    pack_panels(problem_.train, nullptr, begin, n, by_products_ ? center_ : zero_, rows_, panels_, squares_);
    if (by_products_) {
      for (int64_t i = 0; i < n; ++i) largest_square_ = squares_[i] > largest_square_ ? squares_[i] : largest_square_;
      product_distances_of_block(panels_, squares_, n, centered_val_, val_squares_, padded_val_, d, distances_,
                                 cut_.points_per_block);
    } else {
      exact_distances(n, distances_, cut_.points_per_block);
    }
    return n;
  }

  void key_all(CancelFlag cancel) {
    largest_square_ = 0.0;
    for (int64_t begin = 0; begin < problem_.train.n && !*cancel; begin += cut_.points_per_block) {
      const int64_t n = distances_from(begin);
      for (int64_t v = 0; v < padded_val_; ++v) {
        const double* distances = distances_ + v * cut_.points_per_block;
        maps_[v].keys(distances, n, row(v) + begin);
        if (keeps_) std::copy(distances, distances + n, kept_ + v * problem_.train.n + begin);
      }
    }
  }

  // False where too many keys are moved. Distances e off can be ordered wrongly while 2 e apart.
  bool find_slack() {
    const double most = static_cast<double>(kKeyEnd) * kMostMoved / static_cast<double>(problem_.train.n);
    for (int64_t v = 0; v < padded_val_; ++v) {
      const double error = product_error(problem_.train.d, std::sqrt(largest_square_), std::sqrt(val_squares_[v]));
      const double keys = 2.02 * error * maps_[v].steepest() + 1e-3;
      if (!(keys + 1.0 <= most)) return false;
      slack_[v] = static_cast<uint32_t>(keys) + 1;
    }
    return true;
  }

  const NeighborProblem& problem_;
  const NeighborCut& cut_;
  int64_t first_ = 0;
  int64_t padded_val_ = 0;
  bool centered_ = false;
  bool products_pay_ = true;
  bool by_products_ = false;
  bool keeps_ = false;
  double largest_square_ = 0.0;
  double* center_;        // [d] of the sample
  double* zero_;          // [d]
  double* rows_;          // [8, d]
  double* val_;           // [val_per_block / 4, d, 4]
  double* centered_val_;  // the same, less the centre
  double* val_squares_;   // [val_per_block]
  double* panels_;        // [points_per_block / 8, d, 8]
  double* squares_;       // [points_per_block]
  double* distances_;     // [val_per_block, points_per_block]
  double* sample_;        // [val_per_block, sample]
  int32_t* which_;        // [sample]
  DistanceKeys* maps_;    // [val_per_block]
  uint32_t* slack_;       // [val_per_block]
  uint32_t* keys_;        // [val_per_block, n]
  double* kept_;          // [val_per_block, n] distances, where many will have to be looked up
};

}  // namespace fsa::FSA_ISA
