// The gates: everything that may stop a request before its handler runs, in one visible order (DESIGN §4).
#include <fmt/format.h>

#include "catalog/errors.h"
#include "dispatch/dispatcher.h"

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

}  // namespace

bool Dispatcher::Reject(Session& session, const Command* command, std::string_view error) {
  if (command != nullptr && command->Is(Flag::kRunsTransaction) && session.in_transaction()) {
    session.transaction.Reset();
    Unwatch(session, Held::kNo);
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    session.reply.Error(fmt::format("EXECABORT Transaction discarded because of: {}", error));
  } else {
    session.reply.Error(error);
  }
  error_stats_.Add(telemetry::ErrorCodeOf(session.reply.last_error()));
  if (command != nullptr) command_stats_.AddRejected(command->id);
  if (session.in_transaction()) session.transaction.rejected = true;
  return false;
}

// Why a command that may write cannot run now; empty if it can. EXEC stands for all that it would run.
std::string Dispatcher::WriteRefusal(const Session& session, const Command& command) {
  uint64_t flags = command.flags;
  if (command.Is(Flag::kRunsTransaction) && session.in_transaction()) flags |= session.transaction.flags;
  // Whatever the command is: memory over the limit is given back as soon as possible.
  const bool full = services_.settings.memory.maxmemory_bytes > 0 && MakeRoom() == Room::kNone;
  if (full && (flags & Flag::kDenyOom) != 0) {
    return "OOM command not allowed when used memory > 'maxmemory'.";
  }
  const config::Replication& replication = services_.settings.replication;
  const uint32_t alarms = services_.alarms.load(std::memory_order_relaxed);
  if ((alarms & Alarm::kDiskTrouble) != 0 && ((flags & Flag::kWrite) != 0 || command.name == "ping")) {
    if (std::string refusal = services_.files->WriteRefusal(); !refusal.empty()) return refusal;
  }
  // There are no replicas yet.
  if ((flags & Flag::kWrite) != 0 && replication.min_replicas_to_write > 0 &&
      replication.min_replicas_max_lag_seconds > 0) {
    return "NOREPLICAS Not enough good replicas to write.";
  }
  return {};
}

bool Dispatcher::Admit(Session& session, const Command* command, std::span<const std::string_view> argv) {
  // 1. Known, and with the right number of arguments.
  if (command == nullptr) [[unlikely]] {
    const Command* container = services_.registry.Find(argv[0]);
    if (container == nullptr) return Reject(session, nullptr, UnknownCommand(argv));
    return Reject(session, container, UnknownSubcommand(*container, argv[1]));
  }
  if (!command->AcceptsArgumentCount(argv.size()) || command->spec->run == nullptr) [[unlikely]] {
    return Reject(session, command,
                  fmt::format("ERR wrong number of arguments for '{}' command", command->name));
  }
  // 2. Who may.
  if (!session.authenticated && !command->Is(Flag::kNoAuth)) [[unlikely]] {
    return Reject(session, command, errors::kNoAuth);
  }
  if (command->Is(Flag::kProtected)) [[unlikely]] {
    const config::Permission permission = services_.settings.security.enable_debug_command;
    const bool local = session.facts.unix_socket || session.facts.loopback;
    if (permission == config::Permission::kNo || (permission == config::Permission::kLocal && !local)) {
      return Reject(
          session, command,
          "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you "
          "can run it from a local connection, otherwise you need to set this option in the "
          "configuration file, and then restart the server.");
    }
  }
  // 3. What a transaction cannot hold.
  if (session.in_transaction() && command->Is(Flag::kNoMulti)) [[unlikely]] {
    return Reject(session, command, "ERR Command not allowed inside a transaction");
  }
  // 4. A data set that is not complete yet; memory, disk and replicas.
  if ((services_.alarms.load(std::memory_order_relaxed) & Alarm::kLoading) != 0 &&
      !command->Is(Flag::kLoading)) [[unlikely]] {
    return Reject(session, command, "LOADING Redis is loading the dataset in memory");
  }
  if (std::string refusal = WriteRefusal(session, *command); !refusal.empty()) [[unlikely]] {
    return Reject(session, command, refusal);
  }
  // 5. A client that only listens.
  if (session.only_listens() && !command->Is(Flag::kListening)) [[unlikely]] {
    return Reject(
        session, command,
        fmt::format("ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                    "RESET are allowed in this context",
                    command->name));
  }
  return true;
}

// CLIENT NO-TOUCH: the commands of this session leave access clocks alone, except the one whose purpose they
// are.
void Dispatcher::KeepClocks(const Session& session, const Command& command) {
  run_.spares_clocks = session.no_touch && command.name != "touch";
  ApplyModes();
}

// Of EXEC, whether a command of its queue may.
bool Dispatcher::MayWrite(const Session& session, const Command& command) {
  constexpr uint64_t kWriting = Flag::kWrite | Flag::kMayReplicate;
  if (command.Is(kWriting)) return true;
  return session.in_transaction() && command.Is(Flag::kRunsTransaction) &&
         (session.transaction.flags & kWriting) != 0;
}

// CLIENT PAUSE holds back all commands, or those that may write.
bool Dispatcher::Paused(const Session& session, const Command& command) const {
  const PauseState& pause = services_.pause;
  if (core_.now >= pause.until) return false;
  return pause.mode == PauseMode::kAll || MayWrite(session, command);
}

}  // namespace cinnabar::dispatch
