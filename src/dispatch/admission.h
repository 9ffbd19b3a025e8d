// Admission: everything that may stop a request before its handler runs, in one visible order (DESIGN §4).
//
// One per core, used on its thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dispatch/access_control.h"
#include "dispatch/command_telemetry.h"
#include "dispatch/core_context.h"
#include "dispatch/evictor.h"
#include "dispatch/registry.h"
#include "dispatch/router.h"
#include "dispatch/session.h"

namespace cinnabar::dispatch {

class Admission {
 public:
  // All must outlive it.
  Admission(CoreContext& context, CommandTelemetry& telemetry, Evictor& evictor)
      : context_(context), telemetry_(telemetry), evictor_(evictor) {}

  void SettingsChanged();

  // Whether nothing but its rights can stop a command of this session that acts on keys alone
  // (Command::ungated) and has the right number of arguments: the short way past Admit and Paused.
  bool Open(const Session& session, const Command& command) const {
    return !session.transaction.open && session.reply_mode == ReplyMode::kOn && !session.no_touch &&
           context_.services.pause.mode == PauseMode::kNone && !writes_guarded_ && !session.only_listens() &&
           Undisturbed(command);
  }

  // Whether the session has the right to run it. Nothing is said or noted if it has not.
  bool HasRight(const Session& session, const Command& command, std::span<const std::string_view> argv,
                std::span<const PlacedKey> keys) {
    if (session.unrestricted) [[likely]]
      return true;
    return session.authenticated && access_.Check(*session.user, command, argv, keys).allowed();
  }
  // Whether no rule of a cluster keeps the keys from this node. False: ask Admit.
  bool Serves(const Session& session, const Command& command, std::span<const PlacedKey> keys) const {
    return router_.Serves(session, command, keys);
  }
  // For who finds keys in other ways.
  AccessCheck& access() { return access_; }
  Router& router() { return router_; }
  // Whether the request may run. If not, its reply says why. `command` is null when it is unknown.
  bool Admit(Session& session, const Command* command, std::span<const std::string_view> argv,
             std::span<const PlacedKey> keys);
  // Whether the request that was admitted last is for a slot on its way to another node, or to this one: it
  // may run if AdmitHeld says so.
  bool slot_on_its_way() const { return slot_on_its_way_; }
  // Whether those of its keys that are here let it run. If not, its reply says where to go. REQUIRES: it was
  // admitted, and the shards of its keys are held.
  bool AdmitHeld(Session& session, const Command& command, std::span<const std::string_view> argv,
                 std::span<const PlacedKey> keys);
  // Whether the command may write; of EXEC, whether a command of its queue may.
  bool MayWrite(const Session& session, const Command& command, std::span<const std::string_view> argv) const;
  // The same for changes of the data set alone.
  bool Writes(const Session& session, const Command& command, std::span<const std::string_view> argv) const;
  // Whether CLIENT PAUSE holds the command back.
  bool Paused(const Session& session, const Command& command, std::span<const std::string_view> argv) const;
  // Whether as many replicas follow as settings ask for.
  bool EnoughReplicas() const;
  // What the command may do: of one that runs a script, what that says of itself.
  uint64_t FlagsOf(const Command& command, std::span<const std::string_view> argv) const;
  // The request needs what a script holds that has run for too long.
  void RefuseBusy(Session& session, const Command& command);

 private:
  // Whether no alarm concerns the command.
  bool Undisturbed(const Command& command) const {
    const uint32_t alarms =
        context_.services.alarms.load(std::memory_order_relaxed) & ~uint32_t{Alarm::kHoldReplies};
    if (alarms == 0) [[likely]]
      return true;
    return alarms == Alarm::kFollows && !command.Is(Flag::kWrite);
  }
  bool Protected(const Session& session, const Command& command) const;
  bool MayRun(Session& session, const Command& command);
  bool CheckUser(Session& session, const Command& command, std::span<const std::string_view> argv,
                 std::span<const PlacedKey> keys);
  // Whether it is this node's; else the reply says whose it is.
  bool CheckRoute(Session& session, const Command& command, std::span<const std::string_view> argv,
                  std::span<const PlacedKey> keys);
  bool Reject(Session& session, const Command* command, std::string_view error);
  enum class Shards : uint8_t { kFree, kHeld };
  bool Redirect(Session& session, const Command& command, const Route& route, Shards shards);
  std::string WriteRefusal(const Session& session, const Command& command,
                           std::span<const std::string_view> argv);
  bool Has(const Session& session, const Command& command, std::span<const std::string_view> argv,
           uint64_t flags) const;
  std::string RoleRefusal(uint64_t flags, uint64_t common_flags) const;

  CoreContext& context_;
  CommandTelemetry& telemetry_;
  Evictor& evictor_;
  AccessCheck access_;
  Router router_{context_};
  bool slot_on_its_way_ = false;
  bool writes_guarded_ = false;  // settings may refuse writes for want of memory or of replicas
};

}  // namespace cinnabar::dispatch
