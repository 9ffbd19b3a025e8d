#include "commands/server/acl_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "dispatch/access_control.h"
#include "dispatch/clients.h"
#include "security/acl_check.h"
#include "security/acl_file.h"

namespace cinnabar::commands {
namespace {

using dispatch::Session;
using pubsub::Kind;
using security::ChannelUse;
using security::User;
using security::UserChange;

bool MayKeep(const Session& session, const User& user, Kind kind) {
  const ChannelUse use = kind == Kind::kPattern ? ChannelUse::kPattern : ChannelUse::kName;
  const auto& names = session.subscriber->names(kind);
  return std::ranges::all_of(names, [&](const auto& name) { return MayUseChannel(user, name.first, use); });
}

bool MayKeepSubscriptions(const Session& session, const UserChange& change) {
  if (!session.subscribed() || KeepsChannels(*change.before, *change.after)) return true;
  return MayKeep(session, *change.after, Kind::kChannel) && MayKeep(session, *change.after, Kind::kPattern) &&
         MayKeep(session, *change.after, Kind::kShardChannel);
}

bool MayStay(const Session& session, const UserChange& change, ChangeCause cause) {
  if (change.after == nullptr) return false;
  if (cause == ChangeCause::kFile && change.after->name() != security::kDefaultUser) return false;
  return MayKeepSubscriptions(session, change);
}

}  // namespace

std::expected<std::vector<security::UserPtr>, std::string> ReadAclFile(config::ConfigFiles& files,
                                                                       const std::string& path,
                                                                       const security::RuleContext& context) {
  const auto text = files.Read(path);
  if (!text)
    return std::unexpected(
        fmt::format("Error loading ACLs, opening file '{}': {}", path, text.error().message));
  auto users = security::ParseAclFile(*text, path, context);
  if (!users) return std::unexpected(users.error().Report());
  return *std::move(users);
}

void SpreadChanges(dispatch::Services& services, const Session* caller, std::span<const UserChange> changes,
                   ChangeCause cause) {
  std::map<const User*, const UserChange*> by_user;
  for (const UserChange& change : changes) {
    if (change.before != nullptr) by_user.emplace(change.before.get(), &change);
  }
  if (by_user.empty()) return;
  std::vector<Session*> closed;
  services.clients.ForEach([&](Session& session) {
    if (session.user == nullptr) return;
    const auto found = by_user.find(session.user.get());
    if (found == by_user.end()) return services.access->LookAgain(session);
    const UserChange& change = *found->second;
    if (!MayStay(session, change, cause)) closed.push_back(&session);
    if (change.after != nullptr) services.access->Update(session, change.after);
  });
  for (Session* session : closed) services.clients.Close(*session, caller);
}

}  // namespace cinnabar::commands
