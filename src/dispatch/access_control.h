// AccessControl: the users of this server, and what dispatch asks of them: who a session is, and whether it
// may do what it wants to (DESIGN §14). What users and rules are is decided in security/.
//
// Threads: users change with the world stopped. The log and the counters may be used by any core.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/keys.h"
#include "dispatch/registry.h"
#include "security/acl_check.h"
#include "security/acl_log.h"
#include "security/acl_users.h"
#include "security/command_catalog.h"

namespace cinnabar::config {
struct Settings;
}

namespace cinnabar::dispatch {

class Clients;
struct Session;

// "(superuser)" for who has none: it is the server itself that acts.
std::string_view UserName(const Session& session);

// What rules have to know of the registry's commands, whose ids are the catalog's.
security::CommandCatalog MakeCommandCatalog(const Registry& registry);

class AccessControl {
 public:
  // All must outlive it.
  AccessControl(const Registry& registry, Clients& clients, const config::Settings& settings);

  security::Users& users() { return users_; }
  security::AclLog& log() { return log_; }

  // Who the session is. In its core's thread, or with the world stopped.
  // As a new connection is: the default user, logged in if that needs no password.
  void Connect(Session& session) const;
  // Its user has said who it is.
  void LogIn(Session& session, security::UserPtr user) const;
  // The same user, with other rights.
  void Update(Session& session, security::UserPtr user) const;
  // The default user has changed: who has not logged in may now be let in, or no longer.
  void LookAgain(Session& session) const;

  // Counts a denial and keeps it in the log. `session` is the client's, not that of its script.
  void NoteDenial(const Session& session, const Command& command, std::span<const std::string_view> argv,
                  security::Verdict verdict, security::DenialContext context);
  // `word` is the command as it was sent.
  void NoteFailedLogin(const Session& session, std::string_view word, std::string_view name);

  struct Denials {
    std::atomic<uint64_t> logins{0};
    std::atomic<uint64_t> commands{0};
    std::atomic<uint64_t> keys{0};
    std::atomic<uint64_t> channels{0};
  };
  const Denials& denials() const { return denials_; }
  void ResetFigures() { denials_.logins = denials_.commands = denials_.keys = denials_.channels = 0; }

 private:
  void Note(const Session& session, security::Denial denial);

  Clients& clients_;
  const config::Settings& settings_;
  const security::CommandCatalog catalog_;
  security::Users users_;
  security::AclLog log_;
  Denials denials_;
};

// Asks whether a user may run a request, with room that is used again. One thread's.
class AccessCheck {
 public:
  // `keys` are those of the request that are keys, as the preparer finds them.
  security::Verdict Check(const security::User& user, const Command& command,
                          std::span<const std::string_view> argv, std::span<const PlacedKey> keys);
  // Finds the keys itself.
  security::Verdict Check(const security::User& user, const Command& command,
                          std::span<const std::string_view> argv);
  // Whether it may read all keys besides.
  bool MayReadAllKeys(const security::User& user, const Command& command,
                      std::span<const std::string_view> argv);

 private:
  security::Attempt Describe(const Command& command, std::span<const std::string_view> argv);
  void AddKey(const Command& command, std::span<const std::string_view> argv, uint32_t index, uint16_t use);
  void FindKeyArguments(const Command& command, std::span<const std::string_view> argv);
  void FindChannels(const Command& command, std::span<const std::string_view> argv);

  std::vector<KeyPosition> positions_;
  std::vector<security::KeyArgument> keys_;
  std::vector<security::ChannelArgument> channels_;
};

}  // namespace cinnabar::dispatch
