// The lane functions of one instruction set over arrays, in place.
#pragma once

#include <cstdint>  // for int64_t

namespace fsa::portable {
void exp_each(double* x, int64_t n);
void exp_each(float* x, int64_t n);
void log_each(double* x, int64_t n);
}  // namespace fsa::portable

namespace fsa::avx2 {
void exp_each(double* x, int64_t n);
void exp_each(float* x, int64_t n);
void log_each(double* x, int64_t n);
}  // namespace fsa::avx2
