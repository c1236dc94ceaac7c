// Asks the processor once which build of the lane code it can run.
#pragma once

namespace fsa {

inline bool has_avx2() {
#if defined(FSA_HAS_AVX2_BUILD)
  static const bool answer = __builtin_cpu_supports("avx2");
  return answer;
#else
  return false;
#endif
}

}  // namespace fsa
