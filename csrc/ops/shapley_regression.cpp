// CPU launcher of shapley_regression, compiled once per instruction set.
#include "ops/shapley_regression.h"

#include <cstring>  // for memset
#include <limits>   // for quiet_NaN

#include "core/arena.h"
#include "core/bit_matrix.h"
#include "core/positive_definite.h"

namespace fsa::FSA_ISA {

namespace {

constexpr int64_t kSquare = 64;

// Of one game: who is in which samples, what the samples weigh, and the system that is solved.
struct Workspace {
  Workspace(char* memory, int64_t n_samples, int64_t n_players, int64_t n_outputs) : arena(memory) {
    const int64_t all_samples = kSquare * words_for(n_samples);
    samples_of = arena.take<uint64_t>(kSquare * words_for(n_players) * words_for(n_samples));
    weights = arena.take<double>(all_samples);
    payments = arena.take<double>(all_samples);
    joined = arena.take<double>(n_players);
    system = arena.take<double>(padded(n_players) * PositiveDefinite::width(n_players, n_outputs + 1));
  }
  Arena arena;
  uint64_t* samples_of;  // [players in whole words, words of samples]
  double* weights;       // [samples in whole words]
  double* payments;      // [samples in whole words]
  double* joined;        // [n_players] weight of the samples that each player is in
  double* system;
};

// Sum of numbers [64 n_words] over the bits that are set: one partial sum per lane, then a fixed tree.
FSA_INLINE double sum_where(const uint64_t* bits, const uint64_t* mask, int64_t n_words, const double* numbers) {
  typedef int64_t Lanes __attribute__((vector_size(kRegisterBytes)));
  Register<double> sums[kRegisters<double>] = {};
  Lanes lane_bit[kRegisters<double>];
  for (int64_t l = 0; l < kLanes; ++l) lane_bit[l / kPerRegister<double>][l % kPerRegister<double>] = int64_t{1} << l;
  for (int64_t w = 0; w < n_words; ++w) {
    uint64_t word = bits[w] & mask[w];
    for (const double* n = numbers + w * kSquare; word != 0; word >>= kLanes, n += kLanes) {
      const Lanes eight = Lanes{} + static_cast<int64_t>(word & 0xFF);
      for (int64_t r = 0; r < kRegisters<double>; ++r) {
        const Lanes number = reinterpret_cast<Lanes>(load(n + r * kPerRegister<double>));
        sums[r] = sums[r] + reinterpret_cast<Register<double>>(number & ((eight & lane_bit[r]) == lane_bit[r]));
      }
    }
  }
  double lane[kLanes];
  __builtin_memcpy(lane, sums, sizeof lane);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

FSA_INLINE double count_common(const uint64_t* a, const uint64_t* b, int64_t n_words) {
  int64_t count = 0;
  for (int64_t w = 0; w < n_words; ++w) count += __builtin_popcountll(a[w] & b[w]);
  return static_cast<double>(count);
}

class Game {
 public:
  FSA_INLINE Game(const ShapleyRegression& body, int64_t game, const Workspace& space)
      : body_(body), space_(space), game_(game), sample_words_(words_for(body.n_samples)),
        width_(PositiveDefinite::width(body.n_players, body.n_outputs + 1)), first_column_(padded(body.n_players)) {}

  FSA_INLINE void value() {
    const int64_t words = words_for(body_.n_players);
    const uint64_t* members = body_.members + game_ * body_.n_samples * words;
    transpose_bits(members, body_.n_samples, body_.n_players, space_.samples_of);
    weigh(members, words);
    const size_t entries = static_cast<size_t>(first_column_ * width_);
    memset(space_.system, 0, entries * sizeof(double));
    if (body_.weight == nullptr) {
      write_products([&](const uint64_t* a, const uint64_t* b) { return count_common(a, b, sample_words_); });
    } else {
      const double* weights = space_.weights;
      write_products([&](const uint64_t* a, const uint64_t* b) { return sum_where(a, b, sample_words_, weights); });
    }
    for (int64_t output = 0; output < body_.n_outputs; ++output) write_moments(output);
    for (int64_t i = 0; i < body_.n_players; ++i) row(i)[first_column_ + body_.n_outputs] = 1.0;
    PositiveDefinite solver;
    const bool solved = solver.solve(space_.system, body_.n_players, body_.n_outputs + 1);
    for (int64_t output = 0; output < body_.n_outputs; ++output) write_phi(output, solved);
  }

 private:
  FSA_INLINE double* row(int64_t i) const { return space_.system + i * width_; }
  FSA_INLINE const uint64_t* samples_of(int64_t player) const { return space_.samples_of + player * sample_words_; }

  FSA_INLINE void weigh(const uint64_t* members, int64_t words) {
    total_weight_ = 0.0;
    for (int64_t s = 0; s < kSquare * sample_words_; ++s) space_.weights[s] = 0.0;
    for (int64_t s = 0; s < body_.n_samples; ++s) {
      int64_t size = 0;
      for (int64_t w = 0; w < words; ++w) size += __builtin_popcountll(members[s * words + w]);
      space_.weights[s] = body_.weight == nullptr ? 1.0 : body_.weight[size];
      total_weight_ += space_.weights[s];
    }
  }

  // The upper triangle of A. The complement of z is 1 - z, and (1 - z)(1 - z)' is 1 - z 1' - 1 z' + z z'.
  template <class Together>
  FSA_INLINE void write_products(const Together& together) {
    const int64_t n = body_.n_players;
    for (int64_t i = 0; i < n; ++i) space_.joined[i] = together(samples_of(i), samples_of(i));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = i; j < n; ++j) {
        const double both = together(samples_of(i), samples_of(j));
        row(i)[j] = body_.paired ? 2.0 * both + (total_weight_ - space_.joined[i] - space_.joined[j]) : both;
      }
    }
    for (int64_t i = n; i < first_column_; ++i) row(i)[i] = 1.0;
  }

