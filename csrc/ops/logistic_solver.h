// Newton's method for the logistic objective, its systems solved by preconditioned conjugate gradients.
#pragma once

#include "ops/logistic_objective.h"
#include "ops/logistic_preconditioner.h"

namespace fsa::FSA_ISA {

class LogisticSolver {
 public:
  LogisticSolver(const LogisticProblem& problem, LogisticMembers& members, Arena& arena)
      : problem_(problem),
        members_(members),
        tolerance_(kTolerance * std::sqrt(problem.penalty < 1.0 ? problem.penalty : 1.0)),
        width_(members.width),
        objective_(problem, members, arena),
        trunk_preconditioner_(problem, members, arena),
        branch_preconditioner_(problem, members, arena) {
    const int64_t most = problem.n_classes * width_;
    weights = arena.take<double>(most);
    float_gradient_ = arena.take<float>(most);
    step_ = arena.take<float>(most);
    residual_ = arena.take<float>(most);
    direction_ = arena.take<float>(most);
    scaled_ = arena.take<float>(most);
    curved_ = arena.take<float>(most);
    class_mean_ = arena.take<float>(width_);
    saved_.weights = arena.take<double>(most);
  }

  void begin_walk() {
    branching_ = false;
    forget();
  }

  // What was solved does not carry over to the members to come: another walk, or another set of classes.
  void forget() {
    solved_size_ = 0;
    objective_.forget();
    preconditioner_->forget();
  }

  // Leaves the minimiser in weights [columns, width], within tolerance_ in the norm of the Hessian.
  WalkStatus solve() {
    columns_ = members_.n_columns();
    if (columns_ == 0 || solved_size_ == members_.size) return WalkStatus::kDone;
    const bool first = solved_size_ == 0;
    if (first) start_from_reference();
    if (objective_.evaluated_size > 0 && objective_.evaluated_size + 1 == members_.size) {
      objective_.add_last_member(weights);
    } else if (objective_.evaluated_size != members_.size) {
      objective_.evaluate(weights, first ? LogisticObjective::kRough : 0.0);
    }
    bool misjudged = false, from_zero = false;
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      if (misjudged || preconditioner_->outgrown()) {
        if (branching_) preconditioner_ = &branch_preconditioner_;  // the trunk's serves the branches to come
        preconditioner_->prepare(objective_.probability, first ? LogisticPreconditioner::kSmallBlock : LogisticPreconditioner::kLargeBlock);
      }
      double error = error_norm();
      if (objective_.rough && error < LogisticObjective::kRough) {
        objective_.evaluate(weights, 0.0);
        error = error_norm();
      }
      if (error <= tolerance_) return solved();
      double left = conjugate_gradients(error);
      const double slope = dot_gradient_step();
      // The step itself measures the error: probabilities that moved on leave a preconditioner that sees too little of it.
      const double measured = std::sqrt(slope < 0.0 ? -slope : 0.0);
      misjudged = measured > kMisjudged * error;
      if (measured > error) {
        left *= measured / error;
        error = measured;
      }
      move(1.0);
      const double expected = left + 0.5 * problem_.reach * error * error;
      if (expected <= tolerance_) {
        objective_.forget();
        return solved();
      }
      objective_.evaluate(weights, left + 0.1 * error * error);
      const double kept = shorten(slope);
      if (!from_zero && (kept < kLeastKept || iteration == kPatience)) {
        start_from_zero();
        from_zero = true;
      }
    }
    return WalkStatus::kNotConverged;
  }

  // Branches start from here. Whatever one of them does, rewinding restores every byte that the next one reads.
  void mark(bool many_branches) {
    if (solved_size_ == members_.size && columns_ > 0) {
      if (objective_.evaluated_size != members_.size) objective_.evaluate(weights, 0.0);
      if (many_branches) preconditioner_->prepare(objective_.probability, LogisticPreconditioner::kLargeBlock);
    }
    saved_.columns = columns_;
    saved_.solved_size = solved_size_;
    branching_ = true;
    copy(weights, saved_.weights, columns_ * width_);
    objective_.save();
  }

