// knn_weighted: values under the weighted vote v(S) = [sum of the signed weights of the k nearest members >= 0], and
// v(empty) = 0, with integer weights, positive where the class matches. Linear in the number of points: Wang, Mittal
// and Jia (AISTATS 2024) count coalitions without each point in turn; that count depends on its weight alone.
//
//   value_i = sum_(l<k) size_l * sum of [s + w_i >= 0] - v over coalitions of l others, s their sum
//           + sum_(m>i) tail_m * sum of [s + w_i >= 0] - [s + w_m >= 0] over k - 1 of the others nearer than m
#pragma once

#include "core/arena.h"
#include "ops/knn_shapley.h"

namespace fsa::FSA_ISA {

class WeightedCounts {
 public:
  WeightedCounts(const WeightedVote& vote, Arena& arena)
      : k_(vote.k), most_(vote.most), width_(2 * vote.k * vote.most + 1) {
    counts_ = arena.take<double>(k_ * width_);
    without_ = arena.take<double>(k_ * width_);
    from_ = arena.take<double>(2 * most_ + 1);
    present_ = arena.take<int32_t>(2 * most_ + 1);
  }

  // Values by rank of neighbours of `weights` [n], each within -most .. most.
  void values(const WeightedVote& vote, const int32_t* weights, int64_t n, double* out) {
    clear();
    for (int64_t m = 0; m < n; ++m) {
      if (m >= k_ && m < vote.cutoff && vote.tail[m] != 0.0) add_replacements(weights[m], vote.tail[m]);
      out[m] = -from_[weights[m] + most_];
      ++present_[weights[m] + most_];
      join(weights[m]);
    }
    for (int32_t w = -most_; w <= most_; ++w) {
      if (present_[w + most_] > 0) from_[w + most_] += of_small_coalitions(vote, w, n);
    }
    for (int64_t m = 0; m < n; ++m) out[m] += from_[weights[m] + most_];
  }

 private:
  double* row(double* table, int64_t size) const { return table + size * width_; }
  int64_t zero() const { return k_ * most_; }

  void clear() {
    for (int64_t i = 0; i < k_ * width_; ++i) counts_[i] = 0.0;
    counts_[zero()] = 1.0;
    for (int64_t w = 0; w <= 2 * most_; ++w) {
      from_[w] = 0.0;
      present_[w] = 0;
    }
  }

  // counts[l][zero + s]: coalitions of l of the points so far with weights that sum to s.
  void join(int32_t w) {
    for (int64_t size = k_ - 1; size > 0; --size) add_shifted(row(counts_, size), row(counts_, size - 1), w, 1.0);
  }

  void add_shifted(double* to, const double* from, int32_t w, double sign) const {
    const int64_t begin = w > 0 ? w : 0;
    const int64_t end = w > 0 ? width_ : width_ + w;
    for (int64_t s = begin; s < end; ++s) to[s] += sign * from[s - w];
  }

  // The same counts without one point of weight w: those with it are the smaller ones without it, moved by w.
  const double* counts_without(int32_t w, int64_t size) {
    for (int64_t s = 0; s < width_; ++s) without_[s] = s == zero() ? 1.0 : 0.0;
    for (int64_t l = 1; l <= size; ++l) {
      double* here = row(without_, l);
      const double* all = row(counts_, l);
      for (int64_t s = 0; s < width_; ++s) here[s] = all[s];
      add_shifted(here, row(without_, l - 1), w, -1.0);
    }
    return row(without_, size);
  }

  void add_replacements(int32_t replaced, double tail) {
    for (int32_t w = -most_; w <= most_; ++w) {
      if (present_[w + most_] == 0 || w == replaced) continue;
      const double* counts = counts_without(w, k_ - 1) + zero();
      const int32_t low = w > replaced ? w : replaced;
      const int32_t high = w > replaced ? replaced : w;
      double sum = 0.0;
      for (int32_t s = -low; s < -high; ++s) sum += counts[s];
      from_[w + most_] += w > replaced ? tail * sum : -tail * sum;
    }
  }

  double of_small_coalitions(const WeightedVote& vote, int32_t w, int64_t n) {
    const int64_t largest = k_ - 1 < n - 1 ? k_ - 1 : n - 1;
    counts_without(w, largest);
    double value = w >= 0 ? vote.size[0] : 0.0;
    for (int64_t size = 1; size <= largest; ++size) {
      const double* counts = row(without_, size) + zero();
      double sum = 0.0;
      if (w > 0) {
        for (int32_t s = -w; s < 0; ++s) sum += counts[s];
      } else {
        for (int32_t s = 0; s < -w; ++s) sum -= counts[s];
      }
      value += vote.size[size] * sum;
    }
    return value;
  }

  int64_t k_;
  int32_t most_;
  int64_t width_;
  double* counts_;    // [k, width]
  double* without_;   // [k, width]
  double* from_;      // [2 most + 1] what a point of each weight has gained since the first rank
  int32_t* present_;  // [2 most + 1] points so far of each weight
};

}  // namespace fsa::FSA_ISA
