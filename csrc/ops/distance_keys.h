// distance_keys: distances of one validation point as 31-bit keys that never reverse their order and are spread evenly.
//   The key is a guess of the share of nearer points, from a sample of the distances: by one bell-shaped density where that
//   spreads the sample evenly enough, or by a piecewise linear distribution function. Equal distances have equal keys;
//   equal keys are settled by the distances.
#pragma once

#include <algorithm>  // for max, min, nth_element

#include "core/lanes.h"

namespace fsa::FSA_ISA {

constexpr uint32_t kKeyEnd = uint32_t{1} << 31;     // keys are below it
constexpr uint32_t kLeftOut = kKeyEnd - 1;          // the key of a point that is no neighbour
constexpr double kKeySpan = static_cast<double>(kKeyEnd - 2);

class DistanceKeys {
 public:
  // Distances of a sample, of any size from one up; it is reordered.
  void fit(double* sample, int64_t n) {
    bell_ = fit_bell(sample, n);
    if (!bell_) fit_cells(sample, n);
  }

  // The most keys that one unit of distance can cover.
  double steepest() const {
    if (bell_) return 0.5 * kKeySpan * narrowness_;
    double most = 0.0;
    for (int64_t c = 0; c < kCells; ++c) {
      const double width = from_ordered((first_ + c + 1) << shift_) - from_ordered((first_ + c) << shift_);
      if (width > 0.0 && cells_[c].span > most * width) most = cells_[c].span / width;
    }
    return most;
  }

  uint32_t key(double distance) const {
    double same[kPerRegister<double>];
    uint32_t out[kPerRegister<double>];
    for (double& one : same) one = distance;
    bell_ ? store_keys(by_bell(load(same)), out) : store_keys(by_cells(load(same)), out);
    return out[0];
  }

  void keys(const double* distances, int64_t n, uint32_t* out) const {
    constexpr int64_t kStep = kPerRegister<double>;
    int64_t i = 0;
    if (bell_) {
      for (; i + kStep <= n; i += kStep) store_keys(by_bell(load(distances + i)), out + i);
    } else {
      for (; i + kStep <= n; i += kStep) store_keys(by_cells(load(distances + i)), out + i);
    }
    for (; i < n; ++i) out[i] = key(distances[i]);
  }

 private:
  using Reals = Register<double>;
  using Words = Register<uint64_t>;
  static constexpr int64_t kCells = 256;
  static constexpr int64_t kOctave = int64_t{1} << 52;  // from one power of two to the next, in the bits of a double
  static constexpr int64_t kReach = 12;                 // octaves to each side of the median; keeps shift_ at most 50
  struct Cell {
    double base;  // both are integers below 2^31, so that base + span is exactly the next base
    double span;
  };

  // The bits of a non-negative double are in its order; what lies below the origin ties there.
  FSA_INLINE int64_t ordered(double distance) const {
    double above = distance - origin_;
    above = above > 0.0 ? above : 0.0;
    int64_t bits;
    __builtin_memcpy(&bits, &above, sizeof bits);
    return bits;
  }

  FSA_INLINE static double from_ordered(int64_t bits) {
    double above;
    __builtin_memcpy(&above, &bits, sizeof above);
    return above;
  }

  FSA_INLINE static void store_keys(Reals keys, uint32_t* out) {
    for (int64_t l = 0; l < kPerRegister<double>; ++l) out[l] = static_cast<uint32_t>(static_cast<int32_t>(keys[l]));
  }

  // Half the span over 1 + |x| from either end, x = (distance - middle) * narrowness: each operation keeps the order.
  FSA_INLINE Reals by_bell(Reals distance) const {
    const Reals x = (distance - middle_) * narrowness_;
    const Reals size = x < 0.0 ? -x : x;
    const Reals tail = (0.5 * kKeySpan) / (1.0 + size);
    return x < 0.0 ? tail : kKeySpan - tail;
  }

  FSA_INLINE Reals by_cells(Reals distance) const {
    const double floor = from_ordered(first_ << shift_);
    const double ceiling = from_ordered(((first_ + kCells) << shift_) - 1);  // may be no number: nothing is above it
    Reals above = distance - origin_;
    above = above > floor ? above : Reals{} + floor;
    above = above > ceiling ? Reals{} + ceiling : above;
    const Words place = (Words)above;  // the bits
    Reals base, span;
    cells_of((place >> shift_) - static_cast<uint64_t>(first_), base, span);
    // What is left of the place in its cell, over 2^shift, exactly.
    const uint64_t inside = (uint64_t{1} << shift_) - 1;
    const Words one_to_two = ((place & inside) << (52 - shift_)) | (uint64_t{1023} << 52);
    return base + ((Reals)one_to_two - 1.0) * span;
  }

