// Runs a device's kernels on the host, thread by thread, in an order of choice. Threads that do not see each other give
// the same bytes in any order; where bytes differ, one read what another wrote.
#pragma once

#include <cstring>      // for memset
#include <numeric>      // for iota
#include <type_traits>  // for is_trivially_copyable
#include <utility>      // for swap
#include <vector>

#include "core/philox.h"
#include "core/view.h"
#include "launch/phases.h"

namespace fsa {

enum class ThreadOrder : int32_t { kForward = 0, kReverse = 1, kShuffled = 2 };

struct Emulation {
  int32_t n_threads;  // of a block
  int64_t n_blocks;   // of a grid over rows
  ThreadOrder order;
  uint64_t seed;  // of the shuffles
};

// 0 .. n - 1 in the order of the emulation; every turn is shuffled anew.
inline std::vector<int64_t> in_order(int64_t n, const Emulation& emulation, uint64_t turn) {
  std::vector<int64_t> indices(static_cast<size_t>(n));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  if (emulation.order == ThreadOrder::kReverse) return {indices.rbegin(), indices.rend()};
  if (emulation.order == ThreadOrder::kForward) return indices;
  Stream stream(emulation.seed, {Op::kPermutation, 0, turn, 0});
  for (size_t i = indices.size(); i > 1; --i) {
    std::swap(indices[i - 1], indices[stream.below(static_cast<uint32_t>(i))]);
  }
  return indices;
}

// cuda::run_rows: a thread takes every row that its stride leads to.
template <class Body>
void emulate_rows(const Body& body, Range rows, const Emulation& emulation) {
  const int64_t stride = emulation.n_blocks * emulation.n_threads;
  for (const int64_t thread : in_order(stride, emulation, 0)) {
    for (int64_t row = rows.begin + thread; row < rows.end; row += stride) body(row);
  }
}

// cuda::run_phases: blocks in order, and within a block all threads of one phase before any of the next. Shared memory
// starts as garbage, as a device's does.
template <class Kernel>
void emulate_phases(const Kernel& kernel, int64_t n_blocks, const Emulation& emulation) {
  using Shared = typename Kernel::Shared;
  static_assert(std::is_trivially_copyable<Shared>::value, "shared memory has no constructors");
  constexpr int kGarbage = 0xA5;
  std::vector<Shared> shared(1);
  uint64_t turn = 0;
  for (const int64_t block : in_order(n_blocks, emulation, turn)) {
    std::memset(static_cast<void*>(shared.data()), kGarbage, sizeof(Shared));
    for (int32_t phase = 0; phase < kernel.phases(); ++phase) {
      for (const int64_t thread : in_order(emulation.n_threads, emulation, ++turn)) {
        kernel(phase, Place{block, static_cast<int32_t>(thread), emulation.n_threads}, shared[0]);
      }
    }
  }
}

}  // namespace fsa
