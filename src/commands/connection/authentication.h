// Who a connection is. Today there is one user, "default", whose password is `requirepass`.
#pragma once

#include <string_view>

#include "dispatch/call.h"

namespace cinnabar::commands {

enum class Verdict : uint8_t { kWelcome, kRefused };

// Makes the session authenticated if the name and the password are right; an unset `requirepass` lets anybody
// in.
Verdict Authenticate(dispatch::Call& call, std::string_view user, std::string_view password);

// What a new connection is: authenticated only if no password is asked for.
void ResetAuthentication(dispatch::Session& session, const config::Settings& settings);

}  // namespace cinnabar::commands
