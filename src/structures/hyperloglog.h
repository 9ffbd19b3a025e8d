// HyperLogLog: how many different elements were added, within 0.81 %, in at most 12 KiB. A value is a plain
// byte string in the format that Redis keeps, dumps and replicates, so clients may GET and SET it.
//
//   0      4    5       8                16
//   +------+----+-------+----------------+-------------------------------
//   |"HYLL"|enc.| zeros | cached count   | registers
//   +------+----+-------+----------------+-------------------------------
//                        little endian; the top bit of byte 15 says "stale"
//
// An element's hash names one of 16384 registers (14 bits) and proposes a value for it: the number of
// trailing zeros of the other 50 bits plus one. A register keeps the largest proposal. Registers lie either
//   dense (0):  6 bits each, least significant bits first, 12288 bytes;
//   sparse (1): run lengths:  00llllll                  l+1 registers are 0
//                             01llllll llllllll         l+1 registers are 0
//                             1vvvvvll                  l+1 registers are v+1
// New values are sparse and become dense, for good, when they outgrow a limit or hold a register above 32.
//
// Values come from clients, so every function that takes one, except where a REQUIRES says otherwise, copes
// with arbitrary bytes behind a valid header and reports Corrupt. All functions are pure: no state, any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cinnabar::hyperloglog {

inline constexpr size_t kRegisterCount = 1 << 14;
inline constexpr size_t kHeaderBytes = 16;
inline constexpr size_t kDenseBytes = kHeaderBytes + kRegisterCount * 6 / 8;

enum class Encoding : uint8_t { kDense = 0, kSparse = 1 };

// The run lengths do not describe exactly 16384 registers.
struct Corrupt {};
template <typename T>
using Outcome = std::expected<T, Corrupt>;

// One register per byte: the form in which values are merged.
struct alignas(64) Registers {
  std::array<uint8_t, kRegisterCount> values{};
};

// True if the bytes may be taken for a HyperLogLog. Everything below REQUIRES this of its `value`.
bool HasValidHeader(std::string_view value);

Encoding EncodingOf(std::string_view value);

// A value without elements: sparse, 18 bytes, count 0 already cached.
std::string Create();

// Adds an element; true if a register changed (the cached count is stale then). A sparse value that would
// grow beyond `sparse_bytes_max` bytes becomes dense. Dense: O(1). Sparse: linear in the value.
Outcome<bool> Add(std::string& value, std::string_view element, size_t sparse_bytes_max);

// Add() for bytes that cannot change their size: all that dense values need. A sparse value answers
// kUnchanged or kNeedsResize, and is left as it was: copy it to a string and call Add().
enum class InPlace { kUnchanged, kChanged, kNeedsResize };
Outcome<InPlace> AddInPlace(std::span<char> value, std::string_view element);

// Changes the encoding to dense and nothing else, the cached count included.
Outcome<void> ToDense(std::string& value);

// The count kept in the header, unless it is stale.
std::optional<uint64_t> CachedCount(std::string_view value);
void SetCachedCount(std::span<char> value, uint64_t count);
// Puts the count of `before` into a value that takes its place; it is stale there. Nobody reads it, but
// others compare the bytes of values.
void KeepStaleCount(std::span<char> value, std::string_view before);

// The estimate from the registers; the cached count is neither read nor written. Dense: about 10
// microseconds.
Outcome<uint64_t> Count(std::string_view value);
uint64_t Count(const Registers& registers);

// Raises each register to the value's, if that is larger: the union of the two sets. After Corrupt,
// `registers` may hold a part of the value.
Outcome<void> MergeInto(Registers& registers, std::string_view value);

// A value with these registers and a stale cached count. kSparse is a wish: what does not fit is dense.
std::string Encode(const Registers& registers, Encoding encoding, size_t sparse_bytes_max);

// The runs of a sparse value as PFDEBUG DECODE prints them: "z:l", "Z:l" or "v:value,l" for the three forms.
Outcome<std::string> DescribeRuns(std::string_view value);

// Checks registers and estimates on this machine, in some ten milliseconds; a description of what failed, if
// so.
std::optional<std::string> SelfTest();

}  // namespace cinnabar::hyperloglog
