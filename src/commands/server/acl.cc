// ACL: users and what they may do. What a rule means is decided in security/.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/help_reply.h"
#include "commands/server/acl_changes.h"
#include "commands/server/acl_texts.h"
#include "config/config.h"
#include "dispatch/access_control.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "dispatch/dispatcher.h"
#include "security/acl_describe.h"
#include "security/acl_file.h"
#include "security/password.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::Command;
using dispatch::CommandSpec;
using dispatch::SameWord;
using security::UserChange;
using security::UserPtr;
namespace Flag = dispatch::Flag;

security::Users& UsersOf(Call& call) {
  return call.services().access->users();
}

void RefuseArguments(Call& call) {
  call.reply().Error(fmt::format(
      "ERR unknown subcommand or wrong number of arguments for '{}'. Try ACL HELP.", call.arg(1)));
}

// ---- users ----

// Passwords may stand in any argument.
void RedactRules(Call& call) {
  for (size_t i = 2; i < call.argc(); ++i) call.Redact(i);
}

void SetUser(Call& call) {
  RedactRules(call);
  auto change = UsersOf(call).Set(call.arg(2), call.argv().subspan(3));
  if (!change) return call.reply().Error(change.error().reply);
  SpreadChanges(call.services(), &call.session(), {&*change, 1}, ChangeCause::kRules);
  call.reply().Ok();
}

void DeleteUser(Call& call) {
  RedactRules(call);
  const auto names = call.argv().subspan(2);
  if (std::ranges::find(names, security::kDefaultUser) != names.end())
    return call.reply().Error(security::kDefaultUserStays);
  std::vector<UserChange> changes;
  for (std::string_view name : names) {
    if (UserPtr removed = UsersOf(call).Remove(name)) changes.push_back({std::move(removed), nullptr});
  }
  SpreadChanges(call.services(), &call.session(), changes, ChangeCause::kRules);
  call.reply().Integer(static_cast<int64_t>(changes.size()));
}

void WriteSelector(Call& call, const security::SelectorDetails& selector) {
  auto& reply = call.reply();
  reply.Bulk("commands");
  reply.Bulk(selector.commands);
  reply.Bulk("keys");
  reply.Bulk(selector.keys);
  reply.Bulk("channels");
  reply.Bulk(selector.channels);
}

void GetUser(Call& call) {
  auto& reply = call.reply();
  const UserPtr user = UsersOf(call).Find(call.arg(2));
  if (user == nullptr) return reply.Null();
  const security::UserDetails details = security::DescribeUser(*user);
  reply.Map(6);
  reply.Bulk("flags");
  reply.Set(details.flags.size());
  for (const std::string& flag : details.flags) reply.Bulk(flag);
  reply.Bulk("passwords");
  reply.BulkArray(details.passwords);
  WriteSelector(call, details.root);
  reply.Bulk("selectors");
  reply.Array(details.selectors.size());
  for (const security::SelectorDetails& selector : details.selectors) {
    reply.Map(3);
    WriteSelector(call, selector);
  }
}

void List(Call& call) {
  call.reply().BulkArray(UsersOf(call).Lines());
}

void UserNames(Call& call) {
  call.reply().BulkArray(UsersOf(call).Names());
}

void WhoAmI(Call& call) {
  call.reply().Bulk(dispatch::UserName(call.session()));
}

void GeneratePassword(Call& call) {
  if (call.argc() > 3) return RefuseArguments(call);
  int64_t bits = security::kPasswordBitsDefault;
  if (call.argc() == 3) {
    const auto given = ParseInt64(call.arg(2));
    if (!given) return call.reply().Error(errors::kNotInteger);
    bits = *given;
  }
  const auto password = security::GeneratePassword(bits);
  if (!password) return call.reply().Error(security::kBadPasswordBits);
  call.reply().Bulk(*password);
}

// ---- commands and categories ----

