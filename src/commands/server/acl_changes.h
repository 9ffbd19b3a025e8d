// Users from an ACL file, and what a change of users does to the clients that are connected.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "config/config_files.h"
#include "dispatch/services.h"
#include "dispatch/session.h"
#include "security/acl_users.h"

namespace cinnabar::commands {

// The users of the file. The error is what ACL LOAD answers behind "ERR ".
std::expected<std::vector<security::UserPtr>, std::string> ReadAclFile(config::ConfigFiles& files,
                                                                       const std::string& path,
                                                                       const security::RuleContext& context);

enum class ChangeCause : uint8_t {
  kRules,  // ACL SETUSER, ACL DELUSER, requirepass
  kFile,   // ACL LOAD: all users are new, and their clients have to log in again; only `default` stays
};

// Gives sessions the rights that their users have now, and closes those that may not stay. `caller` (null:
// none) is closed after its reply. With the world stopped.
void SpreadChanges(dispatch::Services& services, const dispatch::Session* caller,
                   std::span<const security::UserChange> changes, ChangeCause cause);

}  // namespace cinnabar::commands
