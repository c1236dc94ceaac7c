// Eight fixed lanes, held in as many registers as the machine needs. The lane count is part of the arithmetic, the
// register is not: every instruction set runs the same operations in the same order and gives the same bytes.
#pragma once

#include <cstdint>  // for int32_t, int64_t

#include "core/host_device.h"

#ifndef FSA_ISA
#define FSA_ISA portable
#endif

// One namespace per instruction set: the linker must never merge two builds of the same lane code.
namespace fsa::FSA_ISA {

constexpr int64_t kLanes = 8;
FSA_INLINE int64_t padded(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }
FSA_INLINE int64_t lane_below(int64_t i) { return i / kLanes * kLanes; }

#if defined(__AVX2__)
constexpr int64_t kRegisterBytes = 32;
#else
constexpr int64_t kRegisterBytes = 16;
#endif

template <class T>
struct RegisterOf {
  typedef T type __attribute__((vector_size(kRegisterBytes)));
};
template <class T>
using Register = typename RegisterOf<T>::type;
template <class T>
constexpr int64_t kPerRegister = kRegisterBytes / static_cast<int64_t>(sizeof(T));
template <class T>
constexpr int64_t kRegisters = kLanes / kPerRegister<T>;

template <class T>
FSA_INLINE Register<T> load(const T* from) {
  Register<T> out;
  __builtin_memcpy(&out, from, sizeof out);
  return out;
}
template <class T>
FSA_INLINE void store(T* to, Register<T> value) {
  __builtin_memcpy(to, &value, sizeof value);
}

// Four registers of four eight-byte values: rows become columns.
template <class Vector>
FSA_INLINE void transpose(Vector (&rows)[4]) {
  const Vector even_01 = FSA_SHUFFLE(rows[0], rows[1], 0, 4, 2, 6);
  const Vector odd_01 = FSA_SHUFFLE(rows[0], rows[1], 1, 5, 3, 7);
  const Vector even_23 = FSA_SHUFFLE(rows[2], rows[3], 0, 4, 2, 6);
  const Vector odd_23 = FSA_SHUFFLE(rows[2], rows[3], 1, 5, 3, 7);
  rows[0] = FSA_SHUFFLE(even_01, even_23, 0, 1, 4, 5);
  rows[1] = FSA_SHUFFLE(odd_01, odd_23, 0, 1, 4, 5);
  rows[2] = FSA_SHUFFLE(even_01, even_23, 2, 3, 6, 7);
  rows[3] = FSA_SHUFFLE(odd_01, odd_23, 2, 3, 6, 7);
}

// Sum of products over n values, n a multiple of the lanes: one partial sum per lane, then a fixed tree.
template <class T>
FSA_INLINE T dot(const T* a, const T* b, int64_t n) {
  Register<T> sums[kRegisters<T>] = {};
  for (int64_t i = 0; i < n; i += kLanes) {
    for (int64_t r = 0; r < kRegisters<T>; ++r) {
      sums[r] = sums[r] + load(a + i + r * kPerRegister<T>) * load(b + i + r * kPerRegister<T>);
    }
  }
  T lane[kLanes];
  __builtin_memcpy(lane, sums, sizeof lane);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

}  // namespace fsa::FSA_ISA
