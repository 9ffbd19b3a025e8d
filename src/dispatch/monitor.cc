// The line that MONITOR shows for a command: time, database, client, and the arguments in quotes.
#include <fmt/format.h>

#include "base/quote.h"
#include "dispatch/dispatcher.h"

namespace cinnabar::dispatch {

void Dispatcher::FeedMonitors(Session& session, const Call& call) {
  if (call.command().Is(Flag::kSkipMonitor | Flag::kAdmin)) return;
  const Micros now = clock_.WallMicros(last_tick_);
  const std::string& peer = session.facts.peer;
  const std::string client = session.facts.unix_socket ? "unix:" + peer.substr(0, peer.rfind(':')) : peer;
  std::string line = fmt::format("+{}.{:06} [{} {}]", now / kMicrosPerSecond, now % kMicrosPerSecond,
                                 session.database, client);
  for (size_t i = 0; i < call.argc(); ++i) {
    line += ' ';
    if (call.redacted(i)) {
      line += "\"(redacted)\"";
    } else {
      AppendQuoted(call.arg(i), line);
    }
  }
  line += "\r\n";
  services_.clients.FeedMonitors(std::move(line));
}

}  // namespace cinnabar::dispatch
