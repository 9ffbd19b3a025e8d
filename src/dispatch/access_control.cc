#include "dispatch/access_control.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "config/settings.h"
#include "dispatch/clients.h"
#include "dispatch/session.h"

namespace cinnabar::dispatch {
namespace {

using security::Verdict;

bool LetsIn(const security::User& user) {
  return user.enabled() && user.needs_no_password();
}

uint8_t AccessOf(uint16_t use) {
  uint8_t access = security::Access::kNone;
  if ((use & KeyUse::kAccess) != 0) access |= security::Access::kRead;
  if ((use & (KeyUse::kInsert | KeyUse::kUpdate | KeyUse::kDelete)) != 0) access |= security::Access::kWrite;
  return access;
}

}  // namespace

std::string_view UserName(const Session& session) {
  return session.user == nullptr ? "(superuser)" : std::string_view(session.user->name());
}

security::CommandCatalog MakeCommandCatalog(const Registry& registry) {
  using security::CommandFacts;
  std::vector<CommandFacts> facts;
  for (const Command* command : registry.all()) {
    facts.push_back(
        {.name = command->name,
         .categories = command->categories,
         .gate = command->Is(Flag::kNoAuth) ? CommandFacts::Gate::kOpen : CommandFacts::Gate::kRules});
  }
  std::vector<security::CategoryName> categories;
  for (const BitName& row : CategoryNames()) categories.push_back({row.bit, row.name});
  return {facts, categories};
}

// ---- who a session is ----

AccessControl::AccessControl(const Registry& registry, Clients& clients, const config::Settings& settings)
    : clients_(clients), settings_(settings), catalog_(MakeCommandCatalog(registry)), users_(catalog_) {}

void AccessControl::Connect(Session& session) const {
  session.user = users_.default_user();
  session.logged_in = LetsIn(*session.user);
  LookAgain(session);
}

void AccessControl::LogIn(Session& session, security::UserPtr user) const {
  session.logged_in = true;
  Update(session, std::move(user));
}

void AccessControl::Update(Session& session, security::UserPtr user) const {
  session.user = std::move(user);
  LookAgain(session);
}

void AccessControl::LookAgain(Session& session) const {
  session.authenticated = session.logged_in || LetsIn(*users_.default_user());
  session.unrestricted = session.authenticated && session.user->unrestricted();
}

// ---- denials ----

void AccessControl::Note(const Session& session, security::Denial denial) {
  denial.client_info = clients_.Describe(session);
  log_.Add(std::move(denial), SystemWallNanos() / kNanosPerMilli,
           static_cast<size_t>(std::max<int64_t>(settings_.security.acllog_max_len, 0)));
}

void AccessControl::NoteDenial(const Session& session, const Command& command,
                               std::span<const std::string_view> argv, Verdict verdict,
                               security::DenialContext context) {
  security::Denial denial{.context = context, .username = std::string(UserName(session))};
  switch (verdict.reason) {
    case Verdict::Reason::kAllowed:
      return;
    case Verdict::Reason::kCommand:
      denial.reason = security::DenialReason::kCommand;
      denial.object = command.name;
      ++denials_.commands;
      break;
    case Verdict::Reason::kKey:
      denial.reason = security::DenialReason::kKey;
      denial.object = argv[verdict.index];
      ++denials_.keys;
      break;
    case Verdict::Reason::kChannel:
      denial.reason = security::DenialReason::kChannel;
      denial.object = argv[verdict.index];
      ++denials_.channels;
      break;
  }
  Note(session, std::move(denial));
}

void AccessControl::NoteFailedLogin(const Session& session, std::string_view word, std::string_view name) {
  ++denials_.logins;
  Note(session, {.reason = security::DenialReason::kAuth,
                 .context = session.in_transaction() || session.transaction.running > 0
                                ? security::DenialContext::kMulti
                                : security::DenialContext::kTopLevel,
                 .object = std::string(word),
                 .username = std::string(name)});
}

// ---- what a request asks for ----

void AccessCheck::AddKey(const Command& command, std::span<const std::string_view> argv, uint32_t index,
                         uint16_t use) {
  if ((use & KeyUse::kVariableFlags) != 0 && command.spec->actual_use != nullptr)
    use = command.spec->actual_use(argv);
  keys_.push_back({index, AccessOf(use)});
}

void AccessCheck::FindKeyArguments(const Command& command, std::span<const std::string_view> argv) {
  keys_.clear();
  positions_.clear();
  if (command.key_specs == 0) return;
  // Those that were found count, even if the arguments do not fit: PFMERGE with one key has no sources.
  FindKeys(command, argv, positions_);
  for (const KeyPosition& position : positions_) {
    if ((position.use & KeyUse::kNotKey) == 0) AddKey(command, argv, position.index, position.use);
  }
}

void AccessCheck::FindChannels(const Command& command, std::span<const std::string_view> argv) {
  channels_.clear();
  const ChannelSpec& spec = command.spec->channels;
  if (spec.first == 0) return;
  const size_t end = spec.repeats ? argv.size() : static_cast<size_t>(spec.first) + 1;
  for (auto i = static_cast<size_t>(spec.first); i < std::min(end, argv.size()); ++i) {
    channels_.push_back({static_cast<uint32_t>(i),
                         spec.patterns ? security::ChannelUse::kPattern : security::ChannelUse::kName});
  }
}

security::Attempt AccessCheck::Describe(const Command& command, std::span<const std::string_view> argv) {
  return {.command = command.id, .argv = argv, .keys = keys_, .channels = channels_};
}

Verdict AccessCheck::Check(const security::User& user, const Command& command,
                           std::span<const std::string_view> argv, std::span<const PlacedKey> keys) {
  if (user.unrestricted()) return {};
  keys_.clear();
  if (user.minds_keys()) {
    for (const PlacedKey& placed : keys) AddKey(command, argv, placed.index, placed.use);
  }
  FindChannels(command, argv);
  return security::Check(user, Describe(command, argv));
}

Verdict AccessCheck::Check(const security::User& user, const Command& command,
                           std::span<const std::string_view> argv) {
  if (user.unrestricted()) return {};
  FindKeyArguments(command, argv);
  FindChannels(command, argv);
  return security::Check(user, Describe(command, argv));
}

bool AccessCheck::MayReadAllKeys(const security::User& user, const Command& command,
                                 std::span<const std::string_view> argv) {
  if (user.unrestricted()) return true;
  FindKeyArguments(command, argv);
  FindChannels(command, argv);
  return security::MayReachAllKeys(user, Describe(command, argv), security::Access::kRead);
}

}  // namespace cinnabar::dispatch
