#include "structures/hyperloglog.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/numbers.h"
#include "structures/internal/hyperloglog_registers.h"

namespace cinnabar::hyperloglog {
namespace {

using internal::Histogram;
using internal::Proposal;

constexpr std::string_view kMagic = "HYLL";
constexpr size_t kEncodingAt = 4;
constexpr size_t kCountAt = 8;
constexpr size_t kStaleAt = 15;
constexpr unsigned char kStaleBit = 0x80;

// Limits of the sparse forms.
constexpr unsigned kShortZerosMax = 64;
constexpr unsigned kValueRunMax = 4;
constexpr uint8_t kSparseValueMax = 32;

enum class Form { kShortZeros, kLongZeros, kValues };

// One opcode of the sparse encoding, decoded. `value` is 0 for both kinds of zeros.
struct Run {
  Form form;
  uint8_t value;
  uint32_t length;

  size_t bytes() const { return form == Form::kLongZeros ? 2 : 1; }
};

// Reads runs from the front to the back and never beyond.
class RunReader {
 public:
  explicit RunReader(std::string_view bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  bool AtEnd() const { return position_ == bytes_.size(); }

  // The run at position(), or nothing if there is none or half of one.
  std::optional<Run> Peek() const {
    if (AtEnd()) return std::nullopt;
    const auto first = static_cast<unsigned char>(bytes_[position_]);
    if (first & 0x80)
      return Run{Form::kValues, static_cast<uint8_t>(((first >> 2) & 0x1f) + 1), (first & 3u) + 1};
    if (!(first & 0x40)) return Run{Form::kShortZeros, 0, (first & 0x3fu) + 1};
    if (position_ + 1 == bytes_.size()) return std::nullopt;
    const auto second = static_cast<unsigned char>(bytes_[position_ + 1]);
    return Run{Form::kLongZeros, 0, ((first & 0x3fu) << 8 | second) + 1};
  }

  void Skip(const Run& run) { position_ += run.bytes(); }

 private:
  std::string_view bytes_;
  size_t position_ = kHeaderBytes;
};

// Calls visit(first_register, run) for each run of a sparse value.
template <typename Visitor>
Outcome<void> ForEachRun(std::string_view value, Visitor visit) {
  uint32_t index = 0;
  RunReader reader(value);
  while (!reader.AtEnd()) {
    const std::optional<Run> run = reader.Peek();
    if (!run || run->length > kRegisterCount - index) return std::unexpected(Corrupt{});
    visit(index, *run);
    index += run->length;
    reader.Skip(*run);
  }
  if (index != kRegisterCount) return std::unexpected(Corrupt{});
  return {};
}

// A few runs written one after another; the caller knows that they are few.
class RunWriter {
 public:
  void Zeros(uint32_t length) {
    if (length == 0) return;
    if (length <= kShortZerosMax) {
      Put(length - 1);
    } else {
      Put(0x40 | ((length - 1) >> 8));
      Put((length - 1) & 0xff);
    }
  }

  // REQUIRES: 1 <= value <= 32, length <= 4.
  void Values(uint8_t value, uint32_t length) {
    if (length > 0) Put(0x80 | ((value - 1u) << 2) | (length - 1));
  }

  // Zeros or Values, whichever `value` asks for.
  void Write(uint8_t value, uint32_t length) { value == 0 ? Zeros(length) : Values(value, length); }

  std::string_view bytes() const { return {bytes_, size_}; }

 private:
  void Put(unsigned byte) { bytes_[size_++] = static_cast<char>(byte); }

