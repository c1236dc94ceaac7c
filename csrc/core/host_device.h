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
