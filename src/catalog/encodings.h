// The encoding names that OBJECT ENCODING answers, where Redis's versions disagree.
#pragma once

#include <span>
#include <string_view>

namespace cinnabar::catalog {

struct EncodingName {
  std::string_view type;     // as TYPE answers
  std::string_view current;  // from 7.2 on
  std::string_view before_72;
};

// Small lists were quicklists of one node, small sets of words were hash tables, and fields of hashes did not
// expire.
inline constexpr EncodingName kRenamedEncodings[] = {
    {"list", "listpack", "quicklist"},
    {"set", "listpack", "hashtable"},
    {"hash", "listpackex", "listpack"},
};

constexpr std::string_view EncodingBefore72(std::string_view type, std::string_view current) {
  for (const EncodingName& name : kRenamedEncodings) {
    if (name.type == type && name.current == current) return name.before_72;
  }
  return current;
}

}  // namespace cinnabar::catalog
