// CLIENT PAUSE and CLIENT UNPAUSE. A pause can be made longer and stricter by another one, not shorter or
// milder.
#include <algorithm>
#include <limits>

#include "base/numbers.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::PauseMode;
using dispatch::SameWord;
namespace Flag = dispatch::Flag;

void ClientPause(Call& call) {
  PauseMode mode = PauseMode::kAll;
  if (call.argc() > 4) return call.reply().Error("ERR syntax error");
  if (call.argc() == 4 && SameWord(call.arg(3), "WRITE")) {
    mode = PauseMode::kWrites;
  } else if (call.argc() == 4 && !SameWord(call.arg(3), "ALL")) {
    return call.reply().Error("ERR CLIENT PAUSE mode must be WRITE or ALL");
  }
  const auto timeout = ParseInt64(call.arg(2));
  if (!timeout || *timeout > std::numeric_limits<int64_t>::max() - call.now()) {
    return call.reply().Error("ERR timeout is not an integer or out of range");
  }
  if (*timeout < 0) return call.reply().Error("ERR timeout is negative");
  dispatch::PauseState& pause = call.services().pause;
  pause.mode = std::max(pause.mode, mode);
  pause.until = std::max(pause.until, call.now() + *timeout);
  call.services().control.PauseChanged();
  call.reply().Ok();
}

void ClientUnpause(Call& call) {
  call.services().pause = {};
  call.services().control.PauseChanged();
  call.reply().Ok();
}

constexpr uint64_t kOperatorFlags =
    Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSentinel | Flag::kWorld;

constexpr CommandSpec kTable[] = {
    {
        .name = "client|pause",
        .synopsis = "timeout:integer mode:[WRITE|ALL]@6.2.0",
        .summary = "Holds the commands of all clients back for a while, or only those that may write.",
        .since = "2.9.50",
        .group = "connection",
        .complexity = "O(1)",
        .arity = -3,
        .flags = kOperatorFlags,
        .history = "6.2.0: `CLIENT PAUSE WRITE` mode added along with the `mode` option.",
        .run = ClientPause,
    },
    {
        .name = "client|unpause",
        .summary = "Ends a pause.",
        .since = "6.2.0",
        .group = "connection",
        .complexity = "O(N) Where N is the number of paused clients",
        .arity = 2,
        .flags = kOperatorFlags,
        .run = ClientUnpause,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionClientPauseCommands{kTable};

}  // namespace cinnabar::commands
