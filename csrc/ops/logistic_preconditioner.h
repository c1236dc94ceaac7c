// A cheap approximate inverse of the logistic Hessian. On the pool's principal axes the Hessian is close to diagonal in
// the features, except on the leading axes, where it is large and the classes interact: there its exact block over all
// columns is factored, elsewhere its exact diagonal is taken. Few features and classes make that the whole Hessian.
#pragma once

#include "core/arena.h"
#include "core/cholesky.h"
#include "ops/logistic_members.h"

namespace fsa::FSA_ISA {

class LogisticPreconditioner {
 public:
  // Unknowns in the dense block: a first solution pays for its factor alone, later ones share it.
  static constexpr int64_t kSmallBlock = 96;
  static constexpr int64_t kLargeBlock = 160;
  // Of an intercept, per member: where all probabilities are 0 or 1 in float, its pivot would be zero.
  static constexpr float kLeastCurvature = 1e-8f;

  LogisticPreconditioner(const LogisticProblem& problem, const LogisticMembers& members, Arena& arena)
      : problem_(problem), members_(members) {
    const int64_t columns = problem.n_classes;
    const int64_t most = columns * kLanes > kLargeBlock ? columns * kLanes : kLargeBlock;
    factor_ = arena.take<float>(most * most);
    scale_ = arena.take<float>(most);
    row_ = arena.take<float>(most);
    leading_part_ = arena.take<float>(most);
    inverse_diagonal_ = arena.take<float>(columns * members.width);
    weighted_ = arena.take<float>(most * members.stride);
    others_ = arena.take<float>(members.stride);
    block_ = arena.take<float>(most * most);
  }

  // probability [columns, stride] of the members decides the Hessian.
  void prepare(const float* probability, int64_t most_dense) {
    size_ = members_.size;
    columns_ = members_.n_columns();
    const int64_t fit = lane_below(most_dense / columns_);
    lead_ = fit < kLanes ? kLanes : fit > members_.width ? members_.width : fit;
    for (int64_t a = 0; a < columns_; ++a) {
      sum_of_others(probability, a);
      const float* pa = probability + a * members_.stride;
      place_block(pa, others_, 1.0f, a, a);
      for (int64_t b = a + 1; b < columns_; ++b) place_block(pa, probability + b * members_.stride, -1.0f, a, b);
      invert_diagonal(pa, a);
    }
    if (!members_.binomial()) hold_common_shift();
    inverse_.factor(factor_, columns_ * lead_, block_, scale_, row_);
  }

  void forget() { size_ = 0; }

  // out [columns, width] = approximate inverse Hessian times in.
  void apply(const float* in, float* out) const {
    const int64_t width = members_.width;
    for (int64_t c = 0; c < columns_; ++c) {
      for (int64_t f = 0; f < lead_; ++f) leading_part_[c * lead_ + f] = in[c * width + f];
    }
    inverse_.solve(leading_part_);
    for (int64_t c = 0; c < columns_; ++c) {
      for (int64_t f = 0; f < lead_; ++f) out[c * width + f] = leading_part_[c * lead_ + f];
      for (int64_t i = c * width + lead_; i < (c + 1) * width; ++i) out[i] = in[i] * inverse_diagonal_[i];
    }
  }

  // Whether the last preparation no longer fits: a tenth more members, or other classes.
  bool outgrown() const { return 10 * members_.size > 11 * size_ || columns_ != members_.n_columns(); }

 private:
  // others_[i] = 1 - p_a, as the sum of the other columns: near p_a = 1 the difference would be lost in rounding.
  void sum_of_others(const float* probability, int64_t a) {
    for (int64_t i = 0; i < padded(members_.size); ++i) {
      float sum = members_.binomial() ? 1.0f - probability[i] : 0.0f;
      for (int64_t b = 0; b < columns_; ++b) sum += b == a ? 0.0f : probability[b * members_.stride + i];
      others_[i] = sum;
    }
  }

  // Block (a, b), a <= b, of the upper triangle: sum over members of w x x^T on the leading axes, with
  // w = p_a (1 - p_a) on the diagonal and - p_a p_b off it.
  void place_block(const float* pa, const float* other, float sign, int64_t a, int64_t b) {
    const int64_t order = columns_ * lead_;
    weight_leading_axes(pa, other, sign);
    gather_gradient(members_.float_rows, members_.size, members_.width, lead_, weighted_, members_.stride, lead_, block_);
    for (int64_t f = 0; f < lead_; ++f) {
      float* row = factor_ + (a * lead_ + f) * order + b * lead_;
      for (int64_t g = 0; g < lead_; ++g) row[g] = block_[f * lead_ + g];
      if (a == b) row[f] += f > 0 ? static_cast<float>(problem_.penalty) : kLeastCurvature * static_cast<float>(members_.size);
    }
  }

  void weight_leading_axes(const float* pa, const float* other, float sign) {
    const int64_t features = lead_ < problem_.n_features ? lead_ : problem_.n_features;
    for (int64_t f = features; f < lead_; ++f) {
      for (int64_t i = 0; i < members_.size; ++i) weighted_[f * members_.stride + i] = 0.0f;
    }
    for (int64_t first = 0; first < members_.size; first += kLanes) {
      const float* panel = members_.float_panels + first * problem_.n_features;
      for (int64_t i = first; i < first + kLanes; i += kPerRegister<float>) {
        const Register<float> weight = load(pa + i) * (sign * load(other + i));
        for (int64_t f = 0; f < features; ++f) {
          store(weighted_ + f * members_.stride + i, weight * load(panel + f * kLanes + (i - first)));
        }
      }
    }
  }

  // A softmax does not see all intercepts move alike; a curvature along that direction gives the block a factor. It is of
  // the size of the others, which can be tiny: beside a large one they would be lost.
  void hold_common_shift() {
    float curvature = 0.0f;
    for (int64_t c = 0; c < columns_; ++c) curvature += factor_[c * lead_ * columns_ * lead_ + c * lead_];
    const float hold = curvature / static_cast<float>(columns_ * (columns_ - 1));
    for (int64_t a = 0; a < columns_; ++a) {
      for (int64_t b = a; b < columns_; ++b) factor_[a * lead_ * columns_ * lead_ + b * lead_] += hold;
    }
  }

  void invert_diagonal(const float* p, int64_t c) {
    float* diagonal = inverse_diagonal_ + c * members_.width;
    for (int64_t f = lead_; f < members_.width; ++f) diagonal[f] = 0.0f;
    for (int64_t i = 0; i < members_.size; ++i) {
      const float weight = p[i] * others_[i];
      const float* x = members_.float_rows + i * members_.width;
      for (int64_t f = lead_; f < members_.width; ++f) diagonal[f] += weight * x[f] * x[f];
    }
    for (int64_t f = lead_; f < members_.width; ++f) diagonal[f] = 1.0f / (diagonal[f] + static_cast<float>(problem_.penalty));
  }

  const LogisticProblem& problem_;
  const LogisticMembers& members_;
  int64_t size_ = 0;
  int64_t columns_ = 0;
  int64_t lead_ = 0;         // leading axes of one column, whole lanes
  float* factor_;            // [columns * lead, columns * lead]
  float *scale_, *row_;      // [columns * lead]
  CholeskyInverse inverse_;
  float* leading_part_;      // [columns * lead]
  float* inverse_diagonal_;  // [columns, width]
  float* weighted_;          // [lead, stride]
  float* others_;            // [stride]
  float* block_;             // [lead, lead] of one pair of columns, then the transposed factor
};

}  // namespace fsa::FSA_ISA
