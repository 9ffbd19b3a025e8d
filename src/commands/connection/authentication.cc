#include "commands/connection/authentication.h"

namespace cinnabar::commands {
namespace {

constexpr std::string_view kDefaultUser = "default";

// Takes the same time wherever the two differ, so that nobody can find a password byte by byte.
bool SameSecret(std::string_view given, std::string_view expected) {
  size_t difference = given.size() ^ expected.size();
  for (size_t i = 0; i < given.size(); ++i) {
    const char other = expected.empty() ? '\0' : expected[i % expected.size()];
    difference |= static_cast<unsigned char>(given[i] ^ other);
  }
  return difference == 0;
}

}  // namespace

Verdict Authenticate(dispatch::Call& call, std::string_view user, std::string_view password) {
  const std::string& expected = call.settings().security.requirepass;
  if (user != kDefaultUser) return Verdict::kRefused;
  if (!expected.empty() && !SameSecret(password, expected)) return Verdict::kRefused;
  call.session().authenticated = true;
  call.session().user = kDefaultUser;
  return Verdict::kWelcome;
}

void ResetAuthentication(dispatch::Session& session, const config::Settings& settings) {
  session.authenticated = settings.security.requirepass.empty();
  session.user = kDefaultUser;
}

}  // namespace cinnabar::commands
