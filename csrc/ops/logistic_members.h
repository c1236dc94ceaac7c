// The members of a coalition, laid out for both products and in both precisions: double for the gradient, which decides
// the solution, float for the curvature, which only decides the way to it.
#pragma once

#include "core/arena.h"
#include "core/products.h"
#include "ops/logistic.h"

namespace fsa::FSA_ISA {

class LogisticMembers {
 public:
  LogisticMembers(const LogisticProblem& problem, int64_t most_members, Arena& arena)
      : problem_(problem), width(problem.features.n_columns), stride(padded(most_members)) {
    rows = arena.take<double>(stride * width);
    float_rows = arena.take<float>(stride * width);
    panels = arena.take<double>(stride * problem.n_features);
    float_panels = arena.take<float>(stride * problem.n_features);
    classes = arena.take<int32_t>(stride);
    count = arena.take<int64_t>(problem.n_classes);
    slot = arena.take<int32_t>(problem.n_classes);
    present = arena.take<int32_t>(problem.n_classes);
  }

  void clear() {
    size = n_present = 0;
    for (int32_t c = 0; c < problem_.n_classes; ++c) count[c] = 0;
  }

  // Answers whether the player brought a class that was not present.
  bool append(int32_t player) {
    const double* x = problem_.features[player];
    const int64_t lane = size % kLanes;
    double* panel = panels + (size - lane) * problem_.n_features;
    float* float_panel = float_panels + (size - lane) * problem_.n_features;
    if (lane == 0) {
      for (int64_t f = 0; f < problem_.n_features * kLanes; ++f) panel[f] = float_panel[f] = 0.0f;
    }
    for (int64_t f = 0; f < width; ++f) {
      rows[size * width + f] = x[f];
      float_rows[size * width + f] = static_cast<float>(x[f]);
    }
    for (int64_t f = 0; f < problem_.n_features; ++f) {
      panel[f * kLanes + lane] = x[f];
      float_panel[f * kLanes + lane] = static_cast<float>(x[f]);
    }
    const int32_t c = problem_.classes[player];
    classes[size++] = c;
    if (count[c]++ > 0) return false;
    list_present();
    return true;
  }

  void pop() {
    const int32_t c = classes[--size];
    if (--count[c] == 0) list_present();
  }

  // Linear predictors: one for the binomial objective, one per present class for the softmax, none for a constant.
  int64_t n_columns() const { return n_present < 2 ? 0 : n_present == 2 ? 1 : n_present; }
  bool binomial() const { return n_present == 2; }

 private:
  void list_present() {
    n_present = 0;
    for (int32_t c = 0; c < problem_.n_classes; ++c) {
      slot[c] = n_present;
      if (count[c] > 0) present[n_present++] = c;
    }
  }

  const LogisticProblem& problem_;

 public:
  int64_t width;
  int64_t stride;
  int64_t size = 0;
  int32_t n_present = 0;
  double* rows;         // [stride, width]
  float* float_rows;    // [stride, width]
  double* panels;       // [stride / 8, n_features, 8]
  float* float_panels;  // [stride / 8, n_features, 8]
  int32_t* classes;     // [stride]
  int64_t* count;       // [n_classes]
  int32_t* slot;        // [n_classes] column of a present class
  int32_t* present;     // [n_present] ascending
};

}  // namespace fsa::FSA_ISA