  // b: a player is in a sample's coalition or in its complement, so gets the complement's value and the difference where in.
  FSA_INLINE void write_moments(int64_t output) {
    const int64_t coalitions = body_.paired ? 2 : 1, outputs = body_.n_outputs;
    const double* values = body_.values + game_ * body_.n_samples * coalitions * outputs + output;
    double of_complements = 0.0;
    for (int64_t s = 0; s < body_.n_samples; ++s, values += coalitions * outputs) {
      const double other = body_.paired ? values[outputs] : 0.0;
      space_.payments[s] = space_.weights[s] * (values[0] - other);
      of_complements += space_.weights[s] * other;
    }
    for (int64_t s = body_.n_samples; s < kSquare * sample_words_; ++s) space_.payments[s] = 0.0;
    for (int64_t i = 0; i < body_.n_players; ++i) {
      const double inside = sum_where(samples_of(i), samples_of(i), sample_words_, space_.payments);
      row(i)[first_column_ + output] = inside + of_complements;
    }
  }

  // Moves inv(A) b along inv(A) 1, the last column, until it sums to the total.
  FSA_INLINE void write_phi(int64_t output, bool solved) {
    const int64_t n = body_.n_players, outputs = body_.n_outputs;
    double sum = 0.0, along = 0.0;
    for (int64_t i = 0; i < n; ++i) {
      sum += row(i)[first_column_ + output];
      along += row(i)[first_column_ + outputs];
    }
    const double excess = (sum - body_.totals[game_ * outputs + output]) / along;
    double* phi = body_.phi + game_ * n * outputs + output;
    for (int64_t i = 0; i < n; ++i, phi += outputs) {
      const double value = row(i)[first_column_ + output] - excess * row(i)[first_column_ + outputs];
      *phi = solved ? value : std::numeric_limits<double>::quiet_NaN();
    }
  }

  const ShapleyRegression& body_;
  const Workspace& space_;
  const int64_t game_;
  const int64_t sample_words_;
  const int64_t width_;
  const int64_t first_column_;  // of b in the system
  double total_weight_ = 0.0;
};

}  // namespace

int64_t shapley_regression_workspace(int64_t n_samples, int64_t n_players, int64_t n_outputs) {
  return Workspace(nullptr, n_samples, n_players, n_outputs).arena.used();
}

void shapley_regression(const ShapleyRegression& body, Range games, char* memory, CancelFlag cancel) {
  const Workspace space(memory, body.n_samples, body.n_players, body.n_outputs);
  for (int64_t game = games.begin; game < games.end && !*cancel; ++game) Game(body, game, space).value();
}

}  // namespace fsa::FSA_ISA
