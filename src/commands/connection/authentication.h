// Who a connection says it is.
#pragma once

#include <string_view>

#include "dispatch/call.h"

namespace cinnabar::commands {

enum class Verdict : uint8_t { kWelcome, kRefused };

// Makes it the session's user if the name and the password are right; else notes that they were not.
Verdict Authenticate(dispatch::Call& call, std::string_view user, std::string_view password);

}  // namespace cinnabar::commands
