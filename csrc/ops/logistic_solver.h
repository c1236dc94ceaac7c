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
        tolerance_(kTolerance * std::sqrt(problem.penalty < 1.0 ? problem.penalty : 1.0)),
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
    class_mean_ = arena.take<float>(width_);
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

  // Leaves the minimiser in weights [columns, width], within tolerance_ in the norm of the Hessian.
  WalkStatus solve() {
    columns_ = members_.n_columns();
    if (columns_ == 0 || solved_size_ == members_.size) return WalkStatus::kDone;
    const bool first = solved_size_ == 0;
    if (first) start_from_reference();
    if (evaluated_size_ > 0 && evaluated_size_ + 1 == members_.size) {
      add_last_member();
    } else if (evaluated_size_ != members_.size) {
      evaluate(first ? kRough : 0.0);
    }
    bool misjudged = false, from_zero = false;
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      if (misjudged || preconditioner_->outgrown()) {
        if (branching_) preconditioner_ = &branch_preconditioner_;  // the trunk's serves the branches to come
        preconditioner_->prepare(probability_, first ? LogisticPreconditioner::kSmallBlock : LogisticPreconditioner::kLargeBlock);
      }
      double error = error_norm();
      if (rough_ && error < kRough) {
        evaluate(0.0);
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
  static constexpr double kTolerance = 3e-5;   // of a weight, where the penalty alone curves
  static constexpr double kMisjudged = 1.5;    // an error this many times the one foreseen asks for a new preconditioner
  static constexpr double kTooFar = 0.1;       // a slope behind the step, by the slope before it
  static constexpr double kLeastKept = 0.05;   // of a step, for the start to be any good
  static constexpr int kPatience = 15;         // iterations before a start is given up
  static constexpr float kNearlyCertain = 0.999f;  // above it a float difference from 1 is too coarse
  static constexpr double kRough = 1e-2;  // above this error the gradient need not be in double
  static constexpr int kMostIterations = 100;
  static constexpr int kMostProducts = 500;
  static constexpr int kMostShrinks = 60;

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
      link(scores, probability_ + first, stride_);
      for (int64_t c = 0; c < columns_; ++c) copy(scores + c * kLanes, residuals + c * stride_ + first, kLanes);
    }
    for (int64_t i = 0; i < members_.size; ++i) {
      if (const int64_t own = own_column(members_.classes[i]); own >= 0) residuals[own * stride_ + i] -= T{1};
    }
    gather_gradient(rows, members_.size, width_, width_, residuals, stride_, columns_, gradient);
  }

  // The member that joined since the last evaluation changes the gradient by one outer product.
  void add_last_member() {
    const int64_t i = members_.size - 1;
    const double* x = members_.rows + i * width_;
    for (int64_t c = 0; c < columns_; ++c) {
      const double score = dot(weights + c * width_, x, width_);
      for (int64_t lane = 0; lane < kLanes; ++lane) scores_[c * kLanes + lane] = score;
    }
    float* likelihood = float_scores_;  // [columns, 8], laid out as probability_ is for eight samples
    link(scores_, likelihood, kLanes);
    const int64_t own = own_column(members_.classes[i]);
    for (int64_t c = 0; c < columns_; ++c) {
      const double p = scores_[c * kLanes];
      probability_[c * stride_ + i] = likelihood[c * kLanes];
      add_multiple(p - (c == own ? 1.0 : 0.0), x, gradient_ + c * width_, width_);
    }
    evaluated_size_ = members_.size;
  }

  // The column whose residual loses one for a member of this class; the binomial's first class has none.
  int64_t own_column(int32_t member_class) const {
    const int32_t slot = members_.slot[member_class];
    return members_.binomial() ? slot - 1 : slot;
  }

  // scores [columns, 8] of eight samples become probabilities, in place, and in float for the curvature. The binomial's
  // curvature p (1 - p) takes the smaller of the two, which keeps its digits where the other is nearly 1.
  template <class T>
  void link(T* scores, float* curving, int64_t stride) const {
    if (members_.binomial()) {
      link_binomial(scores, curving);
    } else {
      link_softmax(scores);
      for (int64_t c = 0; c < columns_; ++c) convert(scores + c * kLanes, curving + c * stride, kLanes);
    }
  }

  template <class T>
  static void link_binomial(T* scores, float* curving) {
    T smaller[kLanes];
    for (int64_t lane = 0; lane < kLanes; lane += kPerRegister<T>) {
      const Register<T> score = load(scores + lane);
      const Register<T> e = exp<T>(score > T{0} ? -score : score);
      const Register<T> least = e / (T{1} + e);
      store(smaller + lane, least);
      store(scores + lane, score > T{0} ? T{1} - least : least);
    }
    convert(smaller, curving, kLanes);
  }

  template <class T>
  void link_softmax(T* scores) const {
    for (T* part = scores; part < scores + kLanes; part += kPerRegister<T>) {
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
    const bool nearly_certain = highest_probability() > kNearlyCertain;
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
        if (nearly_certain) {
          spread_precisely(p, u, t);
        } else {
          spread(p, u, t);
        }
      }
    }
    gather_gradient(members_.float_rows, members_.size, width_, width_, float_residuals_, stride_, columns_, curved);
    const float penalty = static_cast<float>(problem_.penalty);
    for (int64_t c = 0; c < columns_; ++c) {
      for (int64_t f = 1; f < width_; ++f) curved[c * width_ + f] += penalty * direction[c * width_ + f];
    }
  }

  float highest_probability() const {
    float highest = 0.0f;
    for (int64_t c = 0; c < columns_; ++c) {
      const float* p = probability_ + c * stride_;
      float lane[kLanes] = {};
      for (int64_t first = 0; first + kLanes <= members_.size; first += kLanes) {
        for (int64_t l = 0; l < kLanes; ++l) lane[l] = p[first + l] > lane[l] ? p[first + l] : lane[l];
      }
      for (int64_t i = lane_below(members_.size); i < members_.size; ++i) lane[0] = p[i] > lane[0] ? p[i] : lane[0];
      for (int64_t l = 0; l < kLanes; ++l) highest = lane[l] > highest ? lane[l] : highest;
    }
    return highest;
  }

  // t_c = p_c (u_c - mean of u under p), for one register of samples.
  void spread(const float* p, const float* u, float* t) const {
    Register<float> mean{};
    for (int64_t c = 0; c < columns_; ++c) mean = mean + load(p + c * stride_) * load(u + c * kLanes);
    for (int64_t c = 0; c < columns_; ++c) store(t + c * stride_, load(p + c * stride_) * (load(u + c * kLanes) - mean));
  }

  // The same measured from the likeliest class: the mean keeps its digits when that class is nearly certain.
  void spread_precisely(const float* p, const float* u, float* t) const {
    Register<float> highest = load(p), likeliest = load(u), mean{};
    for (int64_t c = 1; c < columns_; ++c) {
      const Register<float> probability = load(p + c * stride_);
      likeliest = probability > highest ? load(u + c * kLanes) : likeliest;
      highest = probability > highest ? probability : highest;
    }
    for (int64_t c = 0; c < columns_; ++c) mean = mean + load(p + c * stride_) * (load(u + c * kLanes) - likeliest);
    for (int64_t c = 0; c < columns_; ++c) {
      store(t + c * stride_, load(p + c * stride_) * (load(u + c * kLanes) - likeliest - mean));
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
    convert(gradient_, float_gradient_, columns_ * width_);
    precondition(float_gradient_);
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

  // The error that is small enough to leave to the next step, from this error.
  double worthwhile(double error) const {
    const double quadratic = 0.03 * error * error;
    return quadratic < 0.3 * tolerance_ ? 0.3 * tolerance_ : quadratic < 0.1 * error ? quadratic : 0.1 * error;
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
      curve(direction_, curved_);
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
      evaluate(0.0);
    }
    return here;
  }

  const LogisticProblem& problem_;
  const LogisticMembers& members_;
  double tolerance_;
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
  float* class_mean_;                                                                       // [width]
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
