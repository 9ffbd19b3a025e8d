// The users that the configuration names: `user` directives, or an ACL file.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "dispatch/access_control.h"
#include "dispatch/services.h"

namespace cinnabar::server {

// Whether the directives can be understood, before anything else is done. The error is the complete text for
// standard error.
Status CheckUsers(const config::Config& config, const dispatch::Registry& registry);

// At start: makes the users. The error is the text for the log.
Status LoadUsers(config::Config& config, dispatch::AccessControl& access);

// What CONFIG SET changes for users, and what CONFIG REWRITE writes for them. Both must outlive the config.
void RegisterAccessAppliers(config::Config& config, dispatch::Services& services);

}  // namespace cinnabar::server
