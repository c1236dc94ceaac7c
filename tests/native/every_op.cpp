// Runs every native operation on random data, without Python, so that sanitizers can watch all of it. Buffers have
// exactly the sizes that were asked for. Answers 0; a check that fails names itself and answers 1. With any argument it
// overruns a buffer, to show that the sanitizers watch.
#include <algorithm>  // for max
#include <cmath>      // for sqrt
#include <cstdio>     // for fprintf
#include <cstdlib>    // for aligned_alloc, exit
#include <cstring>    // for memset
#include <memory>
#include <vector>

#include "launch/emulate.h"
#include "launch/isa.h"
#include "native/row_minimum.h"
#include "ops/coalitions.h"
#include "ops/knn.h"
#include "ops/logistic.h"
#include "ops/permutations.h"
#include "ops/statistics.h"

using namespace fsa;

namespace {

const int32_t kGoOn = 0;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}

template <class T>
std::vector<T> filled(int64_t n, T value = T{}) {
  return std::vector<T>(static_cast<size_t>(n), value);
}

struct Freed {
  void operator()(char* memory) const { std::free(memory); }
};
// A workspace of garbage, the same every time.
std::unique_ptr<char, Freed> workspace_of(int64_t bytes) {
  constexpr size_t kLine = 64;
  const size_t whole = (static_cast<size_t>(bytes) + kLine - 1) / kLine * kLine;
  std::unique_ptr<char, Freed> memory(static_cast<char*>(std::aligned_alloc(kLine, whole)));
  std::memset(memory.get(), 0x5A, whole);
  return memory;
}

std::vector<double> numbers(int64_t n, uint64_t seed) {
  Stream stream(seed, {Op::kSubset, 0, 0, 0});
  std::vector<double> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(4.0 * stream.uniform() - 2.0);
  return out;
}

std::vector<int32_t> integers(int64_t n, uint32_t bound, uint64_t seed) {
  Stream stream(seed, {Op::kSubset, 0, 0, 0});
  std::vector<int32_t> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(static_cast<int32_t>(stream.below(bound)));
  return out;
}

// Walks that own their arrays: every prefix of some permutations, multisets scored at their end, branches on every row.
struct OwnedWalks {
  std::vector<int32_t> players, scored, branches;
  std::vector<int64_t> offsets{0}, scored_offsets{0}, branch_offsets{0};

  Walks view(int64_t n_outputs) const {
    return {{players.data(), offsets.data()},
            {scored.data(), scored_offsets.data()},
            {branches.data(), branch_offsets.data()},
            n_outputs};
  }
  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t n_values() const { return static_cast<int64_t>(scored.size() + branches.size()); }
  int64_t most_members() const {
    int64_t most = 0;
    for (size_t row = 1; row < offsets.size(); ++row) most = std::max(most, offsets[row] - offsets[row - 1]);
    return most + 1;
  }
  void close_row() {
    offsets.push_back(static_cast<int64_t>(players.size()));
    scored_offsets.push_back(static_cast<int64_t>(scored.size()));
    branch_offsets.push_back(static_cast<int64_t>(branches.size()));
  }
};

OwnedWalks random_walks(int64_t n_players, int64_t rows, uint64_t seed) {
  OwnedWalks walks;
  for (int64_t row = 0; row < rows; ++row) {
    if (row % 2 == 0) {
      std::vector<int32_t> order = filled<int32_t>(n_players);
      Permutations{{order.data(), 1, n_players}, seed, 0, 0, static_cast<uint32_t>(row)}(0);
      walks.players.insert(walks.players.end(), order.begin(), order.end());
      for (int32_t t = 0; t <= n_players; ++t) walks.scored.push_back(t);
    } else {
      const uint64_t row_seed = seed + static_cast<uint64_t>(row);
      const std::vector<int32_t> drawn = integers(row, static_cast<uint32_t>(n_players), row_seed);
      walks.players.insert(walks.players.end(), drawn.begin(), drawn.end());
      walks.scored.push_back(static_cast<int32_t>(row));
    }
    const uint64_t other_seed = 1000 + seed + static_cast<uint64_t>(row);
    const std::vector<int32_t> joining = integers(5, static_cast<uint32_t>(n_players), other_seed);
    walks.branches.insert(walks.branches.end(), joining.begin(), joining.end());
    walks.close_row();
  }
  return walks;
}

