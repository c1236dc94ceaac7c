// The logistic objective at some weights: probabilities of the members, gradient, and products with the Hessian. The
// gradient, which decides the solution, is taken in double near it; the curvature, which only decides the way, in float.
#pragma once

#include "core/exp_log.h"
#include "ops/logistic_members.h"

namespace fsa::FSA_ISA {

template <class T>
FSA_INLINE void copy(const T* from, T* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}
template <class From, class To>
FSA_INLINE void convert(const From* from, To* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(from[i]);
}

class LogisticObjective {
 public:
  static constexpr double kRough = 1e-2;  // above this error the gradient need not be in double

  LogisticObjective(const LogisticProblem& problem, const LogisticMembers& members, Arena& arena)
      : problem_(problem), members_(members), width_(members.width), stride_(members.stride) {
    const int64_t most = problem.n_classes * width_;
    gradient = arena.take<double>(most);
    probability = arena.take<float>(problem.n_classes * stride_);
    float_gradient_ = arena.take<float>(most);
    float_weights_ = arena.take<float>(most);
    float_residuals_ = arena.take<float>(problem.n_classes * stride_);
    residuals_ = arena.take<double>(problem.n_classes * stride_);
    scores_ = arena.take<double>(kPanelsAtOnce * problem.n_classes * kLanes);
    float_scores_ = arena.take<float>(kPanelsAtOnce * problem.n_classes * kLanes);
    saved_.gradient = arena.take<double>(most);
    saved_.probability = arena.take<float>(problem.n_classes * stride_);
  }

  void forget() { evaluated_size = 0; }

  void save() {
    saved_.columns = columns();
    saved_.evaluated_size = evaluated_size;
    saved_.rough = rough;
    copy(gradient, saved_.gradient, columns() * width_);
    for (int64_t c = 0; c < columns(); ++c) copy(probability + c * stride_, saved_.probability + c * stride_, members_.size);
  }
  void restore() {
    evaluated_size = saved_.evaluated_size;
    rough = saved_.rough;
    copy(saved_.gradient, gradient, saved_.columns * width_);
    for (int64_t c = 0; c < saved_.columns; ++c) copy(saved_.probability + c * stride_, probability + c * stride_, members_.size);
  }

  // Probabilities of all members and the gradient, at weights, in float where an error of this size is expected anyway.
  void evaluate(const double* weights, double expected_error) {
    rough = expected_error >= kRough;
    if (rough) {
      convert(weights, float_weights_, columns() * width_);
      evaluate_in(members_.float_rows, members_.float_panels, float_weights_, float_scores_, float_residuals_, float_gradient_);
      convert(float_gradient_, gradient, columns() * width_);
    } else {
      evaluate_in(members_.rows, members_.panels, weights, scores_, residuals_, gradient);
    }
    for (int64_t c = 0; c < columns(); ++c) {
      for (int64_t f = 1; f < problem_.n_features; ++f) gradient[c * width_ + f] += problem_.penalty * weights[c * width_ + f];
    }
    evaluated_size = members_.size;
  }

  // The member that joined since the last evaluation changes the gradient by one outer product.
  void add_last_member(const double* weights) {
    const int64_t i = members_.size - 1;
    const double* x = members_.rows + i * width_;
    for (int64_t c = 0; c < columns(); ++c) {
      const double score = dot(weights + c * width_, x, width_);
      for (int64_t lane = 0; lane < kLanes; ++lane) scores_[c * kLanes + lane] = score;
    }
    float* likelihood = float_scores_;  // [columns, 8], laid out as probability is for eight samples
    link(scores_, likelihood, kLanes);
    const int64_t own = own_column(members_.classes[i]);
    for (int64_t c = 0; c < columns(); ++c) {
      const double p = scores_[c * kLanes];
      probability[c * stride_ + i] = likelihood[c * kLanes];
      add_multiple(p - (c == own ? 1.0 : 0.0), x, gradient + c * width_, width_);
    }
    evaluated_size = members_.size;
  }

