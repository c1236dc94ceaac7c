// Marks functions that both the host compiler and nvcc build; the only file that asks which compiler is at work.
#pragma once

#if defined(__CUDACC__)
#define FSA_HD __host__ __device__
#else
#define FSA_HD
#endif

// Lane code must be inlined into its caller: a call would leave the caller's instruction set.
#define FSA_INLINE inline __attribute__((always_inline))
// A hot loop that must not share its registers with a caller's other loops.
#define FSA_OUTLINE __attribute__((noinline))
#define FSA_LAMBDA __attribute__((always_inline))

// Elements of two vectors by their number among both; clang and g++ 12 name it alike, an older g++ does not.
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define FSA_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef FSA_SHUFFLE
#define FSA_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, fsa::PlacesOf<sizeof(a)>::type{__VA_ARGS__})
namespace fsa {
template <unsigned long kBytes>
struct PlacesOf {
  typedef long type __attribute__((vector_size(kBytes)));
};
}  // namespace fsa
#endif