  char bytes_[8];
  size_t size_ = 0;
};

void MarkStale(char* value) {
  value[kStaleAt] = static_cast<char>(value[kStaleAt] | kStaleBit);
}

std::string Header(Encoding encoding) {
  std::string value(kHeaderBytes, '\0');
  std::memcpy(value.data(), kMagic.data(), kMagic.size());
  value[kEncodingAt] = static_cast<char>(encoding);
  return value;
}

bool RaisePacked(char* value, const Proposal& proposal) {
  char* packed = value + kHeaderBytes;
  if (internal::GetPacked(packed, proposal.index) >= proposal.value) return false;
  internal::SetPacked(packed, proposal.index, proposal.value);
  MarkStale(value);
  return true;
}

// The run that holds a register.
struct Place {
  Run run;
  uint32_t first;   // the first register of the run
  size_t position;  // of the run, in bytes
  size_t previous;  // position of the run before, or the same
};

Outcome<Place> FindRun(std::string_view value, uint32_t index) {
  RunReader reader(value);
  size_t previous = reader.position();
  uint32_t first = 0;
  while (const std::optional<Run> run = reader.Peek()) {
    // Cannot overflow: first <= index < 16384.
    if (index - first < run->length) {
      if (run->length > kRegisterCount - first) break;
      return Place{*run, first, reader.position(), previous};
    }
    first += run->length;
    previous = reader.position();
    reader.Skip(*run);
  }
  return std::unexpected(Corrupt{});
}

// Joins neighbouring runs of the same value near `position`, where a register was just raised.
void JoinRuns(std::string& value, size_t position) {
  // The run before, up to three written for the register, and the one behind.
  constexpr int kRunsTouched = 5;
  for (int i = 0; i < kRunsTouched && position < value.size(); ++i) {
    const auto first = static_cast<unsigned char>(value[position]);
    if (!(first & 0x80)) {
      position += first & 0x40 ? 2 : 1;
      continue;
    }
    if (position + 1 < value.size()) {
      const auto second = static_cast<unsigned char>(value[position + 1]);
      const unsigned length = (first & 3u) + (second & 3u) + 2;
      if ((first & ~3u) == (second & ~3u) && length <= kValueRunMax) {
        value[position + 1] = static_cast<char>((first & ~3u) | (length - 1));
        value.erase(position, 1);
        continue;
      }
    }
    ++position;
  }
}

Outcome<bool> AddSparse(std::string& value, const Proposal& proposal, size_t sparse_bytes_max) {
  const Outcome<Place> place = FindRun(value, proposal.index);
  if (!place) return std::unexpected(place.error());
  const Run& run = place->run;
  if (run.value >= proposal.value) return false;
  RunWriter writer;
  const uint32_t before = proposal.index - place->first;
  writer.Write(run.value, before);
  if (proposal.value <= kSparseValueMax) writer.Values(proposal.value, 1);
  writer.Write(run.value, run.length - before - 1);
  const std::string_view runs = writer.bytes();
  const bool grows = runs.size() > run.bytes();
  if (proposal.value > kSparseValueMax ||
      (grows && value.size() + runs.size() - run.bytes() > sparse_bytes_max)) {
    if (const Outcome<void> dense = ToDense(value); !dense) return std::unexpected(dense.error());
    return RaisePacked(value.data(), proposal);
  }
  value.replace(place->position, run.bytes(), runs);
  JoinRuns(value, place->previous);
  MarkStale(value.data());
  return true;
}

// Appends the registers as runs; false once a register or the size does not suit the sparse encoding.
bool AppendRuns(const Registers& registers, size_t bytes_max, std::string& value) {
  size_t index = 0;
  while (index < kRegisterCount) {
    const uint8_t current = registers.values[index];
    if (current > kSparseValueMax) return false;
    const size_t limit = std::min(kRegisterCount, current == 0 ? kRegisterCount : index + kValueRunMax);
    size_t end = index + 1;
    while (end < limit && registers.values[end] == current) ++end;
    RunWriter writer;
    writer.Write(current, static_cast<uint32_t>(end - index));
    value += writer.bytes();
    if (value.size() > bytes_max) return false;
    index = end;
  }
  return true;
}

}  // namespace

bool HasValidHeader(std::string_view value) {
  if (value.size() < kHeaderBytes || !value.starts_with(kMagic)) return false;
  const auto encoding = static_cast<Encoding>(value[kEncodingAt]);
  return encoding == Encoding::kSparse || (encoding == Encoding::kDense && value.size() == kDenseBytes);
}

Encoding EncodingOf(std::string_view value) {
  return static_cast<Encoding>(value[kEncodingAt]);
}

std::string Create() {
  std::string value = Header(Encoding::kSparse);
  RunWriter writer;
  writer.Zeros(kRegisterCount);
  value += writer.bytes();
  return value;
}

Outcome<bool> Add(std::string& value, std::string_view element, size_t sparse_bytes_max) {
  DCHECK(HasValidHeader(value));
  const Proposal proposal = internal::Propose(element);
  if (EncodingOf(value) == Encoding::kDense) return RaisePacked(value.data(), proposal);
  return AddSparse(value, proposal, sparse_bytes_max);
}

Outcome<InPlace> AddInPlace(std::span<char> value, std::string_view element) {
  const std::string_view bytes(value.data(), value.size());
  DCHECK(HasValidHeader(bytes));
  const Proposal proposal = internal::Propose(element);
  if (EncodingOf(bytes) == Encoding::kDense) {
    return RaisePacked(value.data(), proposal) ? InPlace::kChanged : InPlace::kUnchanged;
  }
  const Outcome<Place> place = FindRun(bytes, proposal.index);
  if (!place) return std::unexpected(place.error());
  return place->run.value >= proposal.value ? InPlace::kUnchanged : InPlace::kNeedsResize;
}

Outcome<void> ToDense(std::string& value) {
  if (EncodingOf(value) == Encoding::kDense) return {};
  std::string dense(kDenseBytes, '\0');
  std::memcpy(dense.data(), value.data(), kHeaderBytes);
  dense[kEncodingAt] = static_cast<char>(Encoding::kDense);
  const Outcome<void> walked = ForEachRun(value, [&dense](uint32_t first, const Run& run) {
    if (run.value == 0) return;
    for (uint32_t i = 0; i < run.length; ++i)
      internal::SetPacked(dense.data() + kHeaderBytes, first + i, run.value);
  });
  if (walked) value = std::move(dense);
  return walked;
}

std::optional<uint64_t> CachedCount(std::string_view value) {
  uint64_t count = 0;
  for (size_t i = 0; i < 8; ++i)
    count |= uint64_t{static_cast<unsigned char>(value[kCountAt + i])} << (8 * i);
  if (static_cast<unsigned char>(value[kStaleAt]) & kStaleBit) return std::nullopt;
  return count;
}

void SetCachedCount(std::span<char> value, uint64_t count) {
  for (size_t i = 0; i < 8; ++i) value[kCountAt + i] = static_cast<char>(count >> (8 * i));
}

void KeepStaleCount(std::span<char> value, std::string_view before) {
  for (size_t i = 0; i < 8; ++i) value[kCountAt + i] = before[kCountAt + i];
  value[kStaleAt] = static_cast<char>(static_cast<unsigned char>(value[kStaleAt]) | kStaleBit);
}

Outcome<uint64_t> Count(std::string_view value) {
  if (EncodingOf(value) == Encoding::kDense) {
    return internal::Estimate(internal::CountPacked(value.data() + kHeaderBytes));
  }
  Histogram histogram{};
  const Outcome<void> walked =
      ForEachRun(value, [&histogram](uint32_t, const Run& run) { histogram[run.value] += run.length; });
  if (!walked) return std::unexpected(walked.error());
  return internal::Estimate(histogram);
}

uint64_t Count(const Registers& registers) {
  Histogram histogram{};
  for (const uint8_t value : registers.values) ++histogram[value];
  return internal::Estimate(histogram);
}

Outcome<void> MergeInto(Registers& registers, std::string_view value) {
  if (EncodingOf(value) == Encoding::kDense) {
    internal::MergePacked(registers, value.data() + kHeaderBytes);
    return {};
  }
  return ForEachRun(value, [&registers](uint32_t first, const Run& run) {
    if (run.value == 0) return;
    for (uint32_t i = first; i < first + run.length; ++i) {
      registers.values[i] = std::max(registers.values[i], run.value);
    }
  });
}

std::string Encode(const Registers& registers, Encoding encoding, size_t sparse_bytes_max) {
  if (encoding == Encoding::kSparse) {
    std::string sparse = Header(Encoding::kSparse);
    MarkStale(sparse.data());
    if (AppendRuns(registers, sparse_bytes_max, sparse)) return sparse;
  }
  std::string dense = Header(Encoding::kDense);
  MarkStale(dense.data());
  dense.resize(kDenseBytes);
  internal::Pack(registers, dense.data() + kHeaderBytes);
  return dense;
}

Outcome<std::string> DescribeRuns(std::string_view value) {
  std::string text;
  const Outcome<void> walked = ForEachRun(value, [&text](uint32_t, const Run& run) {
    if (!text.empty()) text += ' ';
    if (run.form == Form::kValues) {
      text += "v:" + Int64ToString(run.value) + ',';
    } else {
      text += run.form == Form::kShortZeros ? "z:" : "Z:";
    }
    text += Int64ToString(run.length);
  });
  if (!walked) return std::unexpected(walked.error());
  return text;
}

std::optional<std::string> SelfTest() {
  constexpr uint64_t kElements = 100'000;
  constexpr size_t kSparseBytesMax = 3000;
  std::string dense(kDenseBytes, '\0');
  Registers expected;
  for (size_t i = 0; i < kRegisterCount; ++i) {
    expected.values[i] = static_cast<uint8_t>((i * 2654435761u >> 7) % internal::kRegisterLimit);
    internal::SetPacked(dense.data() + kHeaderBytes, i, expected.values[i]);
  }
  for (size_t i = 0; i < kRegisterCount; ++i) {
    if (internal::GetPacked(dense.data() + kHeaderBytes, i) != expected.values[i])
      return "register " + std::to_string(i);
  }
  std::string sparse = Create();
  std::string other = Create();
  if (!ToDense(other)) return "cannot convert an empty value";
  const double error = 1.04 / std::sqrt(static_cast<double>(kRegisterCount));
  for (uint64_t n = 1, checkpoint = 1; n <= kElements; ++n) {
    const std::string element = std::to_string(n * 0x9e3779b97f4a7c15);
    if (!Add(sparse, element, kSparseBytesMax) || !Add(other, element, kSparseBytesMax))
      return "corrupt value";
    if (n != checkpoint) continue;
    checkpoint *= 10;
    const uint64_t count = Count(other).value_or(0);
    if (Count(sparse).value_or(0) != count) return "encodings disagree at " + std::to_string(n);
    const auto allowed = static_cast<uint64_t>(std::ceil(error * 6 * static_cast<double>(n)));
    if (count > n + allowed || count + allowed < n)
      return "estimate " + std::to_string(count) + " for " + std::to_string(n);
  }
  return std::nullopt;
}

}  // namespace cinnabar::hyperloglog
