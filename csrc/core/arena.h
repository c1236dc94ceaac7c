// Hands out aligned pieces of one caller-owned buffer. With a null buffer it only counts, so that the same layout code
// answers how much to allocate.
#pragma once

#include <cstdint>  // for int64_t

namespace fsa {

class Arena {
 public:
  explicit Arena(char* memory) : memory_(memory) {}

  template <class T>
  T* take(int64_t n) {
    char* piece = memory_ == nullptr ? nullptr : memory_ + used_;
    used_ += (n * static_cast<int64_t>(sizeof(T)) + kAlignment - 1) / kAlignment * kAlignment;
    return reinterpret_cast<T*>(piece);
  }
  int64_t used() const { return used_; }

 private:
  static constexpr int64_t kAlignment = 64;
  char* memory_;
  int64_t used_ = 0;
};

}  // namespace fsa
