// A glob pattern of key or channel names, prepared for being matched often.
//
//   user:*      plain "user:", rest kAnything
//   orders      plain "orders", rest kNothing
//   a[bc]*d     plain "a", rest kGlob: GlobMatch sees only "[bc]*d"
//
// Most patterns of a user do not match a name, and most of these differ in the first eight bytes: these are
// compared as one word.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cinnabar::security {

// A name that is compared with many patterns. A view: the bytes must outlive it.
struct PreparedName {
  explicit PreparedName(std::string_view name) : bytes(name) {
    if (name.size() >= sizeof(head)) [[likely]] {
      std::memcpy(&head, name.data(), sizeof(head));
    } else if (!name.empty()) {
      std::memcpy(&head, name.data(), name.size());
    }
  }

  std::string_view bytes;
  uint64_t head = 0;  // the first eight bytes as they lie in memory, zeros behind the end
};

class NamePattern {
 public:
  // A pattern has no zero bytes.
  explicit NamePattern(std::string_view text);

  const std::string& text() const { return text_; }
  // Whether it is the pattern of every name.
  bool MatchesAll() const { return text_ == "*"; }

  bool Matches(const PreparedName& name) const {
    return ((name.head ^ head_) & head_mask_) == 0 && MatchesFully(name.bytes);
  }

 private:
  enum class Rest : uint8_t { kNothing, kAnything, kGlob };

  bool MatchesFully(std::string_view name) const;

  uint64_t head_ = 0;       // the first eight plain bytes, as PreparedName has them
  uint64_t head_mask_ = 0;  // which bytes of it there are
  std::string text_;
  size_t plain_;  // how many leading bytes stand for themselves
  Rest rest_;
};

}  // namespace cinnabar::security
