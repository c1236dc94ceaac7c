// nearest_few: the few nearest training points of each validation point, exactly, without ranking the others; for
// euclidean distances.
//   Single-precision distances of centred points preselect; a bound on their error decides how many more than wanted
//   are kept; float64 distances settle the order. A row whose bound keeps too many (ties) is left to the full ranking.
#pragma once

#include <algorithm>  // for nth_element, sort
#include <cmath>      // for ldexp, sqrt

#include "core/arena.h"
#include "core/order.h"
#include "ops/knn_shapley.h"
#include "ops/neighbor_distances.h"
#include "ops/rank_sort.h"

namespace fsa::FSA_ISA {

class NearestFew {
 public:
  static int64_t bytes(const NeighborProblem& problem, const NeighborCut& cut, int64_t wanted) {
    return NearestFew(problem, cut, wanted, nullptr).arena_.used();
  }

  NearestFew(const NeighborProblem& problem, const NeighborCut& cut, int64_t wanted, char* workspace)
      : problem_(problem), cut_(cut), wanted_(wanted), room_(4 * wanted + 4 * cut.points_per_block), arena_(workspace) {
    const int64_t d = problem.train.d;
    center_ = arena_.take<double>(d);
    point_ = arena_.take<double>(d);
    exact_val_ = arena_.take<double>(cut.val_per_block * d);
    val_ = arena_.take<float>(cut.val_per_block * d);
    val_length_ = arena_.take<double>(cut.val_per_block);
    panels_ = arena_.take<float>(cut.points_per_block * d);
    distances_ = arena_.take<float>(kValPerPass * cut.points_per_block);
    bound_ = arena_.take<float>(cut.val_per_block);
    found_ = arena_.take<int64_t>(cut.val_per_block);
    candidates_ = arena_.take<Candidate>(cut.val_per_block * room_);
    settled_ = arena_.take<Settled>(room_);
    if (workspace != nullptr) fit_scale();
  }

  void screen(int64_t first, int64_t n_val, CancelFlag cancel) {
    first_ = first;
    padded_val_ = (n_val + kValPerPass - 1) / kValPerPass * kValPerPass;
    for (int64_t v = 0; v < padded_val_; ++v) read_validation(v, first + (v < n_val ? v : n_val - 1));
    for (int64_t begin = 0; begin < problem_.train.n && !*cancel; begin += cut_.points_per_block) {
      const int64_t left = problem_.train.n - begin;
      const int64_t n = left < cut_.points_per_block ? left : cut_.points_per_block;
      pack(begin, n);
      for (int64_t v = 0; v < padded_val_; v += kValPerPass) {
        screen_distances(v, n);
        for (int64_t u = v; u < v + kValPerPass && u < n_val; ++u) keep_within(u, begin, n);
      }
    }
  }

  // Entries of the nearest `wanted`, in order, marked where the class matches; false where they are left to the full
  // ranking.
  bool nearest(int64_t v, uint64_t* entries) {
    if (found_[v] > room_ || found_[v] < wanted_) return false;
    const Candidate* candidates = candidates_ + v * room_;
    const double* val = exact_val_ + v * problem_.train.d;
    for (int64_t i = 0; i < found_[v]; ++i) {
      const int32_t point = candidates[i].point;
      settled_[i] = {distance_between(problem_.metric, problem_.train, point, val, 1), point};
    }
    std::nth_element(settled_, settled_ + wanted_ - 1, settled_ + found_[v], EarlierSettled{});
    std::sort(settled_, settled_ + wanted_, EarlierSettled{});
    const int32_t own = problem_.val_classes[first_ + v];
    for (int64_t i = 0; i < wanted_; ++i) {
      entries[i] = entry_of(0, settled_[i].point, problem_.classes[settled_[i].point] == own);
    }
    return true;
  }

 private:
  struct Candidate {
    float distance;
    int32_t point;
  };
  struct NearerCandidate {
    bool operator()(const Candidate& a, const Candidate& b) const { return a.distance < b.distance; }
  };
  struct Settled {
    double distance;
    int32_t point;
  };
  struct EarlierSettled {
    bool operator()(const Settled& a, const Settled& b) const {
      return before(a.distance, a.point, b.distance, b.point);
    }
  };

  // Centre of a sample, and the power of two that brings its coordinates below one: nothing common is lost to single
  // precision, and nothing common overflows in it.
  void fit_scale() {
    const int64_t d = problem_.train.d;
    const int64_t sample = cut_.sample;
    for (int64_t j = 0; j < d; ++j) center_[j] = 0.0;
    for (int64_t s = 0; s < sample; ++s) {
      read_point(problem_.train, s * problem_.train.n / sample, point_, 1);
      for (int64_t j = 0; j < d; ++j) center_[j] += point_[j] / static_cast<double>(sample);
    }
    double reach = 0.0;
    for (int64_t s = 0; s < sample; ++s) {
      read_point(problem_.train, s * problem_.train.n / sample, point_, 1);
      for (int64_t j = 0; j < d; ++j) reach = std::max(reach, std::abs(point_[j] - center_[j]));
    }
    scale_ = reach > 0.0 ? std::ldexp(1.0, -std::ilogb(reach) - 1) : 1.0;
  }

