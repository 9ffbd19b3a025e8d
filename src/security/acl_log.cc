#include "security/acl_log.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace cinnabar::security {
namespace {

bool SameDenial(const Denial& a, const Denial& b) {
  return a.reason == b.reason && a.context == b.context && a.object == b.object && a.username == b.username;
}

}  // namespace

std::string_view Name(DenialReason reason) {
  switch (reason) {
    case DenialReason::kCommand:
      return "command";
    case DenialReason::kKey:
      return "key";
    case DenialReason::kChannel:
      return "channel";
    case DenialReason::kAuth:
      return "auth";
  }
  return "";
}

std::string_view Name(DenialContext context) {
  switch (context) {
    case DenialContext::kTopLevel:
      return "toplevel";
    case DenialContext::kMulti:
      return "multi";
    case DenialContext::kLua:
      return "lua";
    case DenialContext::kModule:
      return "module";
  }
  return "";
}

void AclLog::Add(Denial denial, Millis now, size_t entries_max) {
  const std::lock_guard lock(mutex_);
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(entries_.size(), kLooksBack));
  const auto known = std::find_if(entries_.begin(), end, [&](const DenialEntry& entry) {
    return SameDenial(entry.denial, denial) && std::abs(now - entry.repeated) <= kSameSpan;
  });
  if (known != end) {
    known->denial.client_info = std::move(denial.client_info);
    known->repeated = now;
    ++known->count;
    std::rotate(entries_.begin(), known, known + 1);
    return;
  }
  entries_.push_front({.denial = std::move(denial), .id = next_id_++, .created = now, .repeated = now});
  if (entries_.size() > entries_max) entries_.resize(entries_max);
}

void AclLog::Reset() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

std::vector<DenialEntry> AclLog::Latest(size_t count) const {
  const std::lock_guard lock(mutex_);
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(count, entries_.size()));
  return {entries_.begin(), end};
}

size_t AclLog::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace cinnabar::security