void Categories(Call& call) {
  std::vector<std::string> names;
  const security::CommandCatalog& catalog = UsersOf(call).catalog();
  if (call.argc() > 3) return RefuseArguments(call);
  if (call.argc() == 2) {
    for (const security::CategoryName& category : catalog.category_names()) names.emplace_back(category.name);
    return call.reply().BulkArray(names);
  }
  const uint64_t category = catalog.FindCategory(call.arg(2));
  if (category == 0) {
    return call.reply().Error(fmt::format("ERR Unknown category '{}'", security::Shown(call.arg(2))));
  }
  for (security::CommandId id : catalog.by_name()) {
    if ((catalog.categories(id) & category) != 0) names.emplace_back(catalog.name(id));
  }
  call.reply().BulkArray(names);
}

void DryRun(Call& call) {
  const UserPtr user = UsersOf(call).Find(call.arg(2));
  if (user == nullptr) {
    return call.reply().Error(fmt::format("ERR User '{}' not found", security::Shown(call.arg(2))));
  }
  const auto argv = call.argv().subspan(3);
  const Command* command = call.services().registry.Resolve(argv);
  if (command == nullptr) {
    return call.reply().Error(fmt::format("ERR Command '{}' not found", security::Shown(argv[0])));
  }
  if (!command->AcceptsArgumentCount(argv.size())) {
    return call.reply().Error(fmt::format("ERR wrong number of arguments for '{}' command", command->name));
  }
  const security::Verdict verdict = call.dispatcher().admission().access().Check(*user, *command, argv);
  if (verdict.allowed()) return call.reply().Ok();
  call.reply().Bulk(security::DryRunReply(verdict, command->name, argv));
}

// ---- the log ----

void WriteEntry(Call& call, const security::DenialEntry& entry, Millis now) {
  const bool newer = call.settings().general.compat_version != config::CompatVersion::k70;
  auto& reply = call.reply();
  reply.Map(newer ? 10 : 7);
  reply.Bulk("count");
  reply.Integer(static_cast<int64_t>(entry.count));
  reply.Bulk("reason");
  reply.Bulk(Name(entry.denial.reason));
  reply.Bulk("context");
  reply.Bulk(Name(entry.denial.context));
  reply.Bulk("object");
  reply.Bulk(entry.denial.object);
  reply.Bulk("username");
  reply.Bulk(entry.denial.username);
  reply.Bulk("age-seconds");
  reply.Double(entry.AgeSeconds(now));
  reply.Bulk("client-info");
  reply.Bulk(entry.denial.client_info);
  if (!newer) return;
  reply.Bulk("entry-id");
  reply.Integer(static_cast<int64_t>(entry.id));
  reply.Bulk("timestamp-created");
  reply.Integer(entry.created);
  reply.Bulk("timestamp-last-updated");
  reply.Integer(entry.repeated);
}

void Log(Call& call) {
  constexpr int64_t kDefaultCount = 10;
  security::AclLog& log = call.services().access->log();
  int64_t count = kDefaultCount;
  if (call.argc() > 3) return RefuseArguments(call);
  if (call.argc() == 3 && SameWord(call.arg(2), "RESET")) {
    log.Reset();
    return call.reply().Ok();
  }
  if (call.argc() == 3) {
    const auto given = ParseInt64(call.arg(2));
    if (!given) return call.reply().Error(errors::kNotInteger);
    count = std::max<int64_t>(*given, 0);
  }
  const auto entries = log.Latest(static_cast<size_t>(count));
  const Millis now = SystemWallNanos() / kNanosPerMilli;
  call.reply().Array(entries.size());
  for (const security::DenialEntry& entry : entries) WriteEntry(call, entry, now);
}

// ---- the file ----

constexpr std::string_view kNoFile =
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL "
    "SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in "
    "order to store users in the Redis configuration.";

void Load(Call& call) {
  const std::string& path = call.settings().security.aclfile;
  if (path.empty()) return call.reply().Error(kNoFile);
  auto users = ReadAclFile(call.services().config.files(), path, UsersOf(call).context());
  if (!users) return call.reply().Error("ERR " + users.error());
  const auto changes = UsersOf(call).Replace(*std::move(users));
  SpreadChanges(call.services(), &call.session(), changes, ChangeCause::kFile);
  call.reply().Ok();
}

void Save(Call& call) {
  const std::string& path = call.settings().security.aclfile;
  if (path.empty()) return call.reply().Error(kNoFile);
  const Status saved = call.services().config.files().Replace(path, security::WriteAclFile(UsersOf(call)));
  if (saved) return call.reply().Ok();
  call.services().log.Warning("Saving ACLs to '{}': {}", path, saved.error().message);
  call.reply().Error(
      "ERR There was an error trying to save the ACLs. Please check the server logs for more information");
}

