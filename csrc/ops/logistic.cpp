// CPU launcher of logistic; compiled once per instruction set.
#include "ops/logistic.h"

#include "core/exp_log.h"
#include "ops/logistic_members.h"
#include "ops/logistic_solver.h"

namespace fsa::FSA_ISA {

namespace {

class LogisticUtility {
 public:
  LogisticUtility(const LogisticProblem& problem, int64_t most_members, Arena& arena)
      : problem_(problem), members_(problem, most_members, arena), solver_(problem, members_, arena) {
    scores_ = arena.take<double>(problem.n_classes * kLanes);
  }

  void reset() {
    members_.clear();
    solver_.begin_walk();
    branching_ = false;
  }
  void add(int32_t player) {
    if (!members_.append(player)) return;
    if (branching_) {
      solver_.branch_with_new_class();
    } else {
      solver_.forget();
    }
  }
  void mark(bool many_branches) {
    solver_.mark(many_branches);
    branching_ = true;
  }
  void rewind() {
    members_.pop();
    solver_.rewind();
  }

  WalkStatus score(double* out) {
    if (const WalkStatus status = solver_.solve(); status != WalkStatus::kDone) return status;
    switch (problem_.score) {
      case LogisticScore::kAccuracy: *out = accuracy(); break;
      case LogisticScore::kLogLoss: *out = -log_loss(); break;
      case LogisticScore::kCoefficients: coefficients(out); break;
      case LogisticScore::kCorrect: correct(out); break;
      case LogisticScore::kLogLikelihood: log_likelihood(out); break;
    }
    return WalkStatus::kDone;
  }

 private:
  // Calls visit(v, lane) for every validation point, its column scores in scores_[.][lane].
  template <class Visit>
  void for_validation(const Visit& visit) {
    for (int64_t first = 0; first < problem_.n_val; first += kLanes) {
      score_panels(problem_.val_panels[first / kLanes], 1, problem_.n_features, solver_.weights, members_.width,
                   members_.n_columns(), scores_);
      const int64_t lanes = problem_.n_val - first < kLanes ? problem_.n_val - first : kLanes;
      for (int64_t lane = 0; lane < lanes; ++lane) visit(first + lane, lane);
    }
  }

  // Ties go to the smallest class.
  int32_t predicted(int64_t lane) const {
    if (members_.n_present == 1) return members_.present[0];
    if (members_.binomial()) return members_.present[scores_[lane] > 0.0 ? 1 : 0];
    int64_t best = 0;
    for (int64_t c = 1; c < members_.n_columns(); ++c) {
      if (scores_[c * kLanes + lane] > scores_[best * kLanes + lane]) best = c;
    }
    return members_.present[best];
  }

  double accuracy() {
    int64_t correct = 0;
    for_validation([&](int64_t v, int64_t lane) { correct += predicted(lane) == problem_.val_classes[v]; });
    return static_cast<double>(correct) / static_cast<double>(problem_.n_val);
  }

  void correct(double* out) {
    for_validation([&](int64_t v, int64_t lane) { out[v] = predicted(lane) == problem_.val_classes[v]; });
  }

  // Probability of a class at a lane; a class that is absent has none.
  double probability(int32_t wanted, int64_t lane) const {
    const int32_t slot = members_.slot[wanted];
    if (members_.count[wanted] == 0) return 0.0;
    if (members_.binomial()) {
      const double score = slot == 1 ? scores_[lane] : -scores_[lane];
      return 1.0 / (1.0 + exp(-score));
    }
    double total = 0.0;
    for (int64_t c = 0; c < members_.n_columns(); ++c) {
      total += exp(scores_[c * kLanes + lane] - scores_[slot * kLanes + lane]);
    }
    return 1.0 / total;
  }

  double log_of_own(int64_t v, int64_t lane) const {
    const int32_t own = problem_.val_classes[v];
    const double prior = static_cast<double>(members_.count[own] + 1) / static_cast<double>(members_.size + problem_.n_classes);
    const double fitted = members_.n_present < 2 ? prior : probability(own, lane);
    return log((1.0 - kPriorShare) * fitted + kPriorShare * prior);
  }

  void log_likelihood(double* out) {
    for_validation([&](int64_t v, int64_t lane) { out[v] = log_of_own(v, lane); });
  }

  double log_loss() {
    double total = 0.0;
    for_validation([&](int64_t v, int64_t lane) { total -= log_of_own(v, lane); });
    return total / static_cast<double>(problem_.n_val);
  }

  // out [n_classes, width]: the columns of the classes present, zeros elsewhere; the binomial's column comes first.
  void coefficients(double* out) const {
    for (int64_t i = 0; i < problem_.n_classes * members_.width; ++i) out[i] = 0.0;
    for (int64_t c = 0; c < members_.n_columns(); ++c) {
      const int64_t row = members_.binomial() ? 0 : members_.present[c];
      for (int64_t f = 0; f < members_.width; ++f) out[row * members_.width + f] = solver_.weights[c * members_.width + f];
    }
  }

  const LogisticProblem& problem_;
  LogisticMembers members_;
  LogisticSolver solver_;
  bool branching_ = false;
  double* scores_;  // [columns, 8]
};

}  // namespace

int64_t logistic_workspace(const LogisticProblem& problem, int64_t most_members) {
  Arena counter(nullptr);
  LogisticUtility layout(problem, most_members, counter);
  return counter.used();
}

WalkStatus walk_logistic(const LogisticProblem& problem, const Walks& walks, Range rows, double* values,
                         char* workspace, int64_t most_members, CancelFlag cancel) {
  Arena arena(workspace);
  LogisticUtility utility(problem, most_members, arena);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const WalkStatus status = walk_row(utility, walks, row, values, cancel);
    if (status != WalkStatus::kDone) return status;
  }
  return WalkStatus::kDone;
}

}  // namespace fsa::FSA_ISA
