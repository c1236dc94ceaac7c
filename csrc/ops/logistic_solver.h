// Newton's method for the logistic objective, its systems solved by preconditioned conjugate gradients. The gradient,
// which decides the solution, is taken in double near it; the curvature, which only decides the way, in float.
#pragma once

#include "core/exp_log.h"
#include "ops/logistic_members.h"
#include "ops/logistic_preconditioner.h"

namespace fsa::FSA_ISA {

class LogisticSolver {
 public:
  LogisticSolver(const LogisticProblem& problem, LogisticMembers& members, Arena& arena)
      : problem_(problem),
        members_(members),
        width_(members.width),
        stride_(members.stride),
        trunk_preconditioner_(problem, members, arena),
        branch_preconditioner_(problem, members, arena) {
    const int64_t most = problem.n_classes * width_;
    weights = arena.take<double>(most);
    gradient_ = arena.take<double>(most);
    float_gradient_ = arena.take<float>(most);
    step_ = arena.take<float>(most);
    residual_ = arena.take<float>(most);
    direction_ = arena.take<float>(most);
    scaled_ = arena.take<float>(most);
    curved_ = arena.take<float>(most);
    float_weights_ = arena.take<float>(most);
    probability_ = arena.take<float>(problem.n_classes * stride_);
    float_residuals_ = arena.take<float>(problem.n_classes * stride_);
    residuals_ = arena.take<double>(problem.n_classes * stride_);
    scores_ = arena.take<double>(problem.n_classes * kLanes);
    float_scores_ = arena.take<float>(problem.n_classes * kLanes);
    saved_.weights = arena.take<double>(most);
    saved_.gradient = arena.take<double>(most);
    saved_.probability = arena.take<float>(problem.n_classes * stride_);
  }

  void begin_walk() {
    branching_ = false;
    forget();
  }

  // What was solved does not carry over to the members to come: another walk, or another set of classes.
  void forget() {
    solved_size_ = evaluated_size_ = 0;
    preconditioner_->forget();
  }

  // Leaves the minimiser in weights [columns, width], within kTolerance in the norm of the Hessian.
  WalkStatus solve() {
    columns_ = members_.n_columns();
    if (columns_ == 0 || solved_size_ == members_.size) return WalkStatus::kDone;
    const bool first = solved_size_ == 0;
    bool from_zero = false;
    if (first) start_from_reference();
    if (evaluated_size_ > 0 && evaluated_size_ + 1 == members_.size) {
      add_last_member();
    } else if (evaluated_size_ != members_.size) {
      evaluate(first ? kRough : 0.0);
    }
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      if (preconditioner_->outgrown(probability_)) {
        if (branching_) preconditioner_ = &branch_preconditioner_;  // the trunk's serves the branches to come
        preconditioner_->prepare(probability_, first ? LogisticPreconditioner::kSmallBlock : LogisticPreconditioner::kLargeBlock);
      }
      double error = error_norm();
      if (rough_ && error < kRough) {
        evaluate(0.0);
        error = error_norm();
      }
      if (error <= kTolerance) return solved();
      const double left = conjugate_gradients(error);
      const double slope = dot_gradient_step();
      move(1.0);
      const double expected = left + 0.5 * problem_.reach * error * error;
      if (expected <= kTolerance) {
        evaluated_size_ = 0;
        return solved();
      }
      evaluate(left + 0.03 * error * error);
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
      if (evaluated_size_ != members_.size) evaluate(0.0);
      if (many_branches) preconditioner_->prepare(probability_, LogisticPreconditioner::kLargeBlock);
    }
    saved_.columns = columns_;
    saved_.solved_size = solved_size_;
    saved_.evaluated_size = evaluated_size_;
    saved_.rough = rough_;
    branching_ = true;
    copy(weights, saved_.weights, columns_ * width_);
    copy(gradient_, saved_.gradient, columns_ * width_);
    for (int64_t c = 0; c < columns_; ++c) copy(probability_ + c * stride_, saved_.probability + c * stride_, members_.size);
  }

