// Exponential and logarithm of our own, because a library's differ between machines in the last bit.
#pragma once

#include "core/lanes.h"

namespace fsa::FSA_ISA {

template <class T>
struct ExpConstants;

// Each series is Taylor's for |r| <= ln 2 / 2; the first term left out is below half a unit in the last place.
template <>
struct ExpConstants<double> {
  using Bits = int64_t;
  static constexpr double kLargest = 708.0;
  static constexpr double kRound = 0x1.8p52;  // adding it leaves the nearest integer in the low bits
  static constexpr double kLn2High = 0x1.62e42fefa3800p-1;
  static constexpr double kLn2Low = 0x1.ef35793c76730p-45;
  static constexpr int kMantissa = 52;
  static constexpr Bits kBias = 1023;
  static constexpr int kTerms = 14;
};
template <>
struct ExpConstants<float> {
  using Bits = int32_t;
  static constexpr float kLargest = 87.0f;
  static constexpr float kRound = 0x1.8p23f;
  static constexpr float kLn2High = 0x1.62e400p-1f;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr int kMantissa = 23;
  static constexpr Bits kBias = 127;
  static constexpr int kTerms = 8;
};

constexpr double kInverseFactorial[] = {1.0,         1.0,          0.5,           1.0 / 6,        1.0 / 24,
                                        1.0 / 120,   1.0 / 720,    1.0 / 5040,    1.0 / 40320,    1.0 / 362880,
                                        1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};

// e^x = 2^n e^r with x = n ln 2 + r. Arguments are clamped to the normal range.
template <class T>
FSA_INLINE Register<T> exp(Register<T> x) {
  using C = ExpConstants<T>;
  typedef typename C::Bits Bits __attribute__((vector_size(kRegisterBytes)));
  x = x < -C::kLargest ? Register<T>{} - C::kLargest : x;
  x = x > C::kLargest ? Register<T>{} + C::kLargest : x;
  const Register<T> shifted = x * static_cast<T>(0x1.71547652b82fep0) + C::kRound;
  const Register<T> n = shifted - C::kRound;
  const Register<T> r = (x - n * C::kLn2High) - n * C::kLn2Low;
  Register<T> series = Register<T>{} + static_cast<T>(kInverseFactorial[C::kTerms - 1]);
  for (int term = C::kTerms - 2; term >= 0; --term) series = series * r + static_cast<T>(kInverseFactorial[term]);
  const Bits exponent = (reinterpret_cast<Bits>(shifted) << C::kMantissa) + (C::kBias << C::kMantissa);
  return series * reinterpret_cast<Register<T>>(exponent);
}

FSA_INLINE double exp(double x) { return exp<double>(Register<double>{} + x)[0]; }

// The natural logarithm of a positive normal number: x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)). With
// s = f / (2 + f), log(1 + f) = 2 artanh(s) = 2 s + s tail, the tail being 2 s^2 / 3 + 2 s^4 / 5 + ... to the 22nd
// power; and 2 s = f - s f, so that only small terms are rounded.
FSA_INLINE double log(double x) {
  int64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  int64_t n = ((bits >> 52) & 0x7FF) - 1023;
  bits = (bits & 0xFFFFFFFFFFFFF) | (int64_t{1023} << 52);
  double m;
  __builtin_memcpy(&m, &bits, sizeof m);
  if (m > 0x1.6a09e667f3bcdp0) {
    m *= 0.5;
    ++n;
  }
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  double tail = 0.0;
  for (int power = 23; power >= 3; power -= 2) tail = (tail + 2.0 / power) * (s * s);
  const double whole = static_cast<double>(n);
  using C = ExpConstants<double>;
  return whole * C::kLn2High - ((s * (f - tail) - whole * C::kLn2Low) - f);
}

}  // namespace fsa::FSA_ISA
