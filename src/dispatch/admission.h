// Admission: everything that may stop a request before its handler runs, in one visible order (DESIGN §4).
//
// One per core, used on its thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "dispatch/command_telemetry.h"
#include "dispatch/core_context.h"
#include "dispatch/evictor.h"
#include "dispatch/registry.h"
#include "dispatch/session.h"

namespace cinnabar::dispatch {

class Admission {
 public:
  // All must outlive it.
  Admission(CoreContext& context, CommandTelemetry& telemetry, Evictor& evictor)
      : context_(context), telemetry_(telemetry), evictor_(evictor) {}

  void SettingsChanged();

  // Whether nothing can stop a command of this session that acts on keys alone (Command::ungated) and has the
  // right number of arguments: the short way past Admit and Paused.
  bool Open(const Session& session) const {
    return session.authenticated && !session.transaction.open && session.reply_mode == ReplyMode::kOn &&
           !session.no_touch && context_.services.pause.mode == PauseMode::kNone && !writes_guarded_ &&
           !session.only_listens() &&
           (context_.services.alarms.load(std::memory_order_relaxed) & ~Alarm::kHoldReplies) == 0;
  }

  // Whether the request may run. If not, its reply says why. `command` is null when it is unknown.
  bool Admit(Session& session, const Command* command, std::span<const std::string_view> argv);
  // Whether the command may write; of EXEC, whether a command of its queue may.
  static bool MayWrite(const Session& session, const Command& command);
  // Whether CLIENT PAUSE holds the command back.
  bool Paused(const Session& session, const Command& command) const;

 private:
  bool MayRun(Session& session, const Command& command);
  bool Reject(Session& session, const Command* command, std::string_view error);
  std::string WriteRefusal(const Session& session, const Command& command);

  CoreContext& context_;
  CommandTelemetry& telemetry_;
  Evictor& evictor_;
  bool writes_guarded_ = false;  // settings may refuse writes for want of memory or of replicas
};

}  // namespace cinnabar::dispatch
