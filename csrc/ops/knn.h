// knn: walks of the K-nearest-neighbour utility, one pass over the validation points of a tile per step.
#pragma once

#include <cstring>  // for memcpy

#include "core/order.h"
#include "ops/walk.h"

namespace fsa {

// out[p][v] = sum over features, in their order, of (point - validation point)^2. Each element is its own sequential
// sum, so equal points have equal distances wherever they stand.
struct SquaredDistances {
  Rows<double> out;                   // [points, n_val]
  Rows<const double> points;          // [points, d]
  Rows<const double> val_transposed;  // [d, n_val]

  void operator()(int64_t p) const {
    double* row = out[p];
    for (int64_t v = 0; v < out.n_columns; ++v) row[v] = 0.0;
    for (int64_t j = 0; j < points.n_columns; ++j) {
      const double x = points[p][j];
      const double* val = val_transposed[j];
      for (int64_t v = 0; v < out.n_columns; ++v) row[v] += (x - val[v]) * (x - val[v]);
    }
  }
};

enum class KnnScore : int32_t { kAccuracy = 0, kVote = 1, kCorrect = 2, kVotes = 3 };

// What a walk of one validation tile reads.
struct KnnTile {
  Rows<const double> distances;  // [points, n_val]
  const int32_t* classes;        // [points]
  const int32_t* val_classes;    // [n_val]
  int32_t n_classes;
  int32_t k;
  KnnScore score;
  int64_t first_output = 0;      // where the tile's points stand among the outputs of a score per point

  bool counts_votes() const { return score == KnnScore::kVote || score == KnnScore::kVotes; }
  bool per_point() const { return score == KnnScore::kCorrect || score == KnnScore::kVotes; }
};

// The k nearest members of the coalition for every validation point, and how the points are predicted.
//   accuracy: the number of validation points whose most frequent class among the neighbours (the smallest such class)
//             is their own;  vote: the number of neighbours, over all validation points, that share their class;
//   correct, votes: the same for every validation point alone.
class KnnState {
 public:
  static int64_t bytes(int64_t n_val, int32_t k) {
    return n_val * (static_cast<int64_t>(sizeof(double) + 2 * sizeof(int32_t)) * k + 2 * static_cast<int64_t>(sizeof(int32_t))) +
           static_cast<int64_t>(sizeof(int64_t));
  }

  KnnState(const KnnTile& tile, char* state, char* saved) : tile_(tile), state_(state), saved_(saved) {
    const int64_t n_val = tile.distances.n_columns;
    total_ = reinterpret_cast<int64_t*>(state);
    distance_ = reinterpret_cast<double*>(total_ + 1);
    player_ = reinterpret_cast<int32_t*>(distance_ + n_val * tile.k);
    class_ = player_ + n_val * tile.k;
    found_ = class_ + n_val * tile.k;
    earned_ = found_ + n_val;
  }

  void reset() {
    const int64_t n_val = tile_.distances.n_columns;
    *total_ = 0;
    for (int64_t i = 0; i < n_val * tile_.k; ++i) distance_[i] = kFarthest;
    for (int64_t i = 0; i < n_val * tile_.k; ++i) player_[i] = kLast;
    for (int64_t v = 0; v < n_val; ++v) found_[v] = earned_[v] = 0;
  }

  void add(int32_t player) {
    const int64_t n_val = tile_.distances.n_columns;
    const double* distance = tile_.distances[player];
    const double* farthest_kept = distance_ + (tile_.k - 1) * n_val;
    // Few players enter late in a walk: whole blocks are passed over by one comparison that compilers vectorise.
    constexpr int64_t kBlock = 16;
    int64_t v = 0;
    for (; v + kBlock <= n_val; v += kBlock) {
      int64_t entering = 0;
      for (int64_t i = v; i < v + kBlock; ++i) entering |= distance[i] <= farthest_kept[i] ? int64_t{-1} : int64_t{0};
      if (entering == 0) continue;
      for (int64_t i = v; i < v + kBlock; ++i) {
        if (distance[i] <= farthest_kept[i]) insert(i, distance[i], player);
      }
    }
    for (; v < n_val; ++v) {
      if (distance[v] <= farthest_kept[v]) insert(v, distance[v], player);
    }
  }

  WalkStatus score(double* out) {
    if (tile_.per_point()) {
      for (int64_t v = 0; v < tile_.distances.n_columns; ++v) out[tile_.first_output + v] = earned_[v];
    } else {
      *out += static_cast<double>(*total_);
    }
    return WalkStatus::kDone;
  }

  void mark(bool /*many_branches*/) { std::memcpy(saved_, state_, static_cast<size_t>(bytes(tile_.distances.n_columns, tile_.k))); }
  void rewind() { std::memcpy(state_, saved_, static_cast<size_t>(bytes(tile_.distances.n_columns, tile_.k))); }

 private:
  void insert(int64_t v, double distance, int32_t player) {
    const int64_t n_val = tile_.distances.n_columns;
    int64_t place = tile_.k - 1;
    if (!before(distance, player, distance_[place * n_val + v], player_[place * n_val + v])) return;
    for (; place > 0; --place) {
      const int64_t here = place * n_val + v;
      const int64_t nearer = here - n_val;
      if (!before(distance, player, distance_[nearer], player_[nearer])) break;
      distance_[here] = distance_[nearer];
      player_[here] = player_[nearer];
      class_[here] = class_[nearer];
    }
    distance_[place * n_val + v] = distance;
    player_[place * n_val + v] = player;
    class_[place * n_val + v] = tile_.classes[player];
    if (found_[v] < tile_.k) ++found_[v];
    const int32_t earned = tile_.counts_votes() ? matches(v) : (predicted(v) == tile_.val_classes[v]);
    *total_ += earned - earned_[v];
    earned_[v] = earned;
  }

  int32_t matches(int64_t v) const {
    int32_t count = 0;
    for (int32_t i = 0; i < found_[v]; ++i) count += neighbor_class(i, v) == tile_.val_classes[v];
    return count;
  }

  int32_t predicted(int64_t v) const {
    int32_t best_class = kLast;
    int32_t most = 0;
    for (int32_t i = 0; i < found_[v]; ++i) {
      const int32_t candidate = neighbor_class(i, v);
      int32_t votes = 0;
      for (int32_t j = 0; j < found_[v]; ++j) votes += neighbor_class(j, v) == candidate;
      if (votes > most || (votes == most && candidate < best_class)) {
        most = votes;
        best_class = candidate;
      }
    }
    return best_class;
  }

  int32_t neighbor_class(int64_t i, int64_t v) const { return class_[i * tile_.distances.n_columns + v]; }

  const KnnTile& tile_;
  char* state_;
  char* saved_;
  int64_t* total_;     // what all validation points earn
  double* distance_;   // [k, n_val] nearest first
  int32_t* player_;    // [k, n_val]
  int32_t* class_;     // [k, n_val]
  int32_t* found_;     // [n_val] how many of the k are filled
  int32_t* earned_;    // [n_val]
};

// CPU
void squared_distances(const SquaredDistances& body, Range points, CancelFlag cancel);
WalkStatus walk_knn(const KnnTile& tile, const Walks& walks, Range rows, double* values, char* workspace,
                    CancelFlag cancel);

}  // namespace fsa