  void rewind() {
    columns_ = saved_.columns;
    solved_size_ = saved_.solved_size;
    evaluated_size_ = saved_.evaluated_size;
    rough_ = saved_.rough;
    preconditioner_ = &trunk_preconditioner_;
    copy(saved_.weights, weights, columns_ * width_);
    copy(saved_.gradient, gradient_, columns_ * width_);
    for (int64_t c = 0; c < columns_; ++c) copy(saved_.probability + c * stride_, probability_ + c * stride_, members_.size);
  }

  // A branch that brings a new class must not touch the preconditioner of the others.
  void branch_with_new_class() {
    preconditioner_ = &branch_preconditioner_;
    forget();
  }

  double* weights;  // [columns, width]

 private:
  static constexpr double kTolerance = 5e-5;
  static constexpr double kRough = 1e-2;  // above this error the gradient need not be in double
  static constexpr int kMostIterations = 100;
  static constexpr int kMostProducts = 500;
  static constexpr int kMostShrinks = 60;
  static constexpr int kPatience = 15;         // iterations before a start is given up
  static constexpr double kLeastKept = 0.05;   // of a step, for the start to be any good

  template <class T>
  static void copy(const T* from, T* to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
  template <class From, class To>
  static void convert(const From* from, To* to, int64_t n) {
    for (int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(from[i]);
  }

  WalkStatus solved() {
    solved_size_ = members_.size;
    return WalkStatus::kDone;
  }

  // A start that misjudges members by far saturates them and hides the curvature; at zero none is.
  void start_from_zero() {
    for (int64_t i = 0; i < columns_ * width_; ++i) weights[i] = 0.0;
    evaluate(kRough);
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

  // Probabilities of all members and the gradient, at weights, in float where an error of this size is expected anyway.
  void evaluate(double expected_error) {
    rough_ = expected_error >= kRough;
    if (rough_) {
      convert(weights, float_weights_, columns_ * width_);
      evaluate_in(members_.float_rows, members_.float_panels, float_weights_, float_scores_, float_residuals_, float_gradient_);
      convert(float_gradient_, gradient_, columns_ * width_);
    } else {
      evaluate_in(members_.rows, members_.panels, weights, scores_, residuals_, gradient_);
    }
    for (int64_t c = 0; c < columns_; ++c) {
      for (int64_t f = 1; f < problem_.n_features; ++f) gradient_[c * width_ + f] += problem_.penalty * weights[c * width_ + f];
    }
    evaluated_size_ = members_.size;
  }

  template <class T>
  void evaluate_in(const T* rows, const T* panels, const T* w, T* scores, T* residuals, T* gradient) {
    for (int64_t first = 0; first < members_.size; first += kLanes) {
      score_panel(panels + first * problem_.n_features, problem_.n_features, w, width_, columns_, scores);
      link(scores);
      for (int64_t c = 0; c < columns_; ++c) {
        copy(scores + c * kLanes, residuals + c * stride_ + first, kLanes);
        keep_probability(scores + c * kLanes, probability_ + c * stride_ + first, kLanes);
      }
    }
    for (int64_t i = 0; i < members_.size; ++i) {
      if (const int64_t own = own_column(members_.classes[i]); own >= 0) residuals[own * stride_ + i] -= T{1};
    }
    gather_gradient(rows, members_.size, width_, width_, residuals, stride_, columns_, gradient);
  }

  // What the curvature needs. Of the binomial's p and 1 - p the smaller: a float near 1 has lost how far it is from 1.
  template <class T>
  void keep_probability(const T* p, float* kept, int64_t n) const {
    for (int64_t i = 0; i < n; ++i) kept[i] = static_cast<float>(members_.binomial() && p[i] > T{0.5} ? T{1} - p[i] : p[i]);
  }

  // The member that joined since the last evaluation changes the gradient by one outer product.
  void add_last_member() {
    const int64_t i = members_.size - 1;
    const double* x = members_.rows + i * width_;
    for (int64_t c = 0; c < columns_; ++c) {
      const double score = dot(weights + c * width_, x, width_);
      for (int64_t lane = 0; lane < kLanes; ++lane) scores_[c * kLanes + lane] = score;
    }
    link(scores_);
    const int64_t own = own_column(members_.classes[i]);
    for (int64_t c = 0; c < columns_; ++c) {
      const double p = scores_[c * kLanes];
      keep_probability(&p, probability_ + c * stride_ + i, 1);
      add_multiple(p - (c == own ? 1.0 : 0.0), x, gradient_ + c * width_, width_);
    }
    evaluated_size_ = members_.size;
  }

  // The column whose residual loses one for a member of this class; the binomial's first class has none.
  int64_t own_column(int32_t member_class) const {
    const int32_t slot = members_.slot[member_class];
    return members_.binomial() ? slot - 1 : slot;
  }

  // scores [columns, 8] of eight samples become probabilities, in place.
  template <class T>
  void link(T* scores) const {
    for (T* part = scores; part < scores + kLanes; part += kPerRegister<T>) {
      if (members_.binomial()) {
        store(part, T{1} / (T{1} + exp<T>(-load(part))));
        continue;
      }
      Register<T> highest = load(part);
      for (int64_t c = 1; c < columns_; ++c) {
        const Register<T> score = load(part + c * kLanes);
        highest = score > highest ? score : highest;
      }
      Register<T> total{};
      for (int64_t c = 0; c < columns_; ++c) {
        const Register<T> e = exp<T>(load(part + c * kLanes) - highest);
        store(part + c * kLanes, e);
        total = total + e;
      }
      const Register<T> scale = T{1} / total;
      for (int64_t c = 0; c < columns_; ++c) store(part + c * kLanes, load(part + c * kLanes) * scale);
    }
  }

  // curved = Hessian times direction.
  void curve(const float* direction, float* curved) {
    for (int64_t first = 0; first < members_.size; first += kLanes) {
      score_panel(members_.float_panels + first * problem_.n_features, problem_.n_features, direction, width_, columns_,
                  float_scores_);
      for (int64_t lane = 0; lane < kLanes; lane += kPerRegister<float>) {
        const float* p = probability_ + first + lane;
        const float* u = float_scores_ + lane;
        float* t = float_residuals_ + first + lane;
        if (members_.binomial()) {
          store(t, load(p) * (1.0f - load(p)) * load(u));
          continue;
        }
        // Centred twice: where one class has nearly all the probability, its own entry is lost in the first rounding.
        Register<float> mean{}, rest{};
        for (int64_t c = 0; c < columns_; ++c) mean = mean + load(p + c * stride_) * load(u + c * kLanes);
        for (int64_t c = 0; c < columns_; ++c) {
          const Register<float> value = load(p + c * stride_) * (load(u + c * kLanes) - mean);
          store(t + c * stride_, value);
          rest = rest + value;
        }
        for (int64_t c = 0; c < columns_; ++c) store(t + c * stride_, load(t + c * stride_) - load(p + c * stride_) * rest);
      }
    }
    gather_gradient(members_.float_rows, members_.size, width_, width_, float_residuals_, stride_, columns_, curved);
    const float penalty = static_cast<float>(problem_.penalty);
    for (int64_t c = 0; c < columns_; ++c) {
      for (int64_t f = 1; f < width_; ++f) curved[c * width_ + f] += penalty * direction[c * width_ + f];
      curved[c * width_] += preconditioner_->intercept_hold() * direction[c * width_];
    }
  }

  // The norm of the remaining step, judged by the preconditioner; leaves the preconditioned gradient in scaled_.
  double error_norm() {
    convert(gradient_, float_gradient_, columns_ * width_);
    preconditioner_->apply(float_gradient_, scaled_);
    return std::sqrt(static_cast<double>(dot(float_gradient_, scaled_, columns_ * width_)));
  }

  double dot_gradient_step() const {
    double total = 0.0;
    for (int64_t i = 0; i < columns_ * width_; ++i) total += gradient_[i] * static_cast<double>(step_[i]);
    return total;
  }

  void move(double length) {
    for (int64_t i = 0; i < columns_ * width_; ++i) weights[i] += length * static_cast<double>(step_[i]);
  }

  // step = - inverse Hessian times gradient, as far as Newton's own error makes it worth; answers the error left.
  double conjugate_gradients(double error) {
    const int64_t n = columns_ * width_;
    const double quadratic = 0.03 * error * error;
    const double goal = quadratic < 0.3 * kTolerance ? 0.3 * kTolerance : quadratic < 0.1 * error ? quadratic : 0.1 * error;
    for (int64_t i = 0; i < n; ++i) {
      step_[i] = 0.0f;
      residual_[i] = float_gradient_[i];
      direction_[i] = scaled_[i];
    }
    float energy = static_cast<float>(error * error);
    for (int product = 0; product < kMostProducts && static_cast<double>(energy) > goal * goal; ++product) {
      curve(direction_, curved_);
      const float curvature = dot(direction_, curved_, n);
      if (!(curvature > 0.0f)) break;
      const float length = energy / curvature;
      add_multiple(-length, direction_, step_, n);
      add_multiple(-length, curved_, residual_, n);
      preconditioner_->apply(residual_, scaled_);
      const float next = dot(residual_, scaled_, n);
      const float kept = next / energy;
      for (int64_t i = 0; i < n; ++i) direction_[i] = scaled_[i] + kept * direction_[i];
      energy = next;
    }
    return std::sqrt(static_cast<double>(energy > 0.0f ? energy : 0.0f));  // rounding may leave it just below zero
  }

  // Where the end of the step just taken lies beyond the minimum along it, finds that minimum: false position within a
  // bracket, kept off its ends. Answers how much of the step is left.
  double shorten(double slope) {
    double low = 0.0, low_slope = slope, high = 1.0, here = 1.0;
    for (int shrink = 0; shrink < kMostShrinks; ++shrink) {
      const double slope_here = dot_gradient_step();
      if (shrink == 0 ? slope_here <= -0.1 * slope : std::fabs(slope_here) <= -0.1 * slope) break;
      double share = 0.5;
      if (slope_here < 0.0) {
        low = here;
        low_slope = slope_here;
      } else {
        high = here;
        share = low_slope / (low_slope - slope_here);  // not a number where the end overflowed
      }
      share = share > 0.1 ? (share < 0.9 ? share : 0.9) : 0.1;
      const double next = low + share * (high - low);
      move(next - here);
      here = next;
      evaluate(0.0);
    }
    return here;
  }

  const LogisticProblem& problem_;
  const LogisticMembers& members_;
  int64_t width_;
  int64_t stride_;
  LogisticPreconditioner trunk_preconditioner_;
  LogisticPreconditioner branch_preconditioner_;
  LogisticPreconditioner* preconditioner_ = &trunk_preconditioner_;
  int64_t columns_ = 0;
  int64_t solved_size_ = 0;     // members that weights solve; 0 when they solve nothing of this walk
  int64_t evaluated_size_ = 0;  // members whose probabilities and gradient are those of weights; 0 when out of date
  bool rough_ = false;          // the last evaluation was in float
  bool branching_ = false;      // between mark and the end of the walk
  double* gradient_;                                                                        // [columns, width]
  float *float_gradient_, *step_, *residual_, *direction_, *scaled_, *curved_, *float_weights_;  // [columns, width]
  float *probability_, *float_residuals_;                                                   // [columns, stride]
  double* residuals_;                                                                       // [columns, stride]
  double* scores_;                                                                          // [columns, 8]
  float* float_scores_;                                                                     // [columns, 8]
  struct {
    int64_t columns, solved_size, evaluated_size;
    bool rough;
    double *weights, *gradient;  // [columns, width]
    float* probability;          // [columns, stride]
  } saved_{};
};

}  // namespace fsa::FSA_ISA
