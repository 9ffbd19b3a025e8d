#include "scripting/bytecode.h"

#include <cstdint>
#include <cstring>

namespace cinnabar::scripting {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr uint32_t kOpcodeBits = 6;
constexpr uint32_t kSetUpvalue = 8;  // OP_SETUPVAL
constexpr int kDepthMax = 200;

// A reader that becomes broken for good at the first thing it cannot read.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  bool broken() const { return broken_; }

  void Skip(uint64_t count) {
    if (count > left_.size()) {
      broken_ = true;
      left_ = {};
      return;
    }
    left_.remove_prefix(static_cast<size_t>(count));
  }
  template <typename Number>
  Number Take() {
    Number number{};
    if (left_.size() < sizeof(number)) {
      broken_ = true;
      return number;
    }
    std::memcpy(&number, left_.data(), sizeof(number));
    left_.remove_prefix(sizeof(number));
    return number;
  }
  void SkipText() { Skip(Take<size_t>()); }
  // Each of the elements is skipped by `skip`.
  template <typename Skipper>
  void SkipEach(Skipper&& skip) {
    const auto count = Take<uint32_t>();
    for (uint32_t i = 0; i < count && !broken_; ++i) skip();
  }

 private:
  std::string_view left_;
  bool broken_ = false;
};

void SkipConstant(Reader& reader) {
  switch (reader.Take<uint8_t>()) {
    case 0:  // nil
      return;
    case 1:  // boolean
      return reader.Skip(1);
    case 3:  // number
      return reader.Skip(sizeof(double));
    default:
      return reader.SkipText();
  }
}

bool Assigns(Reader& reader, int depth) {
  bool assigns = depth > kDepthMax;
  reader.SkipText();                      // source
  reader.Skip(2 * sizeof(uint32_t) + 4);  // lines; numbers of variables
  const auto instructions = reader.Take<uint32_t>();
  for (uint32_t i = 0; i < instructions && !reader.broken(); ++i) {
    assigns |= (reader.Take<uint32_t>() & ((1U << kOpcodeBits) - 1)) == kSetUpvalue;
  }
  reader.SkipEach([&] { SkipConstant(reader); });
  const auto functions = reader.Take<uint32_t>();
  for (uint32_t i = 0; i < functions && !reader.broken() && !assigns; ++i)
    assigns |= Assigns(reader, depth + 1);
  if (assigns) return true;
  reader.SkipEach([&] { reader.Skip(sizeof(uint32_t)); });  // lines of instructions
  reader.SkipEach([&] {
    reader.SkipText();
    reader.Skip(2 * sizeof(uint32_t));
  });                                           // local variables
  reader.SkipEach([&] { reader.SkipText(); });  // names of outer variables
  return reader.broken();
}

}  // namespace

bool AssignsOuterVariables(std::string_view dump) {
  if (dump.size() < kHeaderBytes) return true;
  Reader reader(dump.substr(kHeaderBytes));
  return Assigns(reader, 0);
}

}  // namespace cinnabar::scripting
