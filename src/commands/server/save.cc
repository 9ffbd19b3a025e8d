// SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF: the files that keep the data set.
#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::DataFiles;
namespace Flag = dispatch::Flag;

void Save(Call& call) {
  if (const Status saved = call.services().files->Save(); !saved)
    return call.reply().Error(saved.error().message);
  call.reply().Ok();
}

void BackgroundSave(Call& call) {
  Args args(call);
  const bool patient = args.Take("SCHEDULE");
  if (args.more()) args.FailSyntax();
  if (args.failed()) return args.Reply(call);
  const auto begun = call.services().files->SaveInBackground(patient ? DataFiles::When::kWhenPossible
                                                                     : DataFiles::When::kNow);
  if (!begun) return call.reply().Error(begun.error().message);
  const bool started = *begun == DataFiles::Begun::kStarted;
  call.reply().Simple(started ? "Background saving started" : "Background saving scheduled");
}

void RewriteAppendOnly(Call& call) {
  const auto begun = call.services().files->RewriteInBackground();
  if (!begun) return call.reply().Error(begun.error().message);
  const bool started = *begun == DataFiles::Begun::kStarted;
  call.reply().Simple(started ? "Background append only file rewriting started"
                              : "Background append only file rewriting scheduled");
}

void LastSave(Call& call) {
  call.reply().Integer(call.services().files->LastSaveSeconds());
}

constexpr uint64_t kSavingFlags = Flag::kAdmin | Flag::kNoScript | Flag::kWorld;
constexpr uint64_t kBackgroundFlags = kSavingFlags | Flag::kNoAsyncLoading;

constexpr CommandSpec kTable[] = {
    {
        .name = "bgrewriteaof",
        .synopsis = "",
        .summary =
            "Rewrites the append-only file in the background, so that it is as short as the data set allows.",
        .since = "1.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 1,
        .flags = kBackgroundFlags,
        .run = RewriteAppendOnly,
    },
    {
        .name = "bgsave",
        .synopsis = "[SCHEDULE]@3.2.2",
        .summary = "Writes a snapshot in the background.",
        .since = "1.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = -1,
        .flags = kBackgroundFlags,
        .history = "3.2.2: Added the `SCHEDULE` option.",
        .run = BackgroundSave,
    },
    {
        .name = "lastsave",
        .synopsis = "",
        .summary = "Returns the Unix time of the last successful snapshot.",
        .since = "1.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 1,
        .flags = Flag::kLoading | Flag::kStale | Flag::kFast | Flag::kWorld,
        .categories = "admin,dangerous",
        .tips = "nondeterministic_output",
        .run = LastSave,
    },
    {
        .name = "save",
        .synopsis = "",
        .summary = "Writes a snapshot while everybody waits.",
        .since = "1.0.0",
        .group = "server",
        .complexity = "O(N) where N is the total number of keys in all databases",
        .arity = 1,
        .flags = kSavingFlags | Flag::kNoAsyncLoading | Flag::kNoMulti,
        .run = Save,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerSaveCommands{kTable};

}  // namespace cinnabar::commands