  void rewind() {
    columns_ = saved_.columns;
    solved_size_ = saved_.solved_size;
    preconditioner_ = &trunk_preconditioner_;
    copy(saved_.weights, weights, columns_ * width_);
    objective_.restore();
  }

  // A branch that brings a new class must not touch the preconditioner of the others.
  void branch_with_new_class() {
    preconditioner_ = &branch_preconditioner_;
    forget();
  }

  double* weights;  // [columns, width]

 private:
  static constexpr double kTolerance = 3e-5;   // of a weight, where the penalty alone curves
  static constexpr double kMisjudged = 1.5;    // an error this many times the one foreseen asks for a new preconditioner
  static constexpr double kTooFar = 0.1;       // a slope behind the step, by the slope before it
  static constexpr double kLeastKept = 0.05;   // of a step, for the start to be any good
  static constexpr int kPatience = 15;         // iterations before a start is given up
  static constexpr int kMostIterations = 100;
  static constexpr int kMostProducts = 500;
  static constexpr int kMostShrinks = 60;

  WalkStatus solved() {
    solved_size_ = members_.size;
    return WalkStatus::kDone;
  }

  // A start that misjudges members by far saturates them and hides the curvature; at zero none is.
  void start_from_zero() {
    for (int64_t i = 0; i < columns_ * width_; ++i) weights[i] = 0.0;
    objective_.evaluate(weights, LogisticObjective::kRough);
    preconditioner_->forget();
  }

  // The reference fit of the nearest smaller size, its columns for the classes present, shifted to sum to zero.
  void start_from_reference() {
    for (int64_t i = 0; i < columns_ * width_; ++i) weights[i] = 0.0;
    if (problem_.n_references == 0 || (members_.binomial() && problem_.n_classes != 2)) return;
    int64_t nearest = 0;
    while (nearest + 1 < problem_.n_references && problem_.reference_sizes[nearest + 1] <= members_.size) ++nearest;
    const int64_t first = nearest * problem_.n_classes;
    for (int64_t c = 0; c < columns_; ++c) {
      copy(problem_.reference_weights[first + (members_.binomial() ? 0 : members_.present[c])], weights + c * width_, width_);
    }
    if (columns_ == 1 || columns_ == problem_.n_classes) return;
    for (int64_t f = 0; f < width_; ++f) {
      double mean = 0.0;
      for (int64_t c = 0; c < columns_; ++c) mean += weights[c * width_ + f];
      mean /= static_cast<double>(columns_);
      for (int64_t c = 0; c < columns_; ++c) weights[c * width_ + f] -= mean;
    }
  }

  // scaled_ = approximate inverse Hessian times in. The minimum has class weights that sum to zero, and so have all steps to
  // it: along their common shift only the penalty curves, which float would lose beside large features.
  void precondition(const float* in) {
    preconditioner_->apply(in, scaled_);
    if (members_.binomial()) return;
    float* mean = class_mean_;
    for (int64_t f = 0; f < width_; ++f) mean[f] = 0.0f;
    const float share = 1.0f / static_cast<float>(columns_);
    for (int64_t c = 0; c < columns_; ++c) add_multiple(share, scaled_ + c * width_, mean, width_);
    for (int64_t c = 0; c < columns_; ++c) add_multiple(-1.0f, mean, scaled_ + c * width_, width_);
  }

  // The norm of the remaining step, judged by the preconditioner; leaves the preconditioned gradient in scaled_.
  double error_norm() {
    convert(objective_.gradient, float_gradient_, columns_ * width_);
    precondition(float_gradient_);
    return std::sqrt(static_cast<double>(dot(float_gradient_, scaled_, columns_ * width_)));
  }

  double dot_gradient_step() const {
    double total = 0.0;
    for (int64_t i = 0; i < columns_ * width_; ++i) total += objective_.gradient[i] * static_cast<double>(step_[i]);
    return total;
  }

