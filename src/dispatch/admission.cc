#include "dispatch/admission.h"

#include <fmt/format.h>

#include "catalog/errors.h"
#include "config/settings.h"
#include "dispatch/dispatcher.h"
#include "dispatch/tracking.h"

namespace cinnabar::dispatch {
namespace {

constexpr size_t kShownBytes = 128;

std::string UnknownCommand(std::span<const std::string_view> argv) {
  std::string shown;
  for (size_t i = 1; i < argv.size() && shown.size() < kShownBytes; ++i) {
    shown += fmt::format("'{}' ", argv[i].substr(0, kShownBytes - shown.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}", argv[0].substr(0, kShownBytes),
                     shown);
}

std::string UnknownSubcommand(const Command& container, std::string_view name) {
  std::string upper(container.name);
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return fmt::format("ERR unknown subcommand '{}'. Try {} HELP.", name.substr(0, kShownBytes), upper);
}

bool IsModule(const Command& command) {
  return command.parent != nullptr && command.parent->name == "module";
}

}  // namespace

void Admission::SettingsChanged() {
  const config::Settings& settings = context_.services.settings;
  writes_guarded_ = settings.memory.maxmemory_bytes > 0 || settings.replication.min_replicas_to_write > 0;
}

bool Admission::Reject(Session& session, const Command* command, std::string_view error) {
  if (command != nullptr && command->Is(Flag::kRunsTransaction)) {
    session.transaction.Reset();
    context_.dispatcher.Unwatch(session, Dispatcher::Held::kNo);
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    session.reply.Error(fmt::format("EXECABORT Transaction discarded because of: {}", error));
  } else {
    session.reply.Error(error);
  }
  telemetry_.AccountRefusal(session, command);
  Tracking::ForgetCaching(session, command);
  if (session.in_transaction()) session.transaction.rejected = true;
  return false;
}

// The client is told where to go. A transaction that is sent away is forgotten: it begins anew elsewhere.
bool Admission::Redirect(Session& session, const Command& command, const Route& route, Shards shards) {
  if (command.Is(Flag::kRunsTransaction)) {
    session.transaction.Reset();
    context_.dispatcher.Unwatch(session,
                                shards == Shards::kHeld ? Dispatcher::Held::kYes : Dispatcher::Held::kNo);
  }
  session.reply.Error(Router::ErrorOf(*context_.services.routing, route, session));
  telemetry_.AccountRefusal(session, &command);
  Tracking::ForgetCaching(session, &command);
  if (session.in_transaction()) session.transaction.rejected = true;
  return false;
}

bool Admission::CheckRoute(Session& session, const Command& command, std::span<const std::string_view> argv,
                           std::span<const PlacedKey> keys) {
  if (!router_.Routes(session) || router_.Serves(session, command, keys)) return true;
  const Route route = router_.Find({.session = session,
                                    .command = command,
                                    .argv = argv,
                                    .keys = keys,
                                    .writes = Writes(session, command, argv)});
  slot_on_its_way_ = route.course == Route::Course::kByKeys;
  return slot_on_its_way_ || route.course == Route::Course::kHere ||
         Redirect(session, command, route, Shards::kFree);
}

bool Admission::AdmitHeld(Session& session, const Command& command, std::span<const std::string_view> argv,
                          std::span<const PlacedKey> keys) {
  const Route route = router_.FindHeld({.session = session,
                                        .command = command,
                                        .argv = argv,
                                        .keys = keys,
                                        .writes = Writes(session, command, argv)});
  return route.course == Route::Course::kHere || Redirect(session, command, route, Shards::kHeld);
}

// Why a command that may write cannot run now; empty if it can. EXEC stands for all that it would run.
std::string Admission::WriteRefusal(const Session& session, const Command& command,
                                    std::span<const std::string_view> argv) {
  uint64_t flags = FlagsOf(command, argv), common_flags = flags;
  if (command.Is(Flag::kRunsTransaction) && session.in_transaction()) {
    flags |= session.transaction.flags;
    common_flags &= session.transaction.common_flags;
  }
  // Whatever the command is: memory over the limit is given back as soon as possible.
  // A replica keeps what its primary keeps.
  const bool evicts = context_.services.settings.memory.maxmemory_bytes > 0 && !evictor_.IgnoresLimit();
  const bool full = evicts && evictor_.MakeRoom() == Evictor::Room::kNone;
  context_.memory_full = full;
  if (full && (flags & Flag::kDenyOom) != 0) {
    return "OOM command not allowed when used memory > 'maxmemory'.";
  }
  const uint32_t alarms = context_.services.alarms.load(std::memory_order_relaxed);
  if ((alarms & Alarm::kDiskTrouble) != 0 && ((flags & Flag::kWrite) != 0 || command.name == "ping")) {
    if (std::string refusal = context_.services.files->WriteRefusal(); !refusal.empty()) return refusal;
  }
  return RoleRefusal(flags, common_flags);
}

bool Admission::EnoughReplicas() const {
  const config::Replication& settings = context_.services.settings.replication;
  const uint32_t alarms = context_.services.alarms.load(std::memory_order_relaxed);
  if ((alarms & Alarm::kFollows) != 0 || settings.min_replicas_to_write == 0 ||
      settings.min_replicas_max_lag_seconds == 0)
    return true;
  return context_.services.replication->EnoughReplicas();
}

uint64_t Admission::FlagsOf(const Command& command, std::span<const std::string_view> argv) const {
  if (!command.Is(Flag::kRunsScript) || context_.services.scripts == nullptr) [[likely]]
    return command.flags;
  return context_.services.scripts->FlagsOf(command, argv, context_.index);
}

void Admission::RefuseBusy(Session& session, const Command& command) {
  Reject(session, &command, context_.services.running_scripts.BusyError());
}

// What replication says against commands that have these flags together, and these each.
std::string Admission::RoleRefusal(uint64_t flags, uint64_t common_flags) const {
  const uint32_t alarms = context_.services.alarms.load(std::memory_order_relaxed);
  const config::Replication& settings = context_.services.settings.replication;
  if ((alarms & Alarm::kFollows) != 0) {
    if (settings.replica_read_only && (flags & Flag::kWrite) != 0)
      return "READONLY You can't write against a read only replica.";
  } else if ((flags & Flag::kWrite) != 0 && !EnoughReplicas()) {
    return "NOREPLICAS Not enough good replicas to write.";
  }
  if ((alarms & Alarm::kStale) == 0) return {};
  if ((common_flags & Flag::kStale) != 0) return {};
  return "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
}

// DEBUG, and MODULE where it would load code.
bool Admission::Protected(const Session& session, const Command& command) const {
  const config::Security& security = context_.services.settings.security;
  const config::Permission permission =
      IsModule(command) ? security.enable_module_command : security.enable_debug_command;
  const bool local = session.facts.unix_socket || session.facts.loopback;
  return permission != config::Permission::kYes && !(permission == config::Permission::kLocal && local);
}

bool Admission::MayRun(Session& session, const Command& command) {
  if (command.Is(Flag::kProtected) && Protected(session, command)) {
    return Reject(session, &command,
                  fmt::format("ERR {} command not allowed. If the {} option is set to \"local\", you can run "
                              "it from a local connection, otherwise you need to set this option in the "
                              "configuration file, and then restart the server.",
                              IsModule(command) ? "MODULE" : "DEBUG",
                              IsModule(command) ? "enable-module-command" : "enable-debug-command"));
  }
  if (!session.authenticated && !command.Is(Flag::kNoAuth)) return Reject(session, &command, errors::kNoAuth);
  if (session.replica() && command.Is(Flag::kWrite | Flag::kReadOnly | Flag::kMayReplicate))
    return Reject(session, &command, "ERR Replica can't interact with the keyspace");
  return true;
}

// What the rules of its user say.
bool Admission::CheckUser(Session& session, const Command& command, std::span<const std::string_view> argv,
                          std::span<const PlacedKey> keys) {
  if (session.unrestricted || !session.authenticated) return true;
  const security::Verdict verdict = access_.Check(*session.user, command, argv, keys);
  if (verdict.allowed()) [[likely]]
    return true;
  context_.services.access->NoteDenial(
      session, command, argv, verdict,
      session.in_transaction() ? security::DenialContext::kMulti : security::DenialContext::kTopLevel);
  return Reject(session, &command, security::DenialReply(verdict, command.name));
}

bool Admission::Admit(Session& session, const Command* command, std::span<const std::string_view> argv,
                      std::span<const PlacedKey> keys) {
  slot_on_its_way_ = false;
  // 1. Known, and with the right number of arguments.
  if (command == nullptr) [[unlikely]] {
    const Command* container = context_.services.registry.Find(argv[0]);
    if (container == nullptr) return Reject(session, nullptr, UnknownCommand(argv));
    return Reject(session, container, UnknownSubcommand(*container, argv[1]));
  }
  if (!command->AcceptsArgumentCount(argv.size()) || command->spec->run == nullptr) [[unlikely]] {
    return Reject(session, command,
                  fmt::format("ERR wrong number of arguments for '{}' command", command->name));
  }
  // 2. Who may.
  if (!MayRun(session, *command)) [[unlikely]]
    return false;
  // 3. What a transaction cannot hold.
  if (session.in_transaction() && command->Is(Flag::kNoMulti)) [[unlikely]] {
    return Reject(session, command, "ERR Command not allowed inside a transaction");
  }
  // 4. What the user may do.
  if (!CheckUser(session, *command, argv, keys)) [[unlikely]]
    return false;
  // 5. Whether it is for this node of the cluster.
  if (context_.services.routing != nullptr && !CheckRoute(session, *command, argv, keys)) [[unlikely]]
    return false;
  // 6. A data set that is not complete yet; memory, disk and replicas.
  if ((context_.services.alarms.load(std::memory_order_relaxed) & Alarm::kLoading) != 0 &&
      !command->Is(Flag::kLoading)) [[unlikely]] {
    return Reject(session, command, "LOADING Redis is loading the dataset in memory");
  }
  if ((context_.services.alarms.load(std::memory_order_relaxed) & Alarm::kLoadsApart) != 0 &&
      command->Is(Flag::kNoAsyncLoading)) [[unlikely]] {
    return Reject(session, command, "LOADING Redis is loading the dataset in memory");
  }
  if (std::string refusal = WriteRefusal(session, *command, argv); !refusal.empty()) [[unlikely]] {
    return Reject(session, command, refusal);
  }
  // 7. A script that keeps everybody waiting.
  if ((context_.services.alarms.load(std::memory_order_relaxed) & Alarm::kBusy) != 0 &&
      !command->Is(Flag::kAllowBusy) && !session.upstream) [[unlikely]] {
    return Reject(session, command, context_.services.running_scripts.BusyError());
  }
  // 8. A client that only listens.
  if (session.only_listens() && !command->Is(Flag::kListening)) [[unlikely]] {
    return Reject(
        session, command,
        fmt::format("ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                    "RESET are allowed in this context",
                    command->name));
  }
  return true;
}

// Of EXEC, whether a command of its queue has one of the flags.
bool Admission::Has(const Session& session, const Command& command, std::span<const std::string_view> argv,
                    uint64_t flags) const {
  if ((FlagsOf(command, argv) & flags) != 0) return true;
  return session.in_transaction() && command.Is(Flag::kRunsTransaction) &&
         (session.transaction.flags & flags) != 0;
}

bool Admission::MayWrite(const Session& session, const Command& command,
                         std::span<const std::string_view> argv) const {
  return Has(session, command, argv, Flag::kWrite | Flag::kMayReplicate);
}

bool Admission::Writes(const Session& session, const Command& command,
                       std::span<const std::string_view> argv) const {
  return Has(session, command, argv, Flag::kWrite);
}

// CLIENT PAUSE holds back all commands, or those that may write; never what a replica says of itself.
bool Admission::Paused(const Session& session, const Command& command,
                       std::span<const std::string_view> argv) const {
  const PauseState& pause = context_.services.pause;
  if (context_.core.now >= pause.until || session.replica()) return false;
  return pause.mode == PauseMode::kAll || MayWrite(session, command, argv);
}

}  // namespace cinnabar::dispatch
