// A small, fast, seedable source of random numbers: xoshiro256** (Blackman & Vigna, 2018), its state filled
// by splitmix64. Not for secrets. One instance belongs to one thread.
#pragma once

#include <cstdint>
#include <limits>

namespace cinnabar {

class Random {
 public:
  using result_type = uint64_t;

  explicit Random(uint64_t seed) { Seed(seed); }

  void Seed(uint64_t seed) {
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  uint64_t Next() {
    const uint64_t result = RotateLeft(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = RotateLeft(state_[3], 45);
    return result;
  }

  // A number in [0, n), without modulo and without bias (Lemire, 2019). REQUIRES: n > 0.
  uint64_t Uniform(uint64_t n) {
    __extension__ using Wide = unsigned __int128;
    Wide product = Wide{Next()} * n;
    if (static_cast<uint64_t>(product) < n) {
      const uint64_t threshold = (0 - n) % n;
      while (static_cast<uint64_t>(product) < threshold) product = Wide{Next()} * n;
    }
    return static_cast<uint64_t>(product >> 64);
  }

  // A number in [0, 1).
  double UniformDouble() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  // True once in `n` times on average. REQUIRES: n > 0.
  bool OneIn(uint64_t n) { return Uniform(n) == 0; }

  // The standard library's generator interface, for std::shuffle and friends.
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return std::numeric_limits<uint64_t>::max(); }
  uint64_t operator()() { return Next(); }

 private:
  static uint64_t RotateLeft(uint64_t value, int count) { return (value << count) | (value >> (64 - count)); }

  uint64_t state_[4];
};

}  // namespace cinnabar