void run_permutations(int64_t n) {
  const int64_t rows = 9;
  std::vector<int32_t> orders = filled<int32_t>(rows * n), twin = orders;
  const Permutations body{{orders.data(), rows, n}, 1, 2, (uint64_t{1} << 48) - 1, UINT32_MAX - 8};
  permutations(body, {0, rows}, &kGoOn);
  check(are_permutations({orders.data(), rows, n}), "rows are permutations");
  const int32_t stop = 1;
  permutations(body, {0, rows}, &stop);
  for (const ThreadOrder order : {ThreadOrder::kForward, ThreadOrder::kReverse, ThreadOrder::kShuffled}) {
    emulate_rows(Permutations{{twin.data(), rows, n}, 1, 2, body.id, body.first_sample}, {0, rows}, {4, 3, order, 7});
    check(twin == orders, "emulated permutations are the CPU's");
  }

  const int64_t words = words_for(n);
  std::vector<uint64_t> prefixes = filled<uint64_t>(rows * (n + 1) * words), columns = prefixes;
  prefix_coalitions({{orders.data(), rows, n}, prefixes.data()}, {0, rows}, &kGoOn);
  const PrefixCoalitions by_column{{orders.data(), rows, n}, columns.data()};
  emulate_rows(PrefixColumns{by_column}, {0, rows * words}, {4, 3, ThreadOrder::kShuffled, 7});
  check(columns == prefixes, "prefixes by word column are the prefixes");
  orders[0] = static_cast<int32_t>(n);
  check(!are_permutations({orders.data(), rows, n}), "a player beyond the last is no permutation");
}

void run_subsets(int64_t n) {
  const int64_t rows = 40, words = words_for(n);
  std::vector<uint64_t> bits = filled<uint64_t>(rows * words);
  std::vector<double> cumulative;
  for (int64_t s = 0; s <= n; ++s) cumulative.push_back(static_cast<double>(s + 1) / static_cast<double>(n + 1));
  for (const double* law : {static_cast<const double*>(cumulative.data()), static_cast<const double*>(nullptr)}) {
    subsets({{bits.data(), rows, words}, n, {law, uint64_t{1} << 32}, 3, 0, 0, 0}, {0, rows}, &kGoOn);
    for (int64_t row = 0; row < rows; ++row) {
      const uint64_t last_word = bits[static_cast<size_t>((row + 1) * words - 1)];
      check((last_word & ~low_bits(n - 64 * (words - 1))) == 0, "no bit beyond the players");
    }
  }
}

void run_draws(int64_t n) {
  const int64_t rows = 30;
  std::vector<uint64_t> ids = filled<uint64_t>(rows, (uint64_t{1} << 48) - 1);
  std::vector<uint32_t> samples = filled<uint32_t>(rows);
  for (size_t row = 0; row < samples.size(); ++row) samples[row] = static_cast<uint32_t>(row);
  std::vector<int64_t> sizes = filled<int64_t>(rows), offsets{0};
  draw_sizes({{}, sizes.data(), ids.data(), samples.data(), n, 0, 12, 5, 3}, {0, rows}, &kGoOn);
  for (const int64_t size : sizes) offsets.push_back(offsets.back() + size);
  std::vector<int32_t> players = filled<int32_t>(offsets.back(), -1);
  const Ragged<int32_t> out{players.data(), offsets.data()};
  draw_players({out, nullptr, ids.data(), samples.data(), n, 0, 12, 5, 3}, {0, rows}, &kGoOn);
  for (const int32_t player : players) check(player >= 0 && player < n, "every draw is a player");
}

