#include "dispatch/output_limits.h"

#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

bool OverOutputLimits(Session& session, const config::Settings& settings, Millis now, size_t collected) {
  if (session.replica()) return false;  // its feed looks at it
  const config::BufferLimit& limit =
      settings.clients
          .output_buffer_limit[session.subscribed() ? config::kPubsubClient : config::kNormalClient];
  const auto held = static_cast<int64_t>(session.output.chunk_memory() + collected);
  bool over = limit.hard_bytes > 0 && held >= limit.hard_bytes;
  // Strangers cannot make the server keep more than the fixed part of a buffer for them.
  if (!session.authenticated && held > 0) over = true;
  if (limit.soft_bytes > 0 && held >= limit.soft_bytes) {
    if (session.soft_limit_since == 0) session.soft_limit_since = now;
    if (now - session.soft_limit_since > limit.soft_seconds * kMillisPerSecond) over = true;
  } else {
    session.soft_limit_since = 0;
  }
  return over;
}

bool TakesReply(Call& call, size_t collected) {
  Session& session = call.session();
  if (session.closing == Closing::kNow || session.reply_mode != ReplyMode::kOn) [[unlikely]]
    return false;
  if (session.output.chunk_memory() + collected == 0) [[likely]]
    return true;
  // Not call.now(): that stands still while the command runs.
  const TickClock& clock = call.dispatcher().clock();
  if (!OverOutputLimits(session, call.settings(), clock.WallMillis(clock.Now()), collected)) return true;
  call.services().log.Warning(
      "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.", session.id,
      session.facts.peer);
  session.closing = Closing::kNow;
  return false;
}

}  // namespace cinnabar::dispatch
