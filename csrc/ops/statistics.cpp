// CPU launcher of statistics.
#include "ops/statistics.h"

namespace fsa {

namespace {

constexpr int64_t kAhead = 8;  // contributions: enough to hide a third-level cache behind the sums of these
constexpr int64_t kLine = 64 / sizeof(double);

// The start of a row; the machine itself follows longer ones.
void fetch(const Rows<double>& rows, int64_t row) {
  for (int64_t o = 0; o < rows.n_columns && o <= 2 * kLine; o += kLine) __builtin_prefetch(rows[row] + o, 1);
}

}  // namespace

void add_contributions(const AddContributions& body, Range contributions, CancelFlag cancel) {
  for (int64_t c = contributions.begin; c < contributions.end && !*cancel; ++c) {
    if (c + kAhead < contributions.end) {
      fetch(body.moments.mean, body.items[c + kAhead]);
      fetch(body.moments.deviation, body.items[c + kAhead]);
    }
    body(c);
  }
}

}  // namespace fsa
