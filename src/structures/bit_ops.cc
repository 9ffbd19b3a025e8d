#include "structures/bit_ops.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/numbers.h"

namespace cinnabar {
namespace {

static_assert(std::endian::native == std::endian::little,
              "words are turned into big-endian order where it matters");

// One register of every machine we run on; a wider one would depend on the options of the build.
using Block = uint64_t __attribute__((vector_size(16)));
constexpr size_t kBlockBytes = sizeof(Block);

// An accumulator that stays in the first-level cache while all sources pass over it.
constexpr size_t kStripeBytes = 8192;

uint64_t LoadWord(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

unsigned char ByteAt(std::string_view bytes, uint64_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

// The byte with all bits outside of the range cleared.
unsigned char MaskedByte(std::string_view bytes, uint64_t index, BitRange range, unsigned char flip) {
  unsigned mask = 0xff;
  if (index == range.first / 8) mask &= 0xffu >> (range.first % 8);
  if (index == range.last / 8) mask &= 0xffu << (7 - range.last % 8);
  return static_cast<unsigned char>((ByteAt(bytes, index) ^ flip) & mask);
}

// into[i] = operation(into[i], from[i]) for size bytes. The operation must work on Block, uint64_t and
// unsigned.
template <typename Operation>
void Apply(char* into, const char* from, size_t size, Operation operation) {
  size_t i = 0;
  for (; i + kBlockBytes <= size; i += kBlockBytes) {
    Block left;
    Block right;
    std::memcpy(&left, into + i, kBlockBytes);
    std::memcpy(&right, from + i, kBlockBytes);
    left = operation(left, right);
    std::memcpy(into + i, &left, kBlockBytes);
  }
  for (; i < size; ++i) {
    into[i] = static_cast<char>(
        operation(static_cast<unsigned char>(into[i]), static_cast<unsigned char>(from[i])));
  }
}

// The stretch of a source that lies in [start, start + size), shorter or empty where the source has ended.
std::string_view Stretch(std::string_view source, size_t start, size_t size) {
  return start < source.size() ? source.substr(start, size) : std::string_view();
}

void Or(char* into, std::string_view from) {
  Apply(into, from.data(), from.size(), [](auto a, auto b) { return a | b; });
}

void And(char* into, std::string_view from, size_t size) {
  Apply(into, from.data(), from.size(), [](auto a, auto b) { return a & b; });
  std::memset(into + from.size(), 0, size - from.size());
}

void Xor(char* into, std::string_view from) {
  Apply(into, from.data(), from.size(), [](auto a, auto b) { return a ^ b; });
}

void AndNot(char* into, std::string_view from) {
  Apply(into, from.data(), from.size(), [](auto a, auto b) { return a & ~b; });
}

// Ones and further ones are kept apart: a bit seen again moves from `once` to `again` and stays there.
void CombineExactlyOne(std::span<const std::string_view> sources, size_t start, size_t size, char* once) {
  char again[kStripeBytes] = {};
  char both[kStripeBytes];
  for (const std::string_view source : sources) {
    const std::string_view from = Stretch(source, start, size);
    std::memcpy(both, once, from.size());
    And(both, from, from.size());
    Or(again, {both, from.size()});
    Or(once, from);
  }
  AndNot(once, {again, size});
}

// One stripe of the result. `into` comes zeroed.
void CombineStripe(BitOperation operation, std::span<const std::string_view> sources, size_t start,
                   size_t size, char* into) {
  if (operation == BitOperation::kExactlyOne) return CombineExactlyOne(sources, start, size, into);
  const std::string_view first = Stretch(sources[0], start, size);
  const std::span<const std::string_view> others = sources.subspan(1);
  switch (operation) {
    case BitOperation::kAnd:
      std::copy(first.begin(), first.end(), into);
      for (const std::string_view source : others) And(into, Stretch(source, start, size), size);
      return;
    case BitOperation::kOr:
    case BitOperation::kXor:
      std::copy(first.begin(), first.end(), into);
      for (const std::string_view source : others) {
        operation == BitOperation::kOr ? Or(into, Stretch(source, start, size))
                                       : Xor(into, Stretch(source, start, size));
      }
      return;
    case BitOperation::kNot:
      Apply(into, first.data(), first.size(), [](auto, auto b) { return ~b; });
      return;
    case BitOperation::kDifference:
      std::copy(first.begin(), first.end(), into);
      for (const std::string_view source : others) AndNot(into, Stretch(source, start, size));
      return;
    case BitOperation::kOtherwise:
    case BitOperation::kAndAny:
      for (const std::string_view source : others) Or(into, Stretch(source, start, size));
      operation == BitOperation::kAndAny ? And(into, first, size) : AndNot(into, first);
      return;
    case BitOperation::kExactlyOne:
      return;
  }
}

__extension__ using Wide = __int128;

}  // namespace

Bit GetBit(std::string_view bytes, uint64_t offset) {
  if (offset / 8 >= bytes.size()) return Bit::kZero;
  return ByteAt(bytes, offset / 8) >> (7 - offset % 8) & 1 ? Bit::kOne : Bit::kZero;
}

Bit SetBit(std::span<char> bytes, uint64_t offset, Bit bit) {
  const Bit before = GetBit({bytes.data(), bytes.size()}, offset);
  const auto mask = static_cast<char>(0x80u >> (offset % 8));
  char& byte = bytes[offset / 8];
  byte = static_cast<char>(bit == Bit::kOne ? byte | mask : byte & ~mask);
  return before;
}

uint64_t CountOnes(std::string_view bytes) {
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint64_t sums[4] = {};
  for (; left >= 32; left -= 32, at += 32) {
    for (size_t i = 0; i < 4; ++i) sums[i] += static_cast<unsigned>(std::popcount(LoadWord(at + 8 * i)));
  }
  uint64_t sum = sums[0] + sums[1] + sums[2] + sums[3];
  for (; left >= 8; left -= 8, at += 8) sum += static_cast<unsigned>(std::popcount(LoadWord(at)));
  for (; left > 0; --left, ++at) sum += static_cast<unsigned>(std::popcount(static_cast<unsigned char>(*at)));
  return sum;
}

uint64_t CountOnes(std::string_view bytes, BitRange range) {
  DCHECK(range.first <= range.last && range.last / 8 < bytes.size());
  const uint64_t first = range.first / 8;
  const uint64_t last = range.last / 8;
  uint64_t sum = static_cast<unsigned>(std::popcount(MaskedByte(bytes, first, range, 0)));
  if (first == last) return sum;
  sum += static_cast<unsigned>(std::popcount(MaskedByte(bytes, last, range, 0)));
  return sum + CountOnes(bytes.substr(first + 1, last - first - 1));
}

std::optional<uint64_t> FindBit(std::string_view bytes, Bit bit, BitRange range) {
  DCHECK(range.first <= range.last && range.last / 8 < bytes.size());
  // Looking for a zero is looking for a one in the complement.
  const unsigned char flip = bit == Bit::kOne ? 0 : 0xff;
  const uint64_t word_flip = bit == Bit::kOne ? 0 : ~uint64_t{0};
  const uint64_t last = range.last / 8;
  uint64_t index = range.first / 8;
  const auto found_in = [&](uint64_t at) -> std::optional<uint64_t> {
    const unsigned char byte = MaskedByte(bytes, at, range, flip);
    if (byte == 0) return std::nullopt;
    return at * 8 + static_cast<unsigned>(std::countl_zero(byte));
  };
  if (const auto found = found_in(index)) return found;
  ++index;
  // Whole words that end before the last byte, which may be cut.
  for (; index + 32 <= last; index += 32) {
    uint64_t any = 0;
    for (size_t i = 0; i < 4; ++i) any |= LoadWord(bytes.data() + index + 8 * i) ^ word_flip;
    if (any != 0) break;
  }
  for (; index + 8 <= last; index += 8) {
    const uint64_t word = LoadWord(bytes.data() + index) ^ word_flip;
    if (word != 0) return index * 8 + static_cast<unsigned>(std::countl_zero(__builtin_bswap64(word)));
  }
  for (; index <= last; ++index) {
    if (const auto found = found_in(index)) return found;
  }
  return std::nullopt;
}

std::string CombineBits(BitOperation operation, std::span<const std::string_view> sources) {
  CHECK(!sources.empty());
  size_t size = 0;
  for (const std::string_view source : sources) size = std::max(size, source.size());
  std::string result(size, '\0');
  for (size_t start = 0; start < size; start += kStripeBytes) {
    CombineStripe(operation, sources, start, std::min(kStripeBytes, size - start), result.data() + start);
  }
  return result;
}

std::optional<BitFieldType> BitFieldType::Parse(std::string_view text) {
  if (text.empty() || (text[0] != 'i' && text[0] != 'u')) return std::nullopt;
  const Signedness signedness = text[0] == 'i' ? Signedness::kSigned : Signedness::kUnsigned;
  const std::optional<int64_t> bits = ParseInt64(text.substr(1));
  if (!bits || *bits < 1 || *bits > (signedness == Signedness::kSigned ? 64 : 63)) return std::nullopt;
  return BitFieldType{signedness, static_cast<unsigned>(*bits)};
}

int64_t GetBitField(std::string_view bytes, uint64_t offset, BitFieldType type) {
  DCHECK(type.bits >= 1 && type.bits <= 64);
  const uint64_t first = offset / 8;
  // At most nine bytes hold the field: eight in `high`, counted from the top, and one in `low`.
  uint64_t high = 0;
  unsigned low = 0;
  if (first < bytes.size()) {
    unsigned char window[9] = {};
    std::memcpy(window, bytes.data() + first, std::min<size_t>(sizeof(window), bytes.size() - first));
    std::memcpy(&high, window, sizeof(high));
    high = __builtin_bswap64(high);
    low = window[8];
  }
  const unsigned shift = offset % 8;
  const uint64_t aligned = high << shift | low >> (8 - shift);
  // `aligned` has the field at the top; the shift down extends the sign where there is one.
  if (type.signedness == Signedness::kSigned) return static_cast<int64_t>(aligned) >> (64 - type.bits);
  return static_cast<int64_t>(aligned >> (64 - type.bits));
}

void SetBitField(std::span<char> bytes, uint64_t offset, BitFieldType type, int64_t value) {
  CHECK((offset + type.bits + 7) / 8 <= bytes.size());
  unsigned left = type.bits;
  while (left > 0) {
    // As many bits as the current byte still takes.
    const unsigned room = 8 - offset % 8;
    const unsigned take = std::min(room, left);
    const unsigned shift = room - take;
    const unsigned mask = ((1u << take) - 1) << shift;
    const auto bits = static_cast<unsigned>(static_cast<uint64_t>(value) >> (left - take)) << shift & mask;
    char& byte = bytes[offset / 8];
    byte = static_cast<char>((static_cast<unsigned char>(byte) & ~mask) | bits);
    offset += take;
    left -= take;
  }
}

std::optional<int64_t> AddToBitField(BitFieldType type, int64_t value, int64_t increment,
                                     BitFieldOverflow policy) {
  const bool is_signed = type.signedness == Signedness::kSigned;
  const Wide one = 1;
  const Wide max = is_signed ? (one << (type.bits - 1)) - 1 : (one << type.bits) - 1;
  const Wide min = is_signed ? -(one << (type.bits - 1)) : 0;
  const Wide sum = (is_signed ? Wide{value} : Wide{static_cast<uint64_t>(value)}) + increment;
  if (sum >= min && sum <= max) return static_cast<int64_t>(sum);
  switch (policy) {
    case BitFieldOverflow::kFail:
      return std::nullopt;
    case BitFieldOverflow::kSaturate:
      return static_cast<int64_t>(sum > max ? max : min);
    case BitFieldOverflow::kWrap:
      break;
  }
  const uint64_t top = static_cast<uint64_t>(sum) << (64 - type.bits);
  if (is_signed) return static_cast<int64_t>(top) >> (64 - type.bits);
  return static_cast<int64_t>(top >> (64 - type.bits));
}

}  // namespace cinnabar
