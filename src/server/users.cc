#include "server/users.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "commands/server/acl_changes.h"
#include "config/line.h"
#include "security/acl_file.h"

namespace cinnabar::server {
namespace {

security::ChannelDefault ChannelsOf(const config::Settings& settings) {
  return settings.security.acl_pubsub_default == config::PubsubDefault::kAllChannels
             ? security::ChannelDefault::kAll
             : security::ChannelDefault::kNone;
}

Result<std::vector<security::UserPtr>> ParseDirectives(const config::Config& config,
                                                       const security::RuleContext& context) {
  std::vector<security::UserDirective> users;
  const std::vector<config::Directive> directives = config.Directives("user");
  for (const config::Directive& directive : directives)
    users.push_back({directive.arguments[0], {directive.arguments.begin() + 1, directive.arguments.end()}});
  auto parsed = security::ParseUserDirectives(users, context);
  if (parsed) return *std::move(parsed);
  const security::DirectiveError& error = parsed.error();
  return Fail(config.FatalText(directives[error.directive], error.text));
}

// The words of a selector are words of the line, too, as long as none needs quotes.
std::string RuleInLine(const std::string& rule) {
  const bool plain = std::ranges::all_of(
      rule, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\'; });
  return rule.starts_with('(') && plain ? rule : config::QuoteArgumentIfNeeded(rule);
}

// What CONFIG REWRITE writes for `user`. With an ACL file the users are kept there.
std::vector<std::string> UserLines(const config::Settings& settings, const security::Users& users) {
  std::vector<std::string> lines;
  if (!settings.security.aclfile.empty()) return lines;
  for (const security::UserDirective& user : security::UserDirectives(users)) {
    std::string line = config::QuoteArgumentIfNeeded(user.name);
    for (const std::string& rule : user.rules) line += ' ' + RuleInLine(rule);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

Status CheckUsers(const config::Config& config, const dispatch::Registry& registry) {
  const security::CommandCatalog catalog = dispatch::MakeCommandCatalog(registry);
  TRY(ParseDirectives(config, {catalog, ChannelsOf(config.settings())}));
  if (config.Directives("user").empty() || config.settings().security.aclfile.empty()) return {};
  return Fail(config.FatalText(
      "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is "
      "invalid. This setup is very likely to lead to configuration errors and security holes, please define "
      "either an ACL file or declare users directly in your redis.conf, but not both."));
}

Status LoadUsers(config::Config& config, dispatch::AccessControl& access) {
  const config::Settings& settings = config.settings();
  security::Users& users = access.users();
  users.set_channel_default(ChannelsOf(settings));
  auto named = TRY(ParseDirectives(config, users.context()));
  const bool names_default = std::ranges::any_of(
      named, [](const security::UserPtr& user) { return user->name() == security::kDefaultUser; });
  users.Replace(std::move(named));
  // The password of old configurations is the default user's.
  if (!names_default) users.SetDefaultPassword(settings.security.requirepass);
  const std::string& path = settings.security.aclfile;
  if (path.empty()) return {};
  auto kept = commands::ReadAclFile(config.files(), path, users.context());
  if (!kept) return Fail(fmt::format("Aborting Redis startup because of ACL errors: {}", kept.error()));
  users.Replace(*std::move(kept));
  return {};
}

void RegisterAccessAppliers(config::Config& config, dispatch::Services& services) {
  using config::Settings;
  dispatch::AccessControl& access = *services.access;
  // Who is connected stays; a new password concerns connections to come.
  config.RegisterApplier({"requirepass"}, [&](const Settings&, Settings& now) -> Status {
    const security::UserChange change = access.users().SetDefaultPassword(now.security.requirepass);
    commands::SpreadChanges(services, nullptr, {&change, 1}, commands::ChangeCause::kRules);
    return {};
  });
  config.RegisterApplier({"acl-pubsub-default"}, [&](const Settings&, Settings& now) -> Status {
    access.users().set_channel_default(ChannelsOf(now));
    return {};
  });
  config.SetLineSource("user", [&] { return UserLines(config.settings(), access.users()); });
}

}  // namespace cinnabar::server
