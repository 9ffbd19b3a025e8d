// A keyed 64-bit hash of a byte string, for tables whose keys come from outside.
//
// A client that chooses the keys must not be able to make them collide, although it knows this code,
// and may measure how long his requests take. So the hash has a secret of 128 bits from the operating system,
// and every step of it depends on the secret. (A plain multiplication of input words does not: a word that
// makes one factor zero hides the other, whatever the secret is.)
//
// With AES instructions it is a CBC-MAC of reduced AES. All round keys k0..k6 are drawn from the secret:
//
//   state = R2(k0 ^ [length | tweak])                2 rounds, k1 k2
//   state = R2(state ^ block)   for each full block  2 rounds, k3 k4
//   hash  = R4(state ^ last)                         4 rounds, k3 k4 k5 k6; its low half
//
// The last block is the last 16 bytes, which may overlap the one before. Shorter strings fill one block
// without loss. So strings of one length give different blocks, and the length comes first and is mixed
// before any block.
// Why so many rounds: after two, every bit of the state depends on every bit of the block, and no difference
// of two blocks becomes a given difference of the state more often than with probability 53 / 2^34, about
// 2^-28 (Keliher and Sui, 2007). That is how often a following block can cancel it: too rarely to build
// strings that collide without seeing which do. After four rounds it is below 2^-113. Nothing of the state is
// ever shown, so what short AES gives away to who sees its output does not matter. It is a hash for tables,
// not a MAC to show to others.
// Cost: a GET takes about 10 instructions more than with a hash by multiplication.
//
// Elsewhere it is SipHash-1-3 (Aumasson and Bernstein, 2012), which takes about half as long again.
//
// The whole value is well mixed: callers take any bits. The tweak tells tables with the same secret apart, so
// that the order of one is not the order of another; it need not be secret. Values are good for this process
// only: never store or send them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cinnabar {

// The secret, and the round keys made from it.
class HashKey {
 public:
  enum class Method : uint8_t { kAes, kSip };

  explicit HashKey(uint64_t low, uint64_t high = 0, Method method = BestMethod());
  // From the operating system's random source.
  static HashKey Random();
  // That of this process, drawn when it is first asked for.
  static const HashKey& OfProcess() {
    static const HashKey key = Random();
    return key;
  }
  // What this processor does best.
  static Method BestMethod();

  Method method() const { return method_; }
  uint64_t low() const { return low_; }
  uint64_t high() const { return high_; }
  static constexpr size_t kRoundKeys = 7;
  const uint64_t* round_keys() const { return round_keys_; }

 private:
  alignas(16) uint64_t round_keys_[2 * kRoundKeys];
  uint64_t low_;
  uint64_t high_;
  Method method_;
};

namespace hash_internal {

// REQUIRES: the processor has AES.
uint64_t HashWithAes(std::string_view bytes, const HashKey& key, uint64_t tweak);

// SipHash with so many rounds for each word and at the end.
template <int kRounds, int kLastRounds>
uint64_t SipHash(std::string_view bytes, uint64_t low, uint64_t high);
extern template uint64_t SipHash<1, 3>(std::string_view bytes, uint64_t low, uint64_t high);
extern template uint64_t SipHash<2, 4>(std::string_view bytes, uint64_t low, uint64_t high);

}  // namespace hash_internal

inline uint64_t HashBytes(std::string_view bytes, const HashKey& key, uint64_t tweak = 0) {
  if (key.method() == HashKey::Method::kAes) [[likely]]
    return hash_internal::HashWithAes(bytes, key, tweak);
  return hash_internal::SipHash<1, 3>(bytes, key.low() ^ tweak, key.high());
}

// With the secret of this process.
inline uint64_t HashBytes(std::string_view bytes, uint64_t tweak) {
  return HashBytes(bytes, HashKey::OfProcess(), tweak);
}

// For the standard library's tables of names from outside: std::hash has no secret.
struct HashOfName {
  using is_transparent = void;
  size_t operator()(std::string_view name) const { return HashBytes(name, 0); }
};

}  // namespace cinnabar
