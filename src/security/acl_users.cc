#include "security/acl_users.h"

#include <utility>

#include "base/check.h"
#include "security/acl_describe.h"
#include "security/password.h"

namespace cinnabar::security {
namespace {

UserPtr OpenDefaultUser(const CommandCatalog& catalog) {
  auto user = std::make_shared<User>(std::string(kDefaultUser), catalog, ChannelDefault::kAll);
  user->Enable();
  user->NeedNoPassword();
  user->root().SetAllCommands(Grant::kAllow);
  user->root().AllowAllKeys();
  user->Seal();
  return user;
}

}  // namespace

Users::Users(const CommandCatalog& catalog) : catalog_(catalog) {
  Put(OpenDefaultUser(catalog));
}

UserPtr Users::Find(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : found->second;
}

UserChange Users::Put(UserPtr user) {
  UserPtr& place = users_[user->name()];
  UserPtr before = std::exchange(place, std::move(user));
  return {std::move(before), place};
}

std::expected<UserChange, RuleFailure> Users::Set(std::string_view name,
                                                  std::span<const std::string_view> rules) {
  if (!IsUserName(name)) return std::unexpected(RuleFailure{std::string(kBadUserName)});
  UserPtr base = Find(name);
  if (base == nullptr) base = std::make_shared<User>(std::string(name), catalog_, channels_);
  auto user = ApplyRules(*base, rules, context());
  if (!user) return std::unexpected(std::move(user).error());
  return Put(*std::move(user));
}

UserPtr Users::Remove(std::string_view name) {
  CHECK(name != kDefaultUser);
  const auto found = users_.find(name);
  if (found == users_.end()) return nullptr;
  UserPtr removed = std::move(found->second);
  users_.erase(found);
  return removed;
}

std::vector<UserChange> Users::Replace(std::vector<UserPtr> users) {
  auto before = std::exchange(users_, {});
  Put(OpenDefaultUser(catalog_));
  for (UserPtr& user : users) Put(std::move(user));
  std::vector<UserChange> changes;
  for (const auto& [name, user] : users_) {
    const auto old = before.extract(name);
    changes.push_back({old ? old.mapped() : nullptr, user});
  }
  for (const auto& [name, user] : before) changes.push_back({user, nullptr});
  return changes;
}

UserChange Users::SetDefaultPassword(std::string_view password) {
  auto user = std::make_shared<User>(*default_user());
  if (password.empty()) {
    user->NeedNoPassword();
  } else {
    user->ForgetPasswords();
    user->AddPasswordHash(HashPassword(password));
  }
  return Put(std::move(user));
}

UserPtr Users::Authenticate(std::string_view name, std::string_view password) const {
  // What a name without a user is compared with: no password has this hash that anybody knows.
  static const std::string kNobody[] = {std::string(kPasswordHashDigits, '0')};
  UserPtr user = Find(name);
  const bool matches = MatchesAnyHash(
      password, user == nullptr ? std::span<const std::string>(kNobody) : user->password_hashes());
  if (user == nullptr || !user->enabled()) return nullptr;
  return matches || user->needs_no_password() ? user : nullptr;
}

std::vector<std::string> Users::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, user] : users_) names.push_back(name);
  return names;
}

std::vector<std::string> Users::Lines() const {
  std::vector<std::string> lines;
  for (const auto& [name, user] : users_) lines.push_back(UserLine(*user));
  return lines;
}

}  // namespace cinnabar::security
