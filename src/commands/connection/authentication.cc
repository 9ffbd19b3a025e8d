#include "commands/connection/authentication.h"

#include <utility>

#include "dispatch/access_control.h"

namespace cinnabar::commands {

Verdict Authenticate(dispatch::Call& call, std::string_view user, std::string_view password) {
  dispatch::AccessControl& access = *call.services().access;
  security::UserPtr found = access.users().Authenticate(user, password);
  if (found == nullptr) {
    access.NoteFailedLogin(call.session(), call.arg(0), user);
    return Verdict::kRefused;
  }
  access.LogIn(call.session(), std::move(found));
  return Verdict::kWelcome;
}

}  // namespace cinnabar::commands
