// distance_keys: distances of one validation point as 31-bit keys that never reverse their order and are spread evenly.
//   A sample of the distances gives a piecewise linear guess of their distribution function; the key is the guessed
//   share of nearer points. Equal distances have equal keys; equal keys are settled by the distances.
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

  // The most keys that one unit of distance can cover.
  double steepest() const {
    double most = 0.0;
    for (int64_t c = 0; c < kCells; ++c) {
      const double width = from_ordered((first_ + c + 1) << shift_) - from_ordered((first_ + c) << shift_);
      if (width > 0.0 && cells_[c].span > most * width) most = cells_[c].span / width;
    }
    return most;
  }

  uint32_t key(double distance) const {
    uint32_t out;
    keys(&distance, 1, &out);
    return out;
  }

  void keys(const double* distances, int64_t n, uint32_t* out) const {
    const int64_t floor = first_ << shift_;
    const int64_t ceiling = ((first_ + kCells) << shift_) - 1;
    const int64_t inside = (int64_t{1} << shift_) - 1;
    for (int64_t i = 0; i < n; ++i) {
      int64_t place = ordered(distances[i]);
      place = place < floor ? floor : place;
      place = place > ceiling ? ceiling : place;
      const Cell& cell = cells_[(place >> shift_) - first_];
      out[i] = static_cast<uint32_t>(static_cast<int32_t>(cell.base + share(place & inside) * cell.span));
    }
  }

 private:
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

  static double from_ordered(int64_t bits) {
    double above;
    __builtin_memcpy(&above, &bits, sizeof above);
    return above;
  }

  // inside / 2^shift, exactly.
  FSA_INLINE double share(int64_t inside) const {
    const int64_t bits = (inside << (52 - shift_)) | (int64_t{1023} << 52);
    double one_to_two;
    __builtin_memcpy(&one_to_two, &bits, sizeof one_to_two);
    return one_to_two - 1.0;
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

  Cell cells_[kCells];
  double origin_;
  int64_t first_;
  int64_t shift_;
};

}  // namespace fsa::FSA_ISA
