// Points in the precision their owner keeps them in, read as float64 one coordinate at a time.
#pragma once

#include <cstdint>  // for int32_t, int64_t, uint16_t

#include "core/host_device.h"
#include "core/view.h"

namespace fsa {

enum class Precision : int32_t { kHalf = 0, kSingle = 1, kDouble = 2 };

inline Precision precision_of(int64_t bytes_of_one) {
  return bytes_of_one == 2 ? Precision::kHalf : bytes_of_one == 4 ? Precision::kSingle : Precision::kDouble;
}

// A C-contiguous matrix of points; `scale` (may be null) multiplies each point, for lengths of one.
struct Points {
  const void* data;  // [n, d]
  int64_t n;
  int64_t d;
  Precision precision;
  const double* scale;  // [n]
};

// IEEE 754 binary16 to float64, exactly; subnormals are multiples of 2^-24.
FSA_HD FSA_INLINE double from_half(uint16_t half) {
  const uint64_t sign = static_cast<uint64_t>(half & 0x8000u) << 48;
  const uint64_t magnitude = half & 0x7fffu;
  double value;
  if (magnitude < 0x0400u) {
    value = static_cast<double>(magnitude) * (1.0 / 16777216.0);
  } else {
    const uint64_t bits = (magnitude << 42) + (uint64_t{1023 - 15} << 52);
    __builtin_memcpy(&value, &bits, sizeof value);
  }
  return sign ? -value : value;
}

FSA_HD FSA_INLINE double as_double(uint16_t x) { return from_half(x); }
FSA_HD FSA_INLINE double as_double(float x) { return static_cast<double>(x); }
FSA_HD FSA_INLINE double as_double(double x) { return x; }

// Coordinate j of point i.
FSA_HD FSA_INLINE double coordinate(const Points& points, int64_t i, int64_t j) {
  const double scale = points.scale == nullptr ? 1.0 : points.scale[i];
  const int64_t at = i * points.d + j;
  if (points.precision == Precision::kHalf) return as_double(static_cast<const uint16_t*>(points.data)[at]) * scale;
  if (points.precision == Precision::kSingle) return as_double(static_cast<const float*>(points.data)[at]) * scale;
  return static_cast<const double*>(points.data)[at] * scale;
}

// Calls visit(typed pointer to the first coordinate) for the precision at hand.
template <class Visit>
FSA_INLINE void with_precision(const Points& points, const Visit& visit) {
  switch (points.precision) {
    case Precision::kHalf: return visit(static_cast<const uint16_t*>(points.data));
    case Precision::kSingle: return visit(static_cast<const float*>(points.data));
    case Precision::kDouble: return visit(static_cast<const double*>(points.data));
  }
}

// out[j * stride] = coordinate j of point i.
FSA_INLINE void read_point(const Points& points, int64_t i, double* out, int64_t stride) {
  const double scale = points.scale == nullptr ? 1.0 : points.scale[i];
  with_precision(points, [&](auto* data) FSA_LAMBDA {
    const auto* x = data + i * points.d;
    if (stride == 1 && points.scale == nullptr) {
      for (int64_t j = 0; j < points.d; ++j) out[j] = as_double(x[j]);
    } else {
      for (int64_t j = 0; j < points.d; ++j) out[j * stride] = as_double(x[j]) * scale;
    }
  });
}

}  // namespace fsa
