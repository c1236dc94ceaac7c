// Cooperation within a block, written so that a host can follow it: a kernel is some phases over a Shared struct.
// Within a phase no thread reads what another writes; before the next all have finished.
//   struct Kernel {
//     struct Shared { ... };
//     FSA_HD int32_t phases() const;
//     FSA_HD void operator()(int32_t phase, Place place, Shared& shared) const;
//   };
#pragma once

#include <cstdint>  // for int32_t, int64_t

namespace fsa {

// Which thread of which block. Blocks are as many as the work has; one that runs on a device may take several in turn.
struct Place {
  int64_t block;
  int32_t thread;
  int32_t n_threads;
};

}  // namespace fsa
