// Nearest centroid as fastsa/utilities/nearest_centroid.py has it, behind the same C functions: what C++ would cost.
#include <cstdint>
#include <limits>

#define DATA                                                                                                     \
  const double *X, const int32_t *y, const double *X_val, const int32_t *y_val, const double * /*parameters*/, \
      const int64_t *sizes

extern "C" int32_t reset(DATA, double* state) {
  (void)X, (void)y, (void)X_val, (void)y_val;
  for (int64_t i = 0; i < sizes[5]; ++i) state[i] = 0.0;
  return 0;
}

extern "C" int32_t add(DATA, double* state, int32_t player) {
  (void)X_val, (void)y_val;
  const int64_t d = sizes[1], n_classes = sizes[3], c = y[player];
  double* sums = state + n_classes + c * d;
  state[c] += 1.0;
  for (int64_t j = 0; j < d; ++j) sums[j] += X[player * d + j];
  return 0;
}

extern "C" int32_t score(DATA, double* state, double* out) {
  (void)X, (void)y;
  const int64_t d = sizes[1], m = sizes[2], n_classes = sizes[3];
  const double* sums = state + n_classes;
  double* centroids = state + n_classes + n_classes * d;
  for (int64_t c = 0; c < n_classes; ++c) {
    const double members = state[c] > 1.0 ? state[c] : 1.0;
    for (int64_t j = c * d; j < (c + 1) * d; ++j) centroids[j] = sums[j] / members;
  }
  int64_t correct = 0;
  for (int64_t v = 0; v < m; ++v) {
    int64_t nearest = -1;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t c = 0; c < n_classes; ++c) {
      if (state[c] == 0.0) continue;
      double distance = 0.0;
      for (int64_t j = 0; j < d; ++j) {
        const double gap = X_val[v * d + j] - centroids[c * d + j];
        distance += gap * gap;
      }
      if (distance < least) nearest = c, least = distance;
    }
    correct += nearest == y_val[v];
  }
  *out = static_cast<double>(correct) / static_cast<double>(m);
  return 0;
}
