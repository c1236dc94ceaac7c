// Philox4x32-10 (Salmon et al., SC 2011) as a counter-based stream: words are a function of seed and lane, nothing else.
#pragma once

#include <cstdint>  // for int64_t, uint32_t, uint64_t

#include "core/host_device.h"

namespace fsa {

struct Words {
  uint32_t w[4];
};

FSA_HD inline Words philox4x32(Words counter, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key);
  uint32_t k1 = static_cast<uint32_t>(key >> 32);
  Words c = counter;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c.w[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * c.w[2];
    c = {{static_cast<uint32_t>(p1 >> 32) ^ c.w[1] ^ k0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ c.w[3] ^ k1, static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// Every consumer of random words has its own op, so that no two share a word. Values are part of the file format of
// labels: append, never renumber.
enum class Op : uint8_t { kPermutation = 1, kSubset = 2, kDrawWithReplacement = 3, kBackground = 4 };

// The counter's upper 96 bits: sample 32, id 48, op 8, role 8. The lower 32 count blocks of four words.
struct Lane {
  Op op;
  uint8_t role;
  uint64_t id;
  uint32_t sample;
};

class Stream {
 public:
  FSA_HD Stream(uint64_t seed, Lane lane)
      : seed_(seed),
        counter_{{0u, lane.sample, static_cast<uint32_t>(lane.id),
                  static_cast<uint32_t>((lane.id >> 32) & 0xFFFFu) | (static_cast<uint32_t>(lane.op) << 16) |
                      (static_cast<uint32_t>(lane.role) << 24)}} {}

  FSA_HD uint32_t next() {
    if (left_ == 0) {
      words_ = philox4x32(counter_, seed_);
      ++counter_.w[0];
      left_ = 4;
    }
    --left_;
    const uint32_t word = words_.w[0];
    words_ = {{words_.w[1], words_.w[2], words_.w[3], 0u}};  // an index would keep them out of a device's registers
    return word;
  }

  // Exactly uniform on 0 .. n-1 for n >= 1, by multiplication and rejection (Lemire, TOMACS 2019).
  FSA_HD uint32_t below(uint32_t n) {
    uint64_t product = uint64_t{next()} * n;
    if (static_cast<uint32_t>(product) < n) {
      const uint32_t threshold = (0u - n) % n;
      while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * n;
    }
    return static_cast<uint32_t>(product >> 32);
  }

  // Uniform on [0, 1) with 53 bits.
  FSA_HD double uniform() {
    const uint64_t high = next() >> 5;
    const uint64_t low = next() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1p-53;
  }

 private:
  uint64_t seed_;
  Words counter_;
  Words words_{};
  int left_ = 0;
};

// The lane of each row of a call: item ids[row] and sample samples[row], or id 0 and samples in a row where there are
// none.
struct RowLanes {
  uint64_t seed;
  uint8_t role;
  const uint64_t* ids;      // [rows], or null
  const uint32_t* samples;  // [rows], null with ids
  uint32_t first_sample;    // without them

  FSA_HD Stream stream(Op op, int64_t row) const {
    if (ids == nullptr) return Stream(seed, {op, role, 0, first_sample + static_cast<uint32_t>(row)});
    return Stream(seed, {op, role, ids[row], samples[row]});
  }
};

}  // namespace fsa
