// Runs every native operation on random data, without Python, so that sanitizers can watch all of it. Buffers have
// exactly the sizes that were asked for. Answers 0; a check that fails names itself and answers 1. With any argument it
// overruns a buffer, to show that the sanitizers watch.
#include <algorithm>  // for equal, max, min, stable_sort
#include <cmath>      // for abs, sqrt
#include <cstring>    // for memcmp
#include <numeric>    // for iota
#include <utility>    // for pair
#include <vector>

#include "launch/emulate.h"
#include "launch/isa.h"
#include "native/random_data.h"
#include "native/row_minimum.h"
#include "ops/background.h"
#include "ops/coalitions.h"
#include "ops/knn.h"
#include "ops/knn_shapley.h"
#include "ops/knn_shapley_device.h"
#include "ops/logistic.h"
#include "ops/masked.h"
#include "ops/masked_walks.h"
#include "ops/memberships.h"
#include "ops/open.h"
#include "ops/permutations.h"
#include "ops/running_sums.h"
#include "ops/shapley_regression.h"
#include "ops/statistics.h"
#include "ops/walk.h"

using namespace fsa;

namespace {

void run_permutations(int64_t n) {
  const int64_t rows = 9;
  std::vector<int32_t> orders = filled<int32_t>(rows * n), twin = orders;
  const std::vector<uint64_t> ids = filled<uint64_t>(rows, (uint64_t{1} << 48) - 1);
  const std::vector<uint32_t> samples = filled<uint32_t>(rows, UINT32_MAX);
  const Permutations body{{orders.data(), rows, n}, {1, 2, ids.data(), samples.data(), 0}};
  permutations(body, {0, rows}, &kGoOn);
  check(are_permutations({orders.data(), rows, n}), "rows are permutations");
  const int32_t stop = 1;
  permutations(body, {0, rows}, &stop);
  for (const ThreadOrder order : {ThreadOrder::kForward, ThreadOrder::kReverse, ThreadOrder::kShuffled}) {
    emulate_rows(Permutations{{twin.data(), rows, n}, body.lanes}, {0, rows}, {4, 3, order, 7});
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
    subsets({{bits.data(), rows, words}, n, {law, uint64_t{1} << 32}, {3, 0, nullptr, nullptr, 0}}, {0, rows}, &kGoOn);
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
  const RowLanes lanes{5, 3, ids.data(), samples.data(), 0};
  draw_sizes({{}, sizes.data(), n, 0, 12, lanes}, {0, rows}, &kGoOn);
  for (const int64_t size : sizes) offsets.push_back(offsets.back() + size);
  std::vector<int32_t> players = filled<int32_t>(offsets.back(), -1);
  const Ragged<int32_t> out{players.data(), offsets.data()};
  draw_players({out, nullptr, n, 0, 12, lanes}, {0, rows}, &kGoOn);
  for (const int32_t player : players) check(player >= 0 && player < n, "every draw is a player");
  std::vector<int64_t> background = filled<int64_t>(rows, -1);
  background_rows({background.data(), static_cast<uint32_t>(n), lanes}, {0, rows}, &kGoOn);
  for (const int64_t row : background) check(row >= 0 && row < n, "every background row is one of them");
}

void run_memberships(int64_t n) {
  const OwnedWalks walks = random_walks(n, 6, 28);
  check(are_within_bounds(walks.view(1), walks.rows(), n), "walks of players are within bounds");
  check(!are_within_bounds(walks.view(1), walks.rows(), n - 1), "a player beyond the last is not");
  std::vector<char> members = filled<char>(walks.n_values() * n), part = filled<char>(n);
  const auto write = [&](std::vector<char>& into, int64_t first, int64_t count) {
    bool* out = reinterpret_cast<bool*>(into.data());
    memberships({walks.view(1), walks.rows(), first, {out, count, n}}, {0, count}, &kGoOn);
  };
  write(members, 0, walks.n_values());
  for (int64_t value = 0; value < walks.n_values(); ++value) {
    write(part, value, 1);
    check(std::equal(part.begin(), part.end(), members.begin() + value * n), "a value alone is that of the whole");
  }
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
  for (const KnnScore score : {KnnScore::kAccuracy, KnnScore::kVote, KnnScore::kCorrect, KnnScore::kVotes}) {
    const KnnTile tile{{distances.data(), points, n_val}, classes.data(), val_classes.data(), n_classes, k, score, 0};
    const int64_t n_outputs = tile.per_point() ? n_val : 1;
    std::vector<double> values = filled<double>(walks.n_values() * n_outputs);
    const auto workspace = workspace_of(2 * KnnState::bytes(n_val, k));
    const WalkStatus status = walk_knn(tile, walks.view(n_outputs), {0, walks.rows()}, values.data(), workspace.get(), &kGoOn);
    check(status == WalkStatus::kDone, "the KNN walk is done");
  }
}

using MatchValues = decltype(&portable::match_values);

std::vector<double> matched(MatchValues match, const NeighborProblem& problem, const NeighborCut& cut, double k) {
  std::vector<double> step, out = filled<double>(2 * problem.train.n);
  for (int64_t rank = 1; rank <= problem.train.n; ++rank) step.push_back(1.0 / std::max(static_cast<double>(rank), k));
  const auto workspace = workspace_of(portable::neighbor_workspace(problem, cut));
  const ValueRows values{{out.data(), 2, problem.train.n}, 0, (problem.val.n + 1) / 2};
  match(problem, cut, {step.data(), 0.0, 0.0}, values, {0, problem.val.n}, workspace.get(), &kGoOn);
  return out;
}

// The same by a device's kernels, emulated, in tiles of five validation points.
std::vector<double> matched_on_device(const NeighborProblem& problem, double k) {
  const int64_t n = problem.train.n, ranked = problem.self ? n - 1 : n;
  const Emulation emulation{32, 3, ThreadOrder::kShuffled, 5};
  std::vector<double> step, out = filled<double>(2 * n);
  for (int64_t rank = 1; rank <= ranked; ++rank) step.push_back(1.0 / std::max(static_cast<double>(rank), k));
  for (int64_t first = 0; first < problem.val.n; first += 5) {
    const int64_t rows = std::min<int64_t>(5, problem.val.n - first);
    std::vector<double> distances = filled<double>(rows * n), values = distances;
    std::vector<int64_t> order = filled<int64_t>(rows * n);
    const Rows<double> tile{distances.data(), rows, n};
    const DistanceTiles tiles{tile, first, problem.train, problem.val, problem.metric, problem.self};
    emulate_phases(tiles, tiles.blocks(), emulation);
    for (int64_t row = 0; row < rows; ++row) {
      int64_t* begin = order.data() + row * n;
      std::iota(begin, begin + n, int64_t{0});
      std::stable_sort(begin, begin + n, [&](int64_t a, int64_t b) { return tile[row][a] < tile[row][b]; });
    }
    const RankedTile of_ranks{{values.data(), rows, n}, {order.data(), rows, n}, ranked, first};
    emulate_phases(MatchRows{of_ranks, problem.classes, problem.val_classes, {step.data(), 0.0, 0.0}}, rows, emulation);
    const AddColumns columns{{values.data(), rows, n}, first, {{out.data(), 2, n}, 0, (problem.val.n + 1) / 2}};
    emulate_rows(columns, {0, columns.entries()}, emulation);
  }
  return out;
}

// The other utilities' kernels on one tile of ranked neighbours, whose buffers end where they should.
void run_device_values(int64_t n) {
  const int64_t rows = 4, ranked = n - n / 3;
  const Emulation emulation{7, 3, ThreadOrder::kShuffled, 6};
  const std::vector<double> targets = numbers(n, 31), few = numbers(ranked, 32), tables = numbers(n + 1, 33);
  const std::vector<double> distances = numbers(rows * n, 34);
  const std::vector<int32_t> classes = integers(n, 3, 35), val_classes = integers(rows, 3, 36);
  std::vector<int64_t> order;
  for (int64_t i = 0; i < rows * n; ++i) order.push_back(i % n);
  std::vector<double> values = filled<double>(rows * n, 7.0);
  const RankedTile tile{{values.data(), rows, n}, {order.data(), rows, n}, ranked, 0};
  const std::vector<double> own = numbers(rows, 37);
  const RegressionTerms terms{targets.data(), own.data(), few.data(), few.data(), few.data(), 3};
  emulate_phases(RegressionRows{tile, terms}, rows, emulation);
  for (int64_t i = 0; i < rows * n; ++i) {
    check(i % n < ranked || values[static_cast<size_t>(i)] == 0.0, "what is not ranked is worth nothing");
  }
  const ThresholdTerms threshold{0.5, tables.data(), tables.data(), tables.data()};
  const ThresholdRows body{tile.values, {distances.data(), rows, n}, 0, classes.data(), val_classes.data(), threshold};
  emulate_phases(body, rows, emulation);
  for (size_t i = 0; i < values.size(); ++i) {
    check(distances[i] <= 0.5 || values[i] == 0.0, "only who is within counts");
  }
}

// n points and 9 validation points, or n points that value each other.
void run_knn_shapley(int64_t n, int64_t d, Precision precision, Metric metric, bool self) {
  const int64_t n_val = self ? n : 9;
  const std::vector<double> x = numbers(n * d, 19), x_val = numbers(n_val * d, 20);
  const std::vector<float> single(x.begin(), x.end()), single_val(x_val.begin(), x_val.end());
  std::vector<uint16_t> half, half_val;  // the numbers from 1 up to 2, in steps of 1 / 1024: many ties
  for (const int32_t i : integers(n * d, 1024, 21)) half.push_back(static_cast<uint16_t>(0x3C00 + i));
  for (const int32_t i : integers(n_val * d, 1024, 22)) half_val.push_back(static_cast<uint16_t>(0x3C00 + i));
  const void* data[] = {half.data(), single.data(), x.data()};
  const void* val_data[] = {half_val.data(), single_val.data(), x_val.data()};
  const std::vector<double> scale = filled<double>(n, 0.5);
  const auto which = static_cast<size_t>(precision);
  const Points train{data[which], n, d, precision, d == 3 ? scale.data() : nullptr};
  const Points val = self ? train : Points{val_data[which], n_val, d, precision, nullptr};
  const std::vector<int32_t> one_class = filled<int32_t>(n), one_val_class = filled<int32_t>(n_val);
  const int32_t* classes_of_val = self ? one_class.data() : one_val_class.data();
  const NeighborProblem problem{train, val, metric, one_class.data(), classes_of_val, self};
  const int64_t ranked = self ? n - 1 : n;
  for (const NeighborCut& cut : {NeighborCut{4, 8, n}, NeighborCut{12, 64, std::max<int64_t>(1, n / 2)}}) {
    const std::vector<double> values = matched(&portable::match_values, problem, cut, 5.0);
    double total = 0.0;
    for (const double value : values) total += value;
    const double earned = static_cast<double>(n_val) * static_cast<double>(std::min<int64_t>(5, ranked)) / 5.0;
    check(std::abs(total - earned) < 1e-9, "values share what all points together earn");
    const std::vector<double> on_device = matched_on_device(problem, 5.0);
    for (size_t i = 0; i < values.size(); ++i) {
      check(std::abs(values[i] - on_device[i]) < 1e-9, "a device's kernels rank and value alike");
    }
#if defined(FSA_HAS_AVX2_BUILD)
    if (!has_avx2()) continue;
    check(matched(&avx2::match_values, problem, cut, 5.0) == values, "both builds rank and value alike");
#endif
  }
}

int32_t open_reset(const double*, const void*, const double*, const void*, const double*, const int64_t* sizes,
                   double* state) {
  for (int64_t i = 0; i < sizes[5]; ++i) state[i] = 0.0;
  return 0;
}
int32_t open_add(const double* X, const void*, const double*, const void*, const double* parameters,
                 const int64_t* sizes, double* state, int32_t player) {
  for (int64_t j = 0; j < sizes[1]; ++j) state[j] += X[player * sizes[1] + j];
  return player == static_cast<int32_t>(parameters[0]) ? 7 : 0;
}
int32_t open_score(const double*, const void*, const double*, const void*, const double*, const int64_t* sizes,
                   double* state, double* out) {
  for (int64_t o = 0; o < sizes[6]; ++o) out[o] = state[o];
  return 0;
}

// A user's utility: the sum of the members' features; the player `refused` answers an error.
void run_open(int32_t refused) {
  const int64_t points = 11, d = 4, sizes[] = {points, d, 2, 3, 1, d, 2};
  const std::vector<double> X = numbers(points * d, 23), X_val = numbers(2 * d, 24);
  const std::vector<int32_t> y = integers(points, 3, 25), y_val = integers(2, 3, 26);
  const double parameters[] = {static_cast<double>(refused)};
  const OpenUtility utility{{X.data(), y.data(), X_val.data(), y_val.data(), parameters, sizes},
                            &open_reset, &open_add, &open_score, d};
  const OwnedWalks walks = random_walks(points, 6, 27);
  std::vector<double> values = filled<double>(2 * walks.n_values()), workspace = filled<double>(2 * d);
  OpenFailure failure{0, -1};
  const WalkStatus status =
      walk_open(utility, walks.view(2), {0, walks.rows()}, values.data(), workspace.data(), &kGoOn, &failure);
  check(status == (refused < 0 ? WalkStatus::kDone : WalkStatus::kFailed), "only a refused player fails a walk");
  check(failure.code == (refused < 0 ? 0 : 7) && failure.player == refused, "a failure names its player");
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
  const int64_t n_coefficients = n_classes * problem.view.features.n_columns, n_val = problem.view.n_val;
  for (const auto& [score, n_outputs] : {std::pair{LogisticScore::kAccuracy, int64_t{1}},
                                         {LogisticScore::kLogLoss, int64_t{1}},
                                         {LogisticScore::kCoefficients, n_coefficients},
                                         {LogisticScore::kCorrect, n_val},
                                         {LogisticScore::kLogLikelihood, n_val}}) {
    problem.view.score = score;
    const std::vector<double> values = walked(&portable::walk_logistic, problem.view, walks, n_outputs);
#if defined(FSA_HAS_AVX2_BUILD)
    if (!has_avx2()) continue;
    const std::vector<double> wider = walked(&avx2::walk_logistic, problem.view, walks, n_outputs);
    check(std::memcmp(values.data(), wider.data(), values.size() * sizeof(double)) == 0, "both builds agree in bytes");
#endif
  }
}

template <class Bits>
void run_masked(int64_t entries, int64_t players) {
  const int64_t coalitions = 7, n_items = 3, behind = 4;
  const auto inputs = filled<Bits>(n_items * entries, Bits{6}), background = filled<Bits>(behind * entries, Bits{9});
  const std::vector<int32_t> player_of = integers(entries, static_cast<uint32_t>(players), 31);
  const std::vector<int64_t> items(coalitions, n_items - 1), rows(coalitions, behind - 1);
  std::unique_ptr<bool[]> members(new bool[static_cast<size_t>(coalitions * players)]);
  for (int64_t i = 0; i < coalitions * players; ++i) members[static_cast<size_t>(i)] = i % 3 == 0;
  for (const bool whole : {false, true}) {
    const int64_t each = whole ? behind : 1;
    std::vector<Bits> out = filled<Bits>(coalitions * each * entries);
    const Masked<Bits> body{out.data(), {inputs.data(), n_items, entries}, items.data(),
                            {members.get(), coalitions, players}, player_of.data(),
                            {background.data(), behind, entries}, whole ? nullptr : rows.data(), each};
    portable::masked(body, {0, coalitions}, &kGoOn);
    for (int64_t i = 0; i < coalitions * each * entries; ++i) {
      const int64_t player = player_of[static_cast<size_t>(i % entries)];
      const bool joined = members[static_cast<size_t>(i / (each * entries) * players + player)];
      check(out[static_cast<size_t>(i)] == (joined ? Bits{6} : Bits{9}), "an entry is the input's or the background's");
    }
#if defined(FSA_HAS_AVX2_BUILD)
    std::vector<Bits> wider = filled<Bits>(coalitions * each * entries);
    Masked<Bits> twin = body;
    twin.out = wider.data();
    if (has_avx2()) avx2::masked(twin, {0, coalitions}, &kGoOn);
    check(!has_avx2() || wider == out, "both builds mask alike");
#endif
  }
}

// Each player owns entries p, p + players, ...
void entries_by_player(int64_t entries, int64_t players, std::vector<int32_t>& flat, std::vector<int64_t>& offsets) {
  for (int64_t p = 0; p < players; ++p) {
    for (int64_t e = p; e < entries; e += players) flat.push_back(static_cast<int32_t>(e));
    offsets.push_back(static_cast<int64_t>(flat.size()));
  }
}

template <class Bits>
void run_masked_walks(int64_t entries, int64_t players) {
  const OwnedWalks walks = random_walks(players, 5, 33);
  const auto inputs = filled<Bits>(2 * entries, Bits{6}), background = filled<Bits>(3 * entries, Bits{9});
  const std::vector<int64_t> items(static_cast<size_t>(walks.rows()), 1), behind(items.size(), 2);
  std::vector<int32_t> flat;
  std::vector<int64_t> offsets{0};
  entries_by_player(entries, players, flat, offsets);
  std::vector<char> members = filled<char>(walks.n_values() * players);
  memberships({walks.view(1), walks.rows(), 0, {reinterpret_cast<bool*>(members.data()), walks.n_values(), players}},
              {0, walks.n_values()}, &kGoOn);
  std::vector<Bits> out = filled<Bits>(walks.n_values() * entries);
  masked_walks({walks.view(1), walks.rows(), 0, {out.data(), walks.n_values(), entries}, {inputs.data(), 2, entries},
                items.data(), {flat.data(), offsets.data()}, {background.data(), 3, entries}, behind.data()},
               {0, walks.n_values()}, &kGoOn);
  for (int64_t i = 0; i < walks.n_values() * entries; ++i) {
    const bool joined = members[static_cast<size_t>(i / entries * players + i % entries % players)] != 0;
    check(out[static_cast<size_t>(i)] == (joined ? Bits{6} : Bits{9}), "a walk's entry is the input's or the background's");
  }
}

template <class Number>
void run_running_sums(int64_t entries, int64_t players, int64_t units) {
  const int64_t walks = 3;
  const auto ones = filled<Number>(entries * units, Number{1}), inputs = filled<Number>(entries, Number{3});
  const auto background = filled<Number>(entries, Number{1}), starts = filled<Number>(walks * units, Number{-1});
  const std::vector<int64_t> first(walks, 0);
  std::vector<int32_t> flat, joining;
  std::vector<int64_t> offsets{0};
  entries_by_player(entries, players, flat, offsets);
  for (int64_t i = 0; i < walks * players; ++i) joining.push_back(static_cast<int32_t>(i % players));
  std::vector<Number> out = filled<Number>(walks * (players + 1) * units), scratch = filled<Number>(2 * units), wider = out;
  RunningSums<Number> body{out.data(), {starts.data(), walks, units}, {joining.data(), walks, players},
                           {ones.data(), entries, units}, {flat.data(), offsets.data()}, {inputs.data(), 1, entries},
                           first.data(), {background.data(), 1, entries}, first.data(), true};
  portable::running_sums(body, {0, walks}, scratch.data(), &kGoOn);
  check(out.front() == Number{0}, "a sum below zero is rectified");
  check(out.back() == static_cast<Number>(2 * entries - 1), "all players together add every entry");
#if defined(FSA_HAS_AVX2_BUILD)
  body.out = wider.data();
  if (has_avx2()) avx2::running_sums(body, {0, walks}, scratch.data(), &kGoOn);
  check(!has_avx2() || wider == out, "both builds of the sums agree");
#endif
}

void run_shapley_regression(int64_t n, int64_t samples, int64_t outputs, bool paired) {
  const int64_t games = 2, words = words_for(n);
  std::vector<uint64_t> bits = filled<uint64_t>(games * samples * words);
  subsets({{bits.data(), games * samples, words}, n, {nullptr, uint64_t{1} << 31}, {3, 0, nullptr, nullptr, 0}},
          {0, games * samples}, &kGoOn);
  std::vector<int64_t> sizes = filled<int64_t>(games * samples), offsets{0};
  count_members({{bits.data(), games * samples, words}, sizes.data()}, {0, games * samples}, &kGoOn);
  for (const int64_t size : sizes) offsets.push_back(offsets.back() + size);
  std::vector<int32_t> players = filled<int32_t>(offsets.back(), -1);
  list_members({{bits.data(), games * samples, words}, {players.data(), offsets.data()}}, {0, games * samples}, &kGoOn);
  for (const int32_t player : players) check(player >= 0 && player < n, "every member is a player");
  const std::vector<double> values = numbers(games * samples * (paired ? 2 : 1) * outputs, 41);
  const std::vector<double> totals = numbers(games * outputs, 42);
  const std::vector<double> weight = filled<double>(n + 1, 0.75);
  for (const double* by_size : {static_cast<const double*>(nullptr), weight.data()}) {
    std::vector<double> phi = filled<double>(games * n * outputs), wider = phi;
    ShapleyRegression body{bits.data(), values.data(), by_size, totals.data(), phi.data(), samples, n, outputs, paired};
    const auto workspace = workspace_of(portable::shapley_regression_workspace(samples, n, outputs));
    portable::shapley_regression(body, {0, games}, workspace.get(), &kGoOn);
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += phi[static_cast<size_t>(i * outputs)];
    check(std::abs(sum - totals[0]) < 1e-9, "values sum to their total");
#if defined(FSA_HAS_AVX2_BUILD)
    body.phi = wider.data();
    if (has_avx2()) avx2::shapley_regression(body, {0, games}, workspace.get(), &kGoOn);
    check(!has_avx2() || wider == phi, "both builds of the regression agree");
#endif
  }
}

}  // namespace

int main(int n_arguments, char** /*arguments*/) {
  if (n_arguments > 1) {
    std::vector<int32_t> one_row_short = filled<int32_t>(3 * 5);
    permutations({{one_row_short.data(), 4, 5}, {0, 0, nullptr, nullptr, 0}}, {0, 4}, &kGoOn);
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
  for (const Precision precision : {Precision::kHalf, Precision::kSingle, Precision::kDouble}) {
    for (const Metric metric : {Metric::kSquaredEuclidean, Metric::kInner}) {
      for (const bool self : {false, true}) {
        for (const int64_t n : {2, 7, 8, 333}) run_knn_shapley(n, 1 + n % 5, precision, metric, self);
      }
    }
  }
  run_memberships(11);
  for (const int64_t n : {1, 3, 127, 128, 129, 400}) run_device_values(n);
  for (const int64_t n : {2, 8, 63, 65}) {
    run_masked<uint32_t>(20 * n, n);
    run_masked<uint64_t>(n + 1, n);
    run_masked_walks<uint32_t>(20 * n, n);
    run_masked_walks<uint64_t>(n + 1, n);
    run_running_sums<float>(3 * n, n, n);
    run_running_sums<double>(n + 1, n, 17);
    run_shapley_regression(n, 4 * n + 3, 1 + n % 9, n % 2 == 0);
  }
  run_open(-1);
  run_open(4);
  for (const int32_t n_classes : {2, 3, 5}) {
    run_logistic(24, 3, n_classes);
    run_logistic(40, 17, n_classes);
  }
  return 0;
}
