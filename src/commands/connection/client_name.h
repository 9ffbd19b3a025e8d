// Names that clients give themselves: they appear in lists separated by spaces, so they hold none.
#pragma once

#include <string_view>

namespace cinnabar::commands {

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

constexpr bool ValidClientName(std::string_view name) {
  for (char c : name) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

}  // namespace cinnabar::commands