  // curved = Hessian times direction.
  void curve(const float* direction, float* curved) {
    const bool nearly_certain = highest_probability() > kNearlyCertain;
    for_scores(members_.float_panels, direction, float_scores_, [&](int64_t first, const float* scores) {
      for (int64_t lane = 0; lane < kLanes; lane += kPerRegister<float>) {
        const float* p = probability + first + lane;
        const float* u = scores + lane;
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
    });
    gather_gradient(members_.float_rows, members_.size, width_, width_, float_residuals_, stride_, columns(), curved);
    const float penalty = static_cast<float>(problem_.penalty);
    for (int64_t c = 0; c < columns(); ++c) {
      for (int64_t f = 1; f < width_; ++f) curved[c * width_ + f] += penalty * direction[c * width_ + f];
    }
  }

  double* gradient;             // [columns, width]
  float* probability;           // [columns, stride] of the members; of the binomial the smaller of p and 1 - p
  int64_t evaluated_size = 0;   // members that both belong to, at the weights last given; 0 when out of date
  bool rough = false;           // the last evaluation was in float

 private:
  static constexpr int64_t kPanelsAtOnce = kSumsAtOnce;
  static constexpr float kNearlyCertain = 0.999f;  // above it a float difference from 1 is too coarse

  int64_t columns() const { return members_.n_columns(); }

  // Calls visit(first, scores [columns, 8]) for every eight members, scored by weights w.
  template <class T, class Visit>
  void for_scores(const T* panels, const T* w, T* scores, const Visit& visit) const {
    const int64_t n_panels = padded(members_.size) / kLanes;
    for (int64_t panel = 0; panel < n_panels; panel += kPanelsAtOnce) {
      const int64_t n = n_panels - panel < kPanelsAtOnce ? n_panels - panel : kPanelsAtOnce;
      score_panels(panels + panel * kLanes * problem_.n_features, n, problem_.n_features, w, width_, columns(), scores);
      for (int64_t p = 0; p < n; ++p) visit((panel + p) * kLanes, scores + p * columns() * kLanes);
    }
  }

  template <class T>
  void evaluate_in(const T* rows, const T* panels, const T* w, T* scores, T* residuals, T* gradient) {
    for_scores(panels, w, scores, [&](int64_t first, T* of_eight) {
      link(of_eight, probability + first, stride_);
      for (int64_t c = 0; c < columns(); ++c) copy(of_eight + c * kLanes, residuals + c * stride_ + first, kLanes);
    });
    for (int64_t i = 0; i < members_.size; ++i) {
      if (const int64_t own = own_column(members_.classes[i]); own >= 0) residuals[own * stride_ + i] -= T{1};
    }
    gather_gradient(rows, members_.size, width_, width_, residuals, stride_, columns(), gradient);
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
      for (int64_t c = 0; c < columns(); ++c) convert(scores + c * kLanes, curving + c * stride, kLanes);
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
      for (int64_t c = 1; c < columns(); ++c) {
        const Register<T> score = load(part + c * kLanes);
        highest = score > highest ? score : highest;
      }
      Register<T> total{};
      for (int64_t c = 0; c < columns(); ++c) {
        const Register<T> e = exp<T>(load(part + c * kLanes) - highest);
        store(part + c * kLanes, e);
        total = total + e;
      }
      const Register<T> scale = T{1} / total;
      for (int64_t c = 0; c < columns(); ++c) store(part + c * kLanes, load(part + c * kLanes) * scale);
    }
  }

  float highest_probability() const {
    float highest = 0.0f;
    for (int64_t c = 0; c < columns(); ++c) {
      const float* p = probability + c * stride_;
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
    for (int64_t c = 0; c < columns(); ++c) mean = mean + load(p + c * stride_) * load(u + c * kLanes);
    for (int64_t c = 0; c < columns(); ++c) store(t + c * stride_, load(p + c * stride_) * (load(u + c * kLanes) - mean));
  }

  // The same measured from the likeliest class: the mean keeps its digits when that class is nearly certain.
  void spread_precisely(const float* p, const float* u, float* t) const {
    Register<float> highest = load(p), likeliest = load(u), mean{};
    for (int64_t c = 1; c < columns(); ++c) {
      const Register<float> probability = load(p + c * stride_);
      likeliest = probability > highest ? load(u + c * kLanes) : likeliest;
      highest = probability > highest ? probability : highest;
    }
    for (int64_t c = 0; c < columns(); ++c) mean = mean + load(p + c * stride_) * (load(u + c * kLanes) - likeliest);
    for (int64_t c = 0; c < columns(); ++c) {
      store(t + c * stride_, load(p + c * stride_) * (load(u + c * kLanes) - likeliest - mean));
    }
  }

  const LogisticProblem& problem_;
  const LogisticMembers& members_;
  int64_t width_;
  int64_t stride_;
  float *float_gradient_, *float_weights_;  // [columns, width]
  float* float_residuals_;                  // [columns, stride]
  double* residuals_;                       // [columns, stride]
  double* scores_;                          // [panels at once, columns, 8]
  float* float_scores_;                     // [panels at once, columns, 8]
  struct {
    int64_t columns, evaluated_size;
    bool rough;
    double* gradient;    // [columns, width]
    float* probability;  // [columns, stride]
  } saved_{};
};

}  // namespace fsa::FSA_ISA
