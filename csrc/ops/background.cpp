// CPU launcher of background.
#include "ops/background.h"

#include "launch/cpu.h"

namespace fsa {

void background_rows(const BackgroundRows& body, Range rows, CancelFlag cancel) { run_rows(body, rows, cancel); }

}  // namespace fsa
