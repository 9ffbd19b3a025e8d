#include "security/acl_user.h"

#include <algorithm>

#include "base/ascii.h"

namespace cinnabar::security {

User::User(std::string name, const CommandCatalog& catalog, ChannelDefault channels)
    : name_(std::move(name)), selectors_{Selector(catalog, channels)} {
  Seal();
}

void User::NeedNoPassword() {
  password_hashes_.clear();
  needs_no_password_ = true;
}

void User::ForgetPasswords() {
  password_hashes_.clear();
  needs_no_password_ = false;
}

void User::AddPasswordHash(std::string_view hash) {
  needs_no_password_ = false;
  if (std::ranges::find(password_hashes_, hash) == password_hashes_.end())
    password_hashes_.emplace_back(hash);
}

bool User::RemovePasswordHash(std::string_view hash) {
  return std::erase(password_hashes_, hash) != 0;
}

void User::Seal() {
  unrestricted_ = std::ranges::any_of(selectors_, &Selector::unrestricted);
  minds_keys_ = !std::ranges::all_of(selectors_, &Selector::all_keys);
  minds_channels_ = !std::ranges::all_of(selectors_, &Selector::all_channels);
}

bool IsUserName(std::string_view name) {
  return std::ranges::none_of(name, [](char c) { return IsSpace(c) || c == '\0'; });
}

}  // namespace cinnabar::security