void run_statistics() {
  const int64_t items = 4, outputs = 3, n = 50;
  std::vector<int64_t> count = filled<int64_t>(items), item, after, before;
  std::vector<double> mean = filled<double>(items * outputs), deviation = mean, values = numbers(20 * outputs, 6);
  for (int64_t c = 0; c < n; ++c) {
    item.push_back(c % items);
    after.push_back(c % 20);
    before.push_back((7 * c + 1) % 20);
  }
  const Moments moments{count.data(), {mean.data(), items, outputs}, {deviation.data(), items, outputs}};
  add_contributions({moments, {values.data(), 20, outputs}, item.data(), after.data(), before.data()}, {0, n}, &kGoOn);
  check(count[0] == 13 && count[3] == 12, "every contribution is counted");
}

void run_row_minimum() {
  const int64_t rows = 10, columns = 33;
  const std::vector<double> values = numbers(rows * columns, 8);
  std::vector<int32_t> forward = filled<int32_t>(rows), shuffled = forward;
  const Rows<const double> view{values.data(), rows, columns};
  emulate_phases(RowMinimum<false>{view, forward.data()}, rows, {128, 1, ThreadOrder::kForward, 0});
  emulate_phases(RowMinimum<false>{view, shuffled.data()}, rows, {16, 1, ThreadOrder::kShuffled, 3});
  check(forward == shuffled, "a kernel with phases has one answer");
}

void run_knn(int32_t k, int32_t n_classes) {
  const int64_t points = 12, n_val = 7, d = 3;
  std::vector<double> x = numbers(points * d, 9), distances = filled<double>(points * n_val);
  const std::vector<double> val = numbers(d * n_val, 10);
  for (int64_t j = 0; j < d; ++j) x[static_cast<size_t>(d + j)] = x[static_cast<size_t>(j)];  // two points in one place
  const SquaredDistances body{{distances.data(), points, n_val}, {x.data(), points, d}, {val.data(), d, n_val}};
  squared_distances(body, {0, points}, &kGoOn);
  const std::vector<int32_t> classes = integers(points, static_cast<uint32_t>(n_classes), 11);
  const std::vector<int32_t> val_classes = integers(n_val, static_cast<uint32_t>(n_classes), 12);
  const OwnedWalks walks = random_walks(points, 6, 13);
  for (const KnnScore score : {KnnScore::kAccuracy, KnnScore::kVote}) {
    const KnnTile tile{{distances.data(), points, n_val}, classes.data(), val_classes.data(), n_classes, k, score};
    std::vector<double> values = filled<double>(walks.n_values());
    const auto workspace = workspace_of(2 * KnnState::bytes(n_val, k));
    const WalkStatus status = walk_knn(tile, walks.view(1), {0, walks.rows()}, values.data(), workspace.get(), &kGoOn);
    check(status == WalkStatus::kDone, "the KNN walk is done");
  }
}

// A problem that owns its arrays; features as PreparedLogistic lays them out, less the rotation.
struct OwnedProblem {
  OwnedProblem(int64_t points, int64_t n_val, int64_t d, int32_t n_classes, double penalty) {
    const int64_t width = (d + 1 + 7) / 8 * 8, blocks = (n_val + 7) / 8;
    const std::vector<double> x = numbers(points * d, 14), x_val = numbers(n_val * d, 15);
    features = filled<double>(points * width);
    panels = filled<double>(blocks * 8 * (d + 1));
    classes = integers(points, static_cast<uint32_t>(n_classes), 16);
    val_classes = integers(n_val, static_cast<uint32_t>(n_classes), 17);
    double longest = 0.0;
    for (int64_t p = 0; p < points; ++p) {
      double square = 1.0;
      features[static_cast<size_t>(p * width)] = 1.0;
      for (int64_t f = 0; f < d; ++f) {
        const double value = x[static_cast<size_t>(p * d + f)];
        features[static_cast<size_t>(p * width + 1 + f)] = value;
        square += value * value;
      }
      longest = std::max(longest, square);
    }
    for (int64_t v = 0; v < n_val; ++v) {
      double* panel = panels.data() + v / 8 * 8 * (d + 1) + v % 8;
      panel[0] = 1.0;
      for (int64_t f = 0; f < d; ++f) panel[(f + 1) * 8] = x_val[static_cast<size_t>(v * d + f)];
    }
    view = {{features.data(), points, width}, classes.data(), {panels.data(), blocks, (d + 1) * 8},
            val_classes.data(), n_val, d + 1, n_classes, penalty, std::sqrt(longest / penalty), {nullptr, 0, width},
            nullptr, 0, LogisticScore::kCoefficients};
  }