void Help(Call& call) {
  ReplyHelp(call, kAclHelp);
}

// ---- facts ----

constexpr uint64_t kOpenFlags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSentinel;
constexpr uint64_t kReadFlags = kOpenFlags | Flag::kAdmin;
// Users are read on any core without locks.
constexpr uint64_t kChangeFlags = kReadFlags | Flag::kWorld;

constexpr CommandSpec AclCommand(std::string_view name, int arity, uint64_t flags, dispatch::Handler run) {
  CommandSpec spec{.name = name, .since = "6.0.0", .group = "server"};
  spec.arity = arity;
  spec.flags = flags;
  spec.run = run;
  return spec;
}

constexpr CommandSpec With(CommandSpec spec, std::string_view synopsis, std::string_view summary,
                           std::string_view complexity) {
  spec.synopsis = synopsis;
  spec.summary = summary;
  spec.complexity = complexity;
  return spec;
}
constexpr CommandSpec Since(CommandSpec spec, std::string_view since, std::string_view history) {
  if (!since.empty()) spec.since = since;
  spec.history = history;
  return spec;
}

constexpr std::string_view kEachUser = "O(N). Where N is the number of configured users.";

constexpr CommandSpec kTable[] = {
    With(AclCommand("acl", -2, Flag::kSentinel, nullptr), "",
         "A container for commands about users and their rights.", "Depends on subcommand."),
    With(AclCommand("acl|cat", -2, kOpenFlags, Categories), "[category]",
         "Lists the categories of commands, or the commands of a category.",
         "O(1) since the categories and commands are a fixed set."),
    With(AclCommand("acl|deluser", -3, kChangeFlags, DeleteUser), "username...",
         "Deletes users and closes their connections.", "O(1) amortized time considering the typical user."),
    Since(With(AclCommand("acl|dryrun", -4, kReadFlags, DryRun), "username command [arg...]",
               "Tells whether a user could run a command, without running it.", "O(1)."),
          "7.0.0", ""),
    With(AclCommand("acl|genpass", -2, kOpenFlags, GeneratePassword), "[bits:integer]",
         "Returns a random password.", "O(1)"),
    Since(With(AclCommand("acl|getuser", 3, kReadFlags, GetUser), "username",
               "Returns the rules of a user, part by part.",
               "O(N). Where N is the number of password, command and pattern rules that the user has."),
          "",
          "6.2.0: Added Pub/Sub channel patterns.|7.0.0: Added selectors and changed the format of key and "
          "channel patterns from a list to their rule representation."),
    With(AclCommand("acl|help", 2, Flag::kLoading | Flag::kStale | Flag::kSentinel, Help), "",
         "Returns helpful text about the subcommands.", "O(1)"),
    With(AclCommand("acl|list", 2, kReadFlags, List), "", "Returns all users with their rules.", kEachUser),
    With(AclCommand("acl|load", 2, kChangeFlags, Load), "",
         "Replaces all users by those of the ACL file, if it is free of errors.", kEachUser),
    Since(With(AclCommand("acl|log", -2, kReadFlags, Log), "operation:[count:integer|RESET]",
               "Returns the latest denials, or forgets them.",
               "O(N) with N being the number of entries shown."),
          "", "7.2.0: Added entry ID, timestamp created, and timestamp last updated."),
    With(AclCommand("acl|save", 2, kReadFlags, Save), "", "Writes all users to the ACL file.", kEachUser),
    Since(With(AclCommand("acl|setuser", -3, kChangeFlags, SetUser), "username [rule...]",
               "Makes a user, or changes its rules.", "O(N). Where N is the number of rules provided."),
          "", "6.2.0: Added Pub/Sub channel patterns.|7.0.0: Added selectors and key based permissions."),
    With(AclCommand("acl|users", 2, kReadFlags, UserNames), "", "Returns the names of all users.", kEachUser),
    With(AclCommand("acl|whoami", 2, kOpenFlags, WhoAmI), "", "Returns the name of the connection's user.",
         "O(1)"),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerAclCommands{kTable};

}  // namespace cinnabar::commands
