// CPU launcher of running_sums, compiled once per instruction set: units are independent, so that all give the same bytes.
#include "ops/running_sums.h"

#include "core/lanes.h"

namespace fsa::FSA_ISA {

namespace {

template <class Number>
FSA_INLINE void write(const Number* __restrict sums, int64_t n, bool rectified, Number* __restrict out) {
  if (rectified) {
    for (int64_t u = 0; u < n; ++u) out[u] = sums[u] < Number{0} ? Number{0} : sums[u];  // NaN stays
  } else {
    for (int64_t u = 0; u < n; ++u) out[u] = sums[u];
  }
}

template <class Number>
FSA_INLINE void add_column(const Number* __restrict column, Number apart, int64_t n, Number* __restrict sums) {
  for (int64_t u = 0; u < n; ++u) sums[u] = sums[u] + column[u] * apart;
}

// All entries of a player together, then added once: rounding grows with the players that joined, not with their entries.
template <class Number>
FSA_INLINE void add_player(const RunningSums<Number>& body, int32_t player, const Number* input, const Number* behind,
                           Number* __restrict sums, Number* __restrict added) {
  const int64_t n = body.columns.n_columns;
  if (body.entries.data == nullptr) return add_column(body.columns[player], input[player] - behind[player], n, sums);
  for (int64_t u = 0; u < n; ++u) added[u] = Number{0};
  const int32_t* entries = body.entries[player];
  for (int64_t i = 0; i < body.entries.size(player); ++i) {
    const int64_t e = entries[i];
    add_column(body.columns[e], input[e] - behind[e], n, added);
  }
  for (int64_t u = 0; u < n; ++u) sums[u] = sums[u] + added[u];
}

template <class Number>
FSA_INLINE void sum_walks(const RunningSums<Number>& body, Range walks, Number* scratch, CancelFlag cancel) {
  const int64_t n = body.columns.n_columns, joining = body.joining.n_columns;
  Number* sums = scratch;
  for (int64_t w = walks.begin; w < walks.end && !*cancel; ++w) {
    const Number* input = body.inputs[body.items[w]];
    const Number* behind = body.background[body.behind[w]];
    Number* out = body.out + w * (joining + 1) * n;
    for (int64_t u = 0; u < n; ++u) sums[u] = body.starts[w][u];
    write(sums, n, body.rectified, out);
    for (int64_t p = 0; p < joining; ++p) {
      add_player(body, body.joining[w][p], input, behind, sums, scratch + n);
      write(sums, n, body.rectified, out += n);
    }
  }
}

}  // namespace

void running_sums(const RunningSums<float>& body, Range walks, float* scratch, CancelFlag cancel) {
  sum_walks(body, walks, scratch, cancel);
}
void running_sums(const RunningSums<double>& body, Range walks, double* scratch, CancelFlag cancel) {
  sum_walks(body, walks, scratch, cancel);
}

}  // namespace fsa::FSA_ISA
