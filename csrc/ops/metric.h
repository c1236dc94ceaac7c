// metric: what a distance adds up, one feature at a time and in their order, by the CPU and by a device alike.
#pragma once

#include <cstdint>  // for int32_t

#include "core/host_device.h"

namespace fsa {

enum class Metric : int32_t { kSquaredEuclidean = 0, kInner = 1 };

// The sum so far with one feature more.
template <Metric kMetric>
FSA_HD FSA_INLINE double with_feature(double sum, double here, double there) {
  if (kMetric == Metric::kInner) return sum - here * there;
  return sum + (here - there) * (here - there);
}

}  // namespace fsa
