// EVAL and FCALL, in all their forms.
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::KeySpec;
using dispatch::Scripts;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

template <Scripts::By by, Scripts::Writes writes>
void Run(Call& call) {
  call.services().scripts->Run(call, by, writes);
}

constexpr KeySpec Counted(int use, std::string_view notes) {
  return {.use = static_cast<uint16_t>(use),
          .first = 2,
          .find = KeySpec::Find::kKeyNumber,
          .number_at = 0,
          .first_key = 1,
          .notes = notes};
}

constexpr std::string_view kWorst =
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
constexpr std::string_view kWorstRead =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";
constexpr int kWriteUse = KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate;
constexpr int kReadUse = KeyUse::kRo | KeyUse::kAccess;
constexpr uint64_t kFlags =
    Flag::kNoScript | Flag::kStale | Flag::kSkipMonitor | Flag::kNoMandatoryKeys | Flag::kRunsScript;
constexpr std::string_view kComplexity = "Depends on the script that is executed.";
constexpr std::string_view kFunctionComplexity = "Depends on the function that is executed.";

constexpr CommandSpec kTable[] = {
    {
        .name = "eval",
        .synopsis = "script:string numkeys [key...] [arg...]",
        .summary = "Executes a script.",
        .since = "2.6.0",
        .group = "scripting",
        .complexity = kComplexity,
        .arity = -3,
        .flags = kFlags | Flag::kMayReplicate,
        .keys = {Counted(kWriteUse, kWorst)},
        .run = Run<Scripts::By::kText, Scripts::Writes::kMay>,
    },
    {
        .name = "evalsha",
        .synopsis = "sha1:string numkeys [key...] [arg...]",
        .summary = "Executes a script that the server knows, by its digest.",
        .since = "2.6.0",
        .group = "scripting",
        .complexity = kComplexity,
        .arity = -3,
        .flags = kFlags | Flag::kMayReplicate,
        .keys = {Counted(kWriteUse, "")},
        .run = Run<Scripts::By::kDigest, Scripts::Writes::kMay>,
    },
    {
        .name = "eval_ro",
        .synopsis = "script:string numkeys [key...] [arg...]",
        .summary = "Executes a script that only reads.",
        .since = "7.0.0",
        .group = "scripting",
        .complexity = kComplexity,
        .arity = -3,
        .flags = kFlags | Flag::kReadOnly,
        .keys = {Counted(kReadUse, kWorstRead)},
        .run = Run<Scripts::By::kText, Scripts::Writes::kMayNot>,
    },
    {
        .name = "evalsha_ro",
        .synopsis = "sha1:string numkeys [key...] [arg...]",
        .summary = "Executes a script that only reads and that the server knows, by its digest.",
        .since = "7.0.0",
        .group = "scripting",
        .complexity = kComplexity,
        .arity = -3,
        .flags = kFlags | Flag::kReadOnly,
        .keys = {Counted(kReadUse, "")},
        .run = Run<Scripts::By::kDigest, Scripts::Writes::kMayNot>,
    },
    {
        .name = "fcall",
        .synopsis = "function:string numkeys [key...] [arg...]",
        .summary = "Calls a function of a library.",
        .since = "7.0.0",
        .group = "scripting",
        .complexity = kFunctionComplexity,
        .arity = -3,
        .flags = kFlags | Flag::kMayReplicate,
        .keys = {Counted(kWriteUse, kWorst)},
        .run = Run<Scripts::By::kFunction, Scripts::Writes::kMay>,
    },
    {
        .name = "fcall_ro",
        .synopsis = "function:string numkeys [key...] [arg...]",
        .summary = "Calls a function of a library that only reads.",
        .since = "7.0.0",
        .group = "scripting",
        .complexity = kFunctionComplexity,
        .arity = -3,
        .flags = kFlags | Flag::kReadOnly,
        .keys = {Counted(kReadUse, kWorstRead)},
        .run = Run<Scripts::By::kFunction, Scripts::Writes::kMayNot>,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kScriptingEvalCommands{kTable};

}  // namespace cinnabar::commands