  void move(double length) {
    for (int64_t i = 0; i < columns_ * width_; ++i) weights[i] += length * static_cast<double>(step_[i]);
  }

  // The error that is small enough to leave to the next step, from this error.
  double worthwhile(double error) const {
    const double quadratic = 0.1 * error * error;
    return quadratic < 0.5 * tolerance_ ? 0.5 * tolerance_ : quadratic < 0.1 * error ? quadratic : 0.1 * error;
  }

  // step = - inverse Hessian times gradient, as far as Newton's own error makes it worth; answers the error left.
  double conjugate_gradients(double error) {
    const int64_t n = columns_ * width_;
    for (int64_t i = 0; i < n; ++i) {
      step_[i] = 0.0f;
      residual_[i] = float_gradient_[i];
      direction_[i] = scaled_[i];
    }
    float energy = static_cast<float>(error * error);
    double gained = 0.0, goal = worthwhile(error);
    for (int product = 0; product < kMostProducts && static_cast<double>(energy) > goal * goal; ++product) {
      objective_.curve(direction_, curved_);
      const float curvature = dot(direction_, curved_, n);
      if (!(curvature > 0.0f)) break;
      const float length = energy / curvature;
      add_multiple(-length, direction_, step_, n);
      add_multiple(-length, curved_, residual_, n);
      precondition(residual_);
      const float next = dot(residual_, scaled_, n);
      const float kept = next / energy;
      for (int64_t i = 0; i < n; ++i) direction_[i] = scaled_[i] + kept * direction_[i];
      gained += static_cast<double>(length) * static_cast<double>(energy);
      energy = next;
      // What was gained, not what a preconditioner blind to some direction foresaw, says how far is worth going.
      goal = worthwhile(std::sqrt(gained + static_cast<double>(energy)));
    }
    return std::sqrt(static_cast<double>(energy > 0.0f ? energy : 0.0f));  // rounding may leave it just below zero
  }

  // Where the end of the step just taken lies beyond the minimum along it, finds that minimum: false position within a
  // bracket, kept off its ends. Without this Newton's method can run in circles. Answers how much of the step is left.
  double shorten(double slope) {
    double near = 0.0, near_slope = slope, far = 1.0, here = 1.0;
    for (int shrink = 0; shrink < kMostShrinks; ++shrink) {
      const double slope_here = dot_gradient_step();
      const double steepness = shrink == 0 ? slope_here : std::fabs(slope_here);  // a step too short is no reason to search
      if (steepness <= -kTooFar * slope) break;
      double share = 0.5;
      if (slope_here < 0.0) {
        near = here;
        near_slope = slope_here;
      } else {
        far = here;
        share = near_slope / (near_slope - slope_here);  // not a number where the end overflowed
      }
      share = share > 0.1 ? (share < 0.9 ? share : 0.9) : 0.1;
      const double next = near + share * (far - near);
      move(next - here);
      here = next;
      objective_.evaluate(weights, 0.0);
    }
    return here;
  }

  const LogisticProblem& problem_;
  const LogisticMembers& members_;
  double tolerance_;
  int64_t width_;
  LogisticObjective objective_;
  LogisticPreconditioner trunk_preconditioner_;
  LogisticPreconditioner branch_preconditioner_;
  LogisticPreconditioner* preconditioner_ = &trunk_preconditioner_;
  int64_t columns_ = 0;
  int64_t solved_size_ = 0;  // members that weights solve; 0 when they solve nothing of this walk
  bool branching_ = false;   // between mark and the end of the walk
  float *float_gradient_, *step_, *residual_, *direction_, *scaled_, *curved_;  // [columns, width]
  float* class_mean_;                                                           // [width]
  struct {
    int64_t columns, solved_size;
    double* weights;  // [columns, width]
  } saved_{};
};

}  // namespace fsa::FSA_ISA
