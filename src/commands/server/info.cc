// INFO: the text itself is made by the server, which knows all its parts.
#include <string>
#include <vector>

#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;

void Info(Call& call) {
  std::vector<std::string> sections;
  for (size_t i = 1; i < call.argc(); ++i) {
    std::string& name = sections.emplace_back(call.arg(i));
    for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  const std::string text = call.services().control.Info(sections);
  // As Redis has it, of a sentinel too.
  if (call.services().sentinel != nullptr) return call.reply().Bulk(text);
  call.reply().Verbatim("txt", text);
}

constexpr CommandSpec kTable[] = {{
    .name = "info",
    .synopsis = "[section...]",
    .summary =
        "Tells what the server is, what it does and what it has done, in sections of name:value lines.",
    .since = "1.0.0",
    .group = "server",
    .complexity = "O(1)",
    .arity = -1,
    .flags = Flag::kLoading | Flag::kStale | Flag::kSentinel | Flag::kWorld,
    .categories = "dangerous",
    .tips = "nondeterministic_output,request_policy:all_shards,response_policy:special",
    .history = "7.0.0: Added support for taking multiple section arguments.",
    .run = Info,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerInfoCommands{kTable};

}  // namespace cinnabar::commands
