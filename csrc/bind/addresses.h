// Device memory and streams, which come from Python as integers.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>  // for uintptr_t

#include "core/view.h"

namespace fsa {

namespace py = pybind11;

template <class T>
T* at(uintptr_t address) {
  return reinterpret_cast<T*>(address);
}
inline DeviceStream stream_at(uintptr_t handle) { return reinterpret_cast<DeviceStream>(handle); }

}  // namespace fsa
