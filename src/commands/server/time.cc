// TIME.
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Time(Call& call) {
  const Micros now = SystemWallNanos() / kNanosPerMicro;
  call.reply().Array(2);
  call.reply().BulkInteger(now / kMicrosPerSecond);
  call.reply().BulkInteger(now % kMicrosPerSecond);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "time",
        .synopsis = "",
        .summary = "Returns the server's time: Unix seconds, and microseconds within the second.",
        .since = "2.6.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 1,
        .flags = Flag::kLoading | Flag::kStale | Flag::kFast,
        .tips = "nondeterministic_output",
        .run = Time,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerTimeCommands{kTable};

}  // namespace cinnabar::commands
