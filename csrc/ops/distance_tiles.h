// distance_tiles: distances of all training points to some validation points on a device, a block per tile of both.
//   Every distance is one sum over the features in their order, in float64 and without contraction: the bytes of the
//   CPU's exact distances, whatever the tile, so that equal points tie and both devices rank alike. Products (cuBLAS)
//   would leave near-ties to be settled by this same sum. By count of operations, not yet by a clock, it is no dearer
//   than the sort up to hundreds of features where float64 runs at half the rate of float32, as on compute capability
//   8.0 and 9.0; on devices with few float64 units it is what takes the time.
#pragma once

#include "core/order.h"
#include "core/points.h"
#include "core/view.h"
#include "launch/phases.h"
#include "ops/metric.h"

namespace fsa {

struct DistanceTiles {
  static constexpr int64_t kSide = 32;       // points, and validation points, of a tile
  static constexpr int64_t kFeatures = 16;   // of all of them that are shared at once
  static constexpr int64_t kValPerThread = 2;
  static constexpr int64_t kPointsPerThread = 4;
  static constexpr int64_t kPadded = kSide + 1;  // else a feature's points would be in the same bank of memory
  struct Shared {
    double points[kFeatures * kPadded];
    double val[kFeatures * kPadded];
    double sums[kSide * kSide];
  };

  Rows<double> out;  // [validation points from `first` on, train.n]
  int64_t first;
  Points train;
  Points val;
  Metric metric;
  bool self;  // validation point v is training point v, and farthest from itself

  FSA_HD static int64_t tiles_for(int64_t n) { return (n + kSide - 1) / kSide; }
  FSA_HD int64_t blocks() const { return tiles_for(out.n_rows) * tiles_for(out.n_columns); }
  FSA_HD int32_t phases() const { return static_cast<int32_t>(2 * ((train.d + kFeatures - 1) / kFeatures)); }

  FSA_HD void operator()(int32_t phase, Place place, Shared& shared) const {
    const int64_t first_point = place.block % tiles_for(out.n_columns) * kSide;
    const int64_t first_row = place.block / tiles_for(out.n_columns) * kSide;
    const int64_t first_feature = phase / 2 * kFeatures;
    if (phase % 2 == 0) {
      share(train, first_point, train.n, first_feature, place, shared.points);
      share(val, first + first_row, first + out.n_rows, first_feature, place, shared.val);
      return;
    }
    const int64_t left = train.d - first_feature;
    const int64_t n_features = left < kFeatures ? left : kFeatures;
    constexpr int64_t kGroups = kSide * kSide / (kValPerThread * kPointsPerThread);
    for (int64_t group = place.thread; group < kGroups; group += place.n_threads) {
      if (metric == Metric::kInner) {
        add_features<Metric::kInner>(group, n_features, phase == 1, shared);
      } else {
        add_features<Metric::kSquaredEuclidean>(group, n_features, phase == 1, shared);
      }
      if (phase + 1 == phases()) write(group, first_row, first_point, shared);
    }
  }

 private:
  static constexpr int64_t kAcross = kSide / kPointsPerThread;  // groups side by side

  FSA_HD static int64_t row_of(int64_t group, int64_t v) { return group / kAcross * kValPerThread + v; }
  FSA_HD static int64_t column_of(int64_t group, int64_t p) { return group % kAcross + p * kAcross; }

  // The tile's points begin .. end - 1, feature by feature; neighbouring threads read neighbouring features.
  FSA_HD void share(const Points& points, int64_t begin, int64_t end, int64_t first_feature, Place place,
                    double* to) const {
    for (int64_t i = place.thread; i < kSide * kFeatures; i += place.n_threads) {
      const int64_t point = begin + i / kFeatures;
      const int64_t feature = first_feature + i % kFeatures;
      const bool inside = point < end && feature < points.d;
      to[i % kFeatures * kPadded + i / kFeatures] = inside ? coordinate(points, point, feature) : 0.0;
    }
  }

  template <Metric kMetric>
  FSA_HD static void add_features(int64_t group, int64_t n_features, bool from_zero, Shared& shared) {
    double sums[kValPerThread][kPointsPerThread];
    for (int64_t v = 0; v < kValPerThread; ++v) {
      for (int64_t p = 0; p < kPointsPerThread; ++p) {
        sums[v][p] = from_zero ? 0.0 : shared.sums[row_of(group, v) * kSide + column_of(group, p)];
      }
    }
    for (int64_t j = 0; j < n_features; ++j) {
      for (int64_t v = 0; v < kValPerThread; ++v) {
        const double there = shared.val[j * kPadded + row_of(group, v)];
        for (int64_t p = 0; p < kPointsPerThread; ++p) {
          sums[v][p] = with_feature<kMetric>(sums[v][p], shared.points[j * kPadded + column_of(group, p)], there);
        }
      }
    }
    for (int64_t v = 0; v < kValPerThread; ++v) {
      for (int64_t p = 0; p < kPointsPerThread; ++p) {
        shared.sums[row_of(group, v) * kSide + column_of(group, p)] = sums[v][p];
      }
    }
  }

  FSA_HD void write(int64_t group, int64_t first_row, int64_t first_point, const Shared& shared) const {
    for (int64_t v = 0; v < kValPerThread; ++v) {
      for (int64_t p = 0; p < kPointsPerThread; ++p) {
        const int64_t row = first_row + row_of(group, v);
        const int64_t point = first_point + column_of(group, p);
        if (row >= out.n_rows || point >= out.n_columns) continue;
        const double sum = shared.sums[row_of(group, v) * kSide + column_of(group, p)];
        out[row][point] = self && point == first + row ? kFarthest : sum;
      }
    }
  }
};

}  // namespace fsa
