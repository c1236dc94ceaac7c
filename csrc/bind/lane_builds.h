// Which build of a lane operation to call on this machine.
#pragma once

#include "launch/isa.h"

namespace fsa {

#if defined(FSA_HAS_AVX2_BUILD)
template <class Function>
Function* build_for_machine(Function* for_avx2, Function* for_any, bool portable_build) {
  return has_avx2() && !portable_build ? for_avx2 : for_any;
}
#define FSA_BUILD(name, portable_build) build_for_machine(&avx2::name, &portable::name, portable_build)
#define FSA_BUILD_OF(Function, name, portable_build) \
  build_for_machine<Function>(&avx2::name, &portable::name, portable_build)
#else
#define FSA_BUILD_OF(Function, name, portable_build) ((void)(portable_build), static_cast<Function*>(&portable::name))
#define FSA_BUILD(name, portable_build) ((void)(portable_build), &portable::name)
#endif

}  // namespace fsa
