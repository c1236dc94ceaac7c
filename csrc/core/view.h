// Non-owning views that kernels take in place of bare pointers.
#pragma once

#include <cstdint>  // for int32_t, int64_t

#include "core/host_device.h"

struct CUstream_st;  // the CUDA runtime's own name; declared here so that no header of it is needed

namespace fsa {

// A C-contiguous matrix.
template <class T>
struct Rows {
  T* data;
  int64_t n_rows;
  int64_t n_columns;

  FSA_HD T* operator[](int64_t row) const { return data + row * n_columns; }
};

// Rows of unequal length: row r is data[offsets[r] .. offsets[r + 1]).
template <class T>
struct Ragged {
  T* data;
  const int64_t* offsets;

  FSA_HD T* operator[](int64_t row) const { return data + offsets[row]; }
  FSA_HD int64_t size(int64_t row) const { return offsets[row + 1] - offsets[row]; }
};

struct Range {
  int64_t begin;
  int64_t end;
};

// Set by the thread that waits, polled by the threads that work.
using CancelFlag = const volatile int32_t*;

// The runtime's cudaStream_t: device launchers enqueue on it and return.
using DeviceStream = CUstream_st*;

}  // namespace fsa
