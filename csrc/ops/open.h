// open: walks of a utility that a user wrote, through C function pointers over a flat state.
#pragma once

#include <algorithm>  // for fill_n
#include <cstring>    // for memcpy

#include "ops/walk.h"

namespace fsa {

// Const data of every call: features, y, validation features and y (int32 classes or double targets, as the user's
// functions were compiled for), parameters, and the sizes
// [points, features, validation points, classes, parameters, state, outputs].
struct OpenData {
  const double* X;
  const void* y;
  const double* X_val;
  const void* y_val;
  const double* parameters;
  const int64_t* sizes;
};

// Nonzero answers are the user's error codes.
using OpenReset = int32_t (*)(const double*, const void*, const double*, const void*, const double*,
                              const int64_t*, double* state);
using OpenAdd = int32_t (*)(const double*, const void*, const double*, const void*, const double*,
                            const int64_t*, double* state, int32_t player);
using OpenScore = int32_t (*)(const double*, const void*, const double*, const void*, const double*,
                              const int64_t*, double* state, double* out);

struct OpenUtility {
  OpenData data;
  OpenReset reset;
  OpenAdd add;
  OpenScore score;
  int64_t state_size;  // doubles
};

// Where a user's function answered an error: the player that was joining, or -1 while scoring.
struct OpenFailure {
  int32_t code;
  int32_t player;
};

class OpenState {
 public:
  OpenState(const OpenUtility& utility, double* state, double* saved)
      : utility_(utility), state_(state), saved_(saved) {}

  void reset() {
    joined_ = 0;
    fail_if(utility_.reset(X(), y(), X_val(), y_val(), parameters(), sizes(), state_), -1);
  }
  void add(int32_t player) {
    ++joined_;
    if (failure_.code != 0) return;
    fail_if(utility_.add(X(), y(), X_val(), y_val(), parameters(), sizes(), state_, player), player);
  }
  // The empty coalition is the game's to value: a user's function may rely on a member.
  WalkStatus score(double* out) {
    if (joined_ == 0) {
      std::fill_n(out, sizes()[6], 0.0);
    } else if (failure_.code == 0) {
      fail_if(utility_.score(X(), y(), X_val(), y_val(), parameters(), sizes(), state_, out), -1);
    }
    return failure_.code == 0 ? WalkStatus::kDone : WalkStatus::kFailed;
  }
  void mark(int64_t /*n_branches*/) {
    joined_at_mark_ = joined_;
    std::memcpy(saved_, state_, bytes());
  }
  void rewind() {
    joined_ = joined_at_mark_;
    std::memcpy(state_, saved_, bytes());
  }

  OpenFailure failure() const { return failure_; }

 private:
  void fail_if(int32_t code, int32_t player) {
    if (code != 0) failure_ = {code, player};
  }
  size_t bytes() const { return static_cast<size_t>(utility_.state_size) * sizeof(double); }
  const double* X() const { return utility_.data.X; }
  const void* y() const { return utility_.data.y; }
  const double* X_val() const { return utility_.data.X_val; }
  const void* y_val() const { return utility_.data.y_val; }
  const double* parameters() const { return utility_.data.parameters; }
  const int64_t* sizes() const { return utility_.data.sizes; }

  const OpenUtility& utility_;
  double* state_;
  double* saved_;
  int64_t joined_ = 0;
  int64_t joined_at_mark_ = 0;
  OpenFailure failure_{0, -1};
};

// CPU; failure is written where the answer is kFailed.
WalkStatus walk_open(const OpenUtility& utility, const Walks& walks, Range rows, double* values, double* workspace,
                     CancelFlag cancel, OpenFailure* failure);

}  // namespace fsa
