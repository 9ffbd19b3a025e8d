// What a change of users does to the clients that are connected.
#pragma once

#include <cstdint>
#include <span>

#include "dispatch/services.h"
#include "dispatch/session.h"
#include "security/acl_users.h"

namespace cinnabar::commands {

enum class ChangeCause : uint8_t {
  kRules,  // ACL SETUSER, ACL DELUSER, requirepass
  kFile,   // ACL LOAD: all users are new, and their clients have to log in again; only `default` stays
};

// Gives sessions the rights that their users have now, and closes those that may not stay. `caller` (null:
// none) is closed after its reply. With the world stopped.
void SpreadChanges(dispatch::Services& services, const dispatch::Session* caller,
                   std::span<const security::UserChange> changes, ChangeCause cause);

}  // namespace cinnabar::commands
