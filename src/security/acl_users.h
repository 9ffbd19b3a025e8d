// All users of the server, by name. There always is a `default`: who has not said who he is.
//
// Threads: changed with the world stopped, read on any core otherwise. A user that was handed out stays valid
// and stays what it was; whoever keeps one looks at what Change says and takes the new one.
#pragma once

#include <expected>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "security/acl_rules.h"
#include "security/acl_user.h"

namespace cinnabar::security {

inline constexpr std::string_view kDefaultUser = "default";

// A user that took another's place. One of the two may be null: made new, or deleted.
struct UserChange {
  UserPtr before;
  UserPtr after;
};

class Users {
 public:
  // Begins with a `default` that needs no password and may do everything. `catalog` must outlive the users.
  explicit Users(const CommandCatalog& catalog);

  const CommandCatalog& catalog() const { return catalog_; }
  // acl-pubsub-default. Users that exist are left alone.
  void set_channel_default(ChannelDefault channels) { channels_ = channels; }
  RuleContext context() const { return {catalog_, channels_}; }

  // Null when there is none.
  UserPtr Find(std::string_view name) const;
  UserPtr default_user() const { return Find(kDefaultUser); }
  size_t size() const { return users_.size(); }

  // ACL SETUSER: makes the user if it is new, and applies all rules or none.
  std::expected<UserChange, RuleFailure> Set(std::string_view name, std::span<const std::string_view> rules);
  // ACL DELUSER. Null when there is no such user. REQUIRES: not the default user, which cannot be removed.
  UserPtr Remove(std::string_view name);
  // ACL LOAD and start-up: these users and no others. Without a `default` among them, that one becomes as it
  // was at the beginning. Names every user that was replaced, made or deleted.
  std::vector<UserChange> Replace(std::vector<UserPtr> users);

  // CONFIG SET requirepass: the default user's only password; empty: it needs none.
  UserChange SetDefaultPassword(std::string_view password);

  // Who logs in with this name and password: null when there is no such user, it is disabled or the password
  // is wrong. All take the same path and hash the password once.
  UserPtr Authenticate(std::string_view name, std::string_view password) const;

  // In the order of their bytes.
  std::vector<std::string> Names() const;
  // Of ACL LIST, in the order of names.
  std::vector<std::string> Lines() const;

 private:
  UserChange Put(UserPtr user);

  const CommandCatalog& catalog_;
  ChannelDefault channels_ = ChannelDefault::kNone;
  std::map<std::string, UserPtr, std::less<>> users_;
};

inline constexpr std::string_view kBadUserName = "ERR Usernames can't contain spaces or null characters";
inline constexpr std::string_view kDefaultUserStays = "ERR The 'default' user cannot be removed";

}  // namespace cinnabar::security