  void read_validation(int64_t v, int64_t point) {
    const int64_t d = problem_.train.d;
    double* exact = exact_val_ + v * d;
    read_point(problem_.val, point, exact, 1);
    double squares = 0.0;
    for (int64_t j = 0; j < d; ++j) {
      const double scaled = (exact[j] - center_[j]) * scale_;
      squares += scaled * scaled;
      val_[v / kValPerPass * kValPerPass * d + j * kValPerPass + v % kValPerPass] = static_cast<float>(scaled);
    }
    val_length_[v] = std::sqrt(squares);
    bound_[v] = static_cast<float>(kFarthest);
    found_[v] = 0;
  }

  void pack(int64_t begin, int64_t n) {
    const int64_t d = problem_.train.d;
    for (int64_t p = 0; p * kLanes < n; ++p) {
      for (int64_t l = 0; l < kLanes; ++l) {
        const int64_t local = p * kLanes + l < n ? p * kLanes + l : n - 1;
        read_point(problem_.train, begin + local, point_, 1);
        float* out = panels_ + p * d * kLanes + l;
        for (int64_t j = 0; j < d; ++j) out[j * kLanes] = static_cast<float>((point_[j] - center_[j]) * scale_);
      }
    }
  }

  // Of a block of points, those within the bound of validation point v.
  void keep_within(int64_t v, int64_t begin, int64_t n) {
    if (found_[v] > room_) return;
    const float* distances = distances_ + v % kValPerPass * cut_.points_per_block;
    const float bound = bound_[v];
    Candidate* candidates = candidates_ + v * room_;
    int64_t found = found_[v];
    for (int64_t i = 0; i < n; i += kLanes) {
      bool any = false;
      for (int64_t l = 0; l < kLanes; ++l) any |= distances[i + l] <= bound;
      if (!any) continue;
      for (int64_t l = 0; l < kLanes && i + l < n; ++l) {
        if (!(distances[i + l] <= bound)) continue;
        if (problem_.self && begin + i + l == first_ + v) continue;
        candidates[found++] = {distances[i + l], static_cast<int32_t>(begin + i + l)};
      }
    }
    found_[v] = found;
    if (found + cut_.points_per_block > room_) prune(v);
  }

  void prune(int64_t v) {
    Candidate* candidates = candidates_ + v * room_;
    std::nth_element(candidates, candidates + wanted_ - 1, candidates + found_[v], NearerCandidate{});
    bound_[v] = beyond_doubt(candidates[wanted_ - 1].distance, v);
    int64_t kept = 0;
    for (int64_t i = 0; i < found_[v]; ++i) {
      if (candidates[i].distance <= bound_[v]) candidates[kept++] = candidates[i];
    }
    found_[v] = kept + cut_.points_per_block > room_ ? room_ + 1 : kept;
  }

  // A single-precision distance above it belongs to a point that is truly farther than one at `distance`.
  //   Coordinates are off by 2^-24 of themselves and of their difference, and |x| <= |v| + |x - v|: a root is off by
  //   e <= 2^-24 (2 |v| + (d + 8) r), doubled here.
  float beyond_doubt(float distance, int64_t v) const {
    const double unit = std::ldexp(1.0, -23);
    const double relative = 1.0 + unit * static_cast<double>(problem_.train.d + 8);
    const double offset = unit * (2.0 * val_length_[v] + 1e-12);
    const double farthest = std::sqrt(static_cast<double>(distance)) * relative + offset;
    const double root = (farthest + offset) * relative;
    return static_cast<float>(root * root * relative);
  }

  // Single-precision distances of the packed block to validation points v .. v + 3.
  void screen_distances(int64_t v, int64_t n) {
    const float* val = val_ + v * problem_.train.d;
    const int64_t d = problem_.train.d;
    constexpr int64_t kParts = kRegisters<float>;
    for (int64_t i = 0; i < n; i += kLanes) {
      const float* panel = panels_ + i * d;
      Register<float> sums[kValPerPass][kParts] = {};
      for (int64_t j = 0; j < d; ++j) {
        for (int64_t r = 0; r < kParts; ++r) {
          const Register<float> x = load(panel + j * kLanes + r * kPerRegister<float>);
          for (int64_t u = 0; u < kValPerPass; ++u) {
            const Register<float> apart = x - val[j * kValPerPass + u];
            sums[u][r] = sums[u][r] + apart * apart;
          }
        }
      }
      for (int64_t u = 0; u < kValPerPass; ++u) {
        for (int64_t r = 0; r < kParts; ++r) {
          store(distances_ + u * cut_.points_per_block + i + r * kPerRegister<float>, sums[u][r]);
        }
      }
    }
  }

  const NeighborProblem& problem_;
  const NeighborCut& cut_;
  int64_t wanted_;
  int64_t room_;
  Arena arena_;
  int64_t first_ = 0;
  int64_t padded_val_ = 0;
  double scale_ = 1.0;
  double* center_;      // [d]
  double* point_;       // [d]
  double* exact_val_;   // [val_per_block, d]
  float* val_;          // [val_per_block / 4, d, 4] centred and scaled
  double* val_length_;  // [val_per_block]
  float* panels_;       // [points_per_block / 8, d, 8]
  float* distances_;    // [4, points_per_block]
  float* bound_;        // [val_per_block]
  int64_t* found_;      // [val_per_block] beyond the room: given up
  Candidate* candidates_;  // [val_per_block, room]
  Settled* settled_;    // [room]
};

}  // namespace fsa::FSA_ISA
