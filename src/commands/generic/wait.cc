// WAIT: how many replicas have acknowledged the client's writes. There are no replicas: the answer is known.
#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Wait(Call& call) {
  Args args(call);
  args.Int();
  const auto timeout = ParseInt64(call.arg(2));
  if (!timeout) args.Fail("ERR timeout is not an integer or out of range");
  if (timeout && *timeout < 0) args.Fail("ERR timeout is negative");
  if (args.failed()) return args.Reply(call);
  call.reply().Integer(0);
}

constexpr CommandSpec kTable[] = {{
    .name = "wait",
    .synopsis = "numreplicas:integer timeout:integer",
    .summary = "Waits until a number of replicas have received the client's writes, or the time is over.",
    .since = "3.0.0",
    .group = "generic",
    .complexity = "O(1)",
    .arity = 3,
    .flags = Flag::kNoScript,
    .categories = "=connection",
    .tips = "request_policy:all_shards,response_policy:agg_min",
    .run = Wait,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericWaitCommands{kTable};

}  // namespace cinnabar::commands
