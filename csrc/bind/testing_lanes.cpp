// The lane functions over arrays; compiled once per instruction set.
#include "bind/testing_lanes.h"

#include <cstring>  // for memcpy

#include "core/exp_log.h"

namespace fsa::FSA_ISA {

namespace {

template <class T>
void exp_in_registers(T* x, int64_t n) {
  for (int64_t i = 0; i < n; i += kPerRegister<T>) {
    const size_t bytes = sizeof(T) * static_cast<size_t>(n - i < kPerRegister<T> ? n - i : kPerRegister<T>);
    Register<T> part{};
    std::memcpy(&part, x + i, bytes);
    part = exp<T>(part);
    std::memcpy(x + i, &part, bytes);
  }
}

}  // namespace

void exp_each(double* x, int64_t n) { exp_in_registers(x, n); }
void exp_each(float* x, int64_t n) { exp_in_registers(x, n); }
void log_each(double* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = log(x[i]);
}

}  // namespace fsa::FSA_ISA