  std::vector<double> features, panels, reference_weights;
  std::vector<int32_t> classes, val_classes;
  std::vector<int64_t> reference_sizes;
  LogisticProblem view{};
};

using WalkLogistic = decltype(&portable::walk_logistic);

std::vector<double> walked(WalkLogistic walk, const LogisticProblem& problem, const OwnedWalks& walks,
                           int64_t n_outputs) {
  std::vector<double> values = filled<double>(walks.n_values() * n_outputs);
  const auto workspace = workspace_of(portable::logistic_workspace(problem, walks.most_members()));
  const WalkStatus status = walk(problem, walks.view(n_outputs), {0, walks.rows()}, values.data(), workspace.get(),
                                 walks.most_members(), &kGoOn);
  check(status == WalkStatus::kDone, "the logistic walk is done");
  return values;
}

void take_references(OwnedProblem& problem, int64_t points) {
  OwnedWalks walk;
  for (int32_t p = 0; p < points; ++p) walk.players.push_back(p);
  walk.scored = {static_cast<int32_t>(points / 2), static_cast<int32_t>(points)};
  walk.close_row();
  problem.reference_sizes = {points / 2, points};
  const int64_t width = problem.view.features.n_columns;
  problem.reference_weights = walked(&portable::walk_logistic, problem.view, walk, problem.view.n_classes * width);
  problem.view.reference_weights = {problem.reference_weights.data(), 2 * problem.view.n_classes, width};
  problem.view.reference_sizes = problem.reference_sizes.data();
  problem.view.n_references = 2;
}

void run_logistic(int64_t points, int64_t d, int32_t n_classes) {
  OwnedProblem problem(points, 19, d, n_classes, 0.5);
  take_references(problem, points);
  const OwnedWalks walks = random_walks(points, 4, 18);
  for (const LogisticScore score : {LogisticScore::kAccuracy, LogisticScore::kLogLoss, LogisticScore::kCoefficients}) {
    problem.view.score = score;
    const bool scalar = score != LogisticScore::kCoefficients;
    const int64_t n_outputs = scalar ? 1 : n_classes * problem.view.features.n_columns;
    const std::vector<double> values = walked(&portable::walk_logistic, problem.view, walks, n_outputs);
#if defined(FSA_HAS_AVX2_BUILD)
    if (!has_avx2()) continue;
    const std::vector<double> wider = walked(&avx2::walk_logistic, problem.view, walks, n_outputs);
    check(std::memcmp(values.data(), wider.data(), values.size() * sizeof(double)) == 0, "both builds agree in bytes");
#endif
  }
}

}  // namespace

int main(int n_arguments, char** /*arguments*/) {
  if (n_arguments > 1) {
    std::vector<int32_t> one_row_short = filled<int32_t>(3 * 5);
    permutations({{one_row_short.data(), 4, 5}, 0, 0, 0, 0}, {0, 4}, &kGoOn);
  }
  for (const int64_t n : {1, 2, 63, 64, 65, 130}) {
    run_permutations(n);
    run_subsets(n);
    run_draws(n);
  }
  run_statistics();
  run_row_minimum();
  for (const int32_t k : {1, 3, 20}) {
    for (const int32_t n_classes : {1, 2, 5}) run_knn(k, n_classes);
  }
  for (const int32_t n_classes : {2, 3, 5}) {
    run_logistic(24, 3, n_classes);
    run_logistic(40, 17, n_classes);
  }
  return 0;
}
