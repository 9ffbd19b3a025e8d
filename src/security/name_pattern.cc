#include "security/name_pattern.h"

#include <algorithm>

#include "base/glob.h"

namespace cinnabar::security {

NamePattern::NamePattern(std::string_view text) : text_(text) {
  plain_ = std::min(text_.find_first_of("*?[\\"), text_.size());
  head_ = PreparedName(std::string_view(text_).substr(0, plain_)).head;
  head_mask_ = PreparedName(std::string(std::min(plain_, sizeof(head_)), '\xff')).head;
  const std::string_view rest = std::string_view(text_).substr(plain_);
  if (rest.empty()) {
    rest_ = Rest::kNothing;
  } else if (rest.find_first_not_of('*') == std::string_view::npos) {
    rest_ = Rest::kAnything;
  } else {
    rest_ = Rest::kGlob;
  }
}

bool NamePattern::MatchesFully(std::string_view name) const {
  if (!name.starts_with(std::string_view(text_).substr(0, plain_))) return false;
  if (rest_ == Rest::kAnything) return !name.empty();
  if (rest_ == Rest::kNothing) return name.size() == plain_;
  return GlobMatch(std::string_view(text_).substr(plain_), name.substr(plain_));
}

}  // namespace cinnabar::security
