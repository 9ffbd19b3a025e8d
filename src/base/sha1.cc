// FIPS 180-4, section 6.1.2: the message is padded to blocks of 64 bytes, each of which is mixed into five
// words in eighty rounds. The schedule of a block is kept in a ring of sixteen words.
#include "base/sha1.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace cinnabar {
namespace {

constexpr size_t kBlockBytes = 64;
constexpr size_t kLengthBytes = 8;

using State = std::array<uint32_t, 5>;
constexpr State kInitial = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

uint32_t Choose(uint32_t x, uint32_t y, uint32_t z) {
  return (x & y) | (~x & z);
}
uint32_t Parity(uint32_t x, uint32_t y, uint32_t z) {
  return x ^ y ^ z;
}
uint32_t Majority(uint32_t x, uint32_t y, uint32_t z) {
  return (x & y) | (x & z) | (y & z);
}

void Mix(State& state, const char* block) {
  std::array<uint32_t, 16> words;
  std::memcpy(words.data(), block, kBlockBytes);
  for (uint32_t& word : words) word = __builtin_bswap32(word);
  auto [a, b, c, d, e] = state;
  const auto rounds = [&](size_t from, auto function, uint32_t constant) {
    for (size_t t = from; t < from + 20; ++t) {
      uint32_t& word = words[t & 15];
      if (t >= 16) {
        word = std::rotl(words[(t + 13) & 15] ^ words[(t + 8) & 15] ^ words[(t + 2) & 15] ^ word, 1);
      }
      const uint32_t next = std::rotl(a, 5) + function(b, c, d) + e + constant + word;
      e = d;
      d = c;
      c = std::rotl(b, 30);
      b = a;
      a = next;
    }
  };
  rounds(0, Choose, 0x5a827999);
  rounds(20, Parity, 0x6ed9eba1);
  rounds(40, Majority, 0x8f1bbcdc);
  rounds(60, Parity, 0xca62c1d6);
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

}  // namespace

Sha1Digest Sha1(std::string_view bytes) {
  State state = kInitial;
  std::string_view rest = bytes;
  for (; rest.size() >= kBlockBytes; rest.remove_prefix(kBlockBytes)) Mix(state, rest.data());

  // A one bit, zeros, and the length in bits: one block or two.
  std::array<char, 2 * kBlockBytes> tail{};
  if (!rest.empty()) std::memcpy(tail.data(), rest.data(), rest.size());
  tail[rest.size()] = static_cast<char>(0x80);
  const size_t tail_bytes = rest.size() + 1 + kLengthBytes > kBlockBytes ? 2 * kBlockBytes : kBlockBytes;
  const uint64_t bits = __builtin_bswap64(uint64_t{bytes.size()} * 8);
  std::memcpy(tail.data() + tail_bytes - kLengthBytes, &bits, kLengthBytes);
  for (size_t at = 0; at < tail_bytes; at += kBlockBytes) Mix(state, tail.data() + at);

  for (uint32_t& word : state) word = __builtin_bswap32(word);
  Sha1Digest digest;
  std::memcpy(digest.data(), state.data(), digest.size());
  return digest;
}

}  // namespace cinnabar