  FSA_INLINE void cells_of(Register<uint64_t> cell, Register<double>& base, Register<double>& span) const {
    for (int64_t l = 0; l < kPerRegister<double>; ++l) {
      base[l] = cells_[cell[l]].base;
      span[l] = cells_[cell[l]].span;
    }
  }

  // Says whether the keys of the sample are spread evenly enough. The bell is as narrow as wastes least on a normal
  // distribution: 0.7 of its standard deviation.
  bool fit_bell(const double* sample, int64_t n) {
    constexpr int kBinBits = 6;
    constexpr double kMostUneven = 2.0;  // keys per bucket that a point finds in its own, over those of even keys
    const double size = static_cast<double>(n);
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += sample[i];
    middle_ = sum / size;
    double squares = 0.0;
    for (int64_t i = 0; i < n; ++i) squares += (sample[i] - middle_) * (sample[i] - middle_);
    narrowness_ = 1.0 / (0.7 * __builtin_sqrt(squares / size));
    if (!(narrowness_ < 1e300) || !(narrowness_ > 1e-300)) return false;
    int64_t counts[1 << kBinBits] = {};
    bell_ = true;
    for (int64_t i = 0; i < n; ++i) ++counts[key(sample[i]) >> (31 - kBinBits)];
    double pairs = 0.0;
    for (const int64_t count : counts) pairs += static_cast<double>(count) * static_cast<double>(count - 1);
    return pairs * (1 << kBinBits) < kMostUneven * size * size;
  }

  void fit_cells(double* sample, int64_t n) {
    double least = sample[0];
    double most = sample[0];
    for (int64_t i = 1; i < n; ++i) {
      least = sample[i] < least ? sample[i] : least;
      most = sample[i] > most ? sample[i] : most;
    }
    // Cells are even in the exponent and mantissa, so that a long tail does not swallow them; that needs positive
    // numbers, and of those around the median, for what is out of reach is all alike.
    origin_ = least < 0.0 ? least - (most - least) : 0.0;
    int64_t top = ordered(most);
    int64_t bottom = ordered(least);
    if (bottom < top - 2 * kReach * kOctave) {
      std::nth_element(sample, sample + n / 2, sample + n);
      const int64_t middle = ordered(sample[n / 2]);
      top = std::min(top, middle + kReach * kOctave);
      bottom = std::max(bottom, middle - kReach * kOctave);
    }
    shift_ = 0;
    while (((top - bottom) >> shift_) >= kCells / 2) ++shift_;
    first_ = (bottom >> shift_) - kCells / 4;
    const int64_t highest = (INT64_MAX >> shift_) - kCells;
    first_ = first_ < 0 ? 0 : first_;
    first_ = first_ > highest ? highest : first_;
    count_cells(sample, n);
  }

  void count_cells(const double* sample, int64_t n) {
    int64_t counts[kCells] = {};
    for (int64_t i = 0; i < n; ++i) {
      int64_t cell = (ordered(sample[i]) >> shift_) - first_;
      cell = cell < 0 ? 0 : cell;
      cell = cell >= kCells ? kCells - 1 : cell;
      ++counts[cell];
    }
    // Neighbouring cells share their counts, and every cell keeps room for what the sample did not show.
    constexpr int64_t kSpread = 1;
    constexpr double kWeights = (kSpread + 1) * (kSpread + 1);
    const double room = 0.02 * static_cast<double>(n) / kCells;
    double shared[kCells];
    double total = 0.0;
    for (int64_t c = 0; c < kCells; ++c) {
      shared[c] = room;
      for (int64_t r = -kSpread; r <= kSpread; ++r) {
        const int64_t weight = kSpread + 1 - (r < 0 ? -r : r);
        if (c + r >= 0 && c + r < kCells) shared[c] += static_cast<double>(weight * counts[c + r]) / kWeights;
      }
      total += shared[c];
    }
    double so_far = 0.0;
    double base = 0.0;
    for (int64_t c = 0; c < kCells; ++c) {
      so_far += shared[c];
      const double next = c + 1 < kCells ? __builtin_floor(kKeySpan * (so_far / total)) : kKeySpan;
      cells_[c] = {base, next - base};
      base = next;
    }
  }

  bool bell_;
  double middle_;
  double narrowness_;
  Cell cells_[kCells];
  double origin_;
  int64_t first_;
  int64_t shift_;
};

}  // namespace fsa::FSA_ISA
