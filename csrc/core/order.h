// The one order in which points are ranked: smaller distance first, then smaller index.
#pragma once

#include <cstdint>  // for int32_t

#include "core/host_device.h"

namespace fsa {

constexpr double kFarthest = __builtin_inf();
constexpr int32_t kLast = INT32_MAX;

FSA_HD inline bool before(double distance_a, int32_t index_a, double distance_b, int32_t index_b) {
  return distance_a < distance_b || (distance_a == distance_b && index_a < index_b);
}

}  // namespace fsa
