// NodeId: who a cluster node is, for as long as it lives: 40 hexadecimal digits, also over restarts and
// changes of its address. All zero bytes on the wire: nobody.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"

namespace cinnabar::cluster {

class NodeId {
 public:
  static constexpr size_t kSize = 40;

  constexpr NodeId() = default;

  static NodeId Make(Random& random) {
    NodeId id;
    for (char& digit : id.digits_) digit = "0123456789abcdef"[random.Uniform(16)];
    return id;
  }
  // 40 lower-case hexadecimal digits, or none.
  static std::optional<NodeId> Parse(std::string_view text) {
    if (text.size() != kSize || text.find_first_not_of("0123456789abcdef") != std::string_view::npos)
      return std::nullopt;
    NodeId id;
    std::ranges::copy(text, id.digits_.begin());
    return id;
  }

  // Nobody.
  bool empty() const { return digits_[0] == '\0'; }
  std::string_view text() const {
    return empty() ? std::string_view{} : std::string_view{digits_.data(), kSize};
  }
  std::string str() const { return std::string(text()); }

  auto operator<=>(const NodeId&) const = default;

 private:
  std::array<char, kSize> digits_{};
};

}  // namespace cinnabar::cluster
