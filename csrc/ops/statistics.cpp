// CPU launcher of statistics.
#include "ops/statistics.h"

#include "launch/cpu.h"

namespace fsa {

void add_contributions(const AddContributions& body, Range contributions, CancelFlag cancel) {
  run_rows(body, contributions, cancel);
}

}  // namespace fsa
