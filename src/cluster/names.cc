#include "cluster/names.h"

#include <algorithm>

#include "base/ascii.h"

namespace cinnabar::cluster {
namespace {

bool IsAlphanumeric(char c) {
  const char lower = Lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

// Letters, digits and those.
bool Consists(std::string_view text, std::string_view others) {
  return std::ranges::all_of(
      text, [&](char c) { return IsAlphanumeric(c) || others.find(c) != std::string_view::npos; });
}

}  // namespace

bool IsAddress(std::string_view text) {
  return text.size() <= kAddressBytesMax && Consists(text, ".:-_%");
}

bool IsHostname(std::string_view text) {
  return text.size() <= kNameBytesMax && Consists(text, ".-_");
}

bool IsHumanName(std::string_view text) {
  return text.size() <= kNameBytesMax && std::ranges::all_of(text, [](char c) {
           return c > ' ' && c < 0x7f && c != ',' && c != '=' && c != '"' && c != '\'' && c != '\\';
         });
}

}  // namespace cinnabar::cluster
