#include "base/hash.h"

#include <sys/auxv.h>
#include <sys/random.h>
#ifdef __x86_64__
#include <wmmintrin.h>
#endif

#include <bit>
#include <cstring>

#include "base/check.h"

namespace cinnabar {
namespace hash_internal {
namespace {

uint64_t Load64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}
#ifdef __x86_64__
uint64_t Load32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}
// Of 0 to 3 bytes: different for different strings of one length.
uint64_t LoadFew(const char* p, size_t n) {
  if (n == 0) return 0;
  return static_cast<uint8_t>(p[0]) | uint64_t{static_cast<uint8_t>(p[n / 2])} << 8 |
         uint64_t{static_cast<uint8_t>(p[n - 1])} << 16;
}
#endif

struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void Add(uint64_t word, int rounds) {
    v3 ^= word;
    for (int i = 0; i < rounds; ++i) Round();
    v0 ^= word;
  }
};

}  // namespace

template <int kRounds, int kLastRounds>
uint64_t SipHash(std::string_view bytes, uint64_t low, uint64_t high) {
  SipState state{low ^ 0x736f6d6570736575, high ^ 0x646f72616e646f6d, low ^ 0x6c7967656e657261,
                 high ^ 0x7465646279746573};
  const char* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, p += 8) state.Add(Load64(p), kRounds);
  uint64_t last = uint64_t{bytes.size()} << 56;
  for (size_t i = 0; i < left; ++i) last |= uint64_t{static_cast<uint8_t>(p[i])} << (8 * i);
  state.Add(last, kRounds);
  state.v2 ^= 0xff;
  for (int i = 0; i < kLastRounds; ++i) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
template uint64_t SipHash<1, 3>(std::string_view bytes, uint64_t low, uint64_t high);
template uint64_t SipHash<2, 4>(std::string_view bytes, uint64_t low, uint64_t high);

#ifdef __x86_64__

[[gnu::target("aes")]] uint64_t HashWithAes(std::string_view bytes, const HashKey& key, uint64_t tweak) {
  const auto* keys = reinterpret_cast<const __m128i*>(key.round_keys());
  const char* p = bytes.data();
  size_t left = bytes.size();
  __m128i state = _mm_set_epi64x(static_cast<int64_t>(tweak), static_cast<int64_t>(left));
  state = _mm_xor_si128(state, keys[0]);
  state = _mm_aesenc_si128(state, keys[1]);
  state = _mm_aesenc_si128(state, keys[2]);
  __m128i last;
  if (left >= 16) {
    for (; left > 16; left -= 16, p += 16) {
      state = _mm_xor_si128(state, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
      state = _mm_aesenc_si128(state, keys[3]);
      state = _mm_aesenc_si128(state, keys[4]);
    }
    last = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + left - 16));
  } else if (left >= 8) {
    last = _mm_set_epi64x(static_cast<int64_t>(Load64(p + left - 8)), static_cast<int64_t>(Load64(p)));
  } else if (left >= 4) {
    last = _mm_cvtsi64_si128(static_cast<int64_t>(Load32(p) | Load32(p + left - 4) << 32));
  } else {
    last = _mm_cvtsi64_si128(static_cast<int64_t>(LoadFew(p, left)));
  }
  state = _mm_xor_si128(state, last);
  for (size_t i = 3; i < HashKey::kRoundKeys; ++i) state = _mm_aesenc_si128(state, keys[i]);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(state));
}

#else

uint64_t HashWithAes(std::string_view, const HashKey&, uint64_t) {
  CHECK(false);  // BestMethod does not name it
}

#endif

}  // namespace hash_internal

HashKey::HashKey(uint64_t low, uint64_t high, Method method) : low_(low), high_(high), method_(method) {
  for (uint64_t i = 0; i < 2 * kRoundKeys; ++i) {
    char number[sizeof i];
    std::memcpy(number, &i, sizeof i);
    round_keys_[i] = hash_internal::SipHash<2, 4>({number, sizeof number}, low, high);
  }
}

HashKey HashKey::Random() {
  uint64_t words[2];
  if (getrandom(words, sizeof words, 0) != sizeof words) {
    // The kernel also hands 16 random bytes to every process that it starts.
    const auto* given = reinterpret_cast<const char*>(getauxval(AT_RANDOM));
    CHECK(given != nullptr);
    std::memcpy(words, given, sizeof words);
  }
  return HashKey(words[0], words[1]);
}

HashKey::Method HashKey::BestMethod() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("aes")) return Method::kAes;
#endif
  return Method::kSip;
}

}  // namespace cinnabar
