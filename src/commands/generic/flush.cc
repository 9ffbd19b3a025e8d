// FLUSHDB and FLUSHALL: the tables are taken out while the world is stopped, which is quick; freeing what was
// in them is not, and happens while others work: on a worker thread (ASYNC), or in slices before the reply
// (SYNC).
#include <memory>
#include <vector>

#include "dispatch/args.h"
#include "dispatch/dispatcher.h"
#include "dispatch/tracking.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Keyspace;
namespace Flag = dispatch::Flag;

constexpr Nanos kSlice = 100 * kNanosPerMicro;
// So few keys are freed at once.
constexpr size_t kFewKeys = 1000;

using Emptied = std::vector<Keyspace::Dropped>;

class Freeing final : public dispatch::Continuation {
 public:
  explicit Freeing(Emptied emptied) : emptied_(std::move(emptied)) {}

  Progress Step(Call& call) override {
    const TickClock& clock = call.dispatcher().clock();
    const Ticks deadline = clock.Now() + clock.ToTicks(kSlice);
    while (!emptied_.empty()) {
      if (!emptied_.back().FreeSome()) emptied_.pop_back();
      if (clock.Now() >= deadline) return Progress::kMore;
    }
    call.reply().Ok();
    return Progress::kDone;
  }

 private:
  Emptied emptied_;
};

enum class Mode : uint8_t { kSync, kAsync };
enum class Extent : uint8_t { kDatabase, kEverything };

// With save points the snapshot is written anew at once, so that no restart brings back what is gone; it
// holds this change then.
void CountChanges(Call& call, Extent extent, size_t keys) {
  const bool saved = extent == Extent::kEverything && !call.settings().persistence.save.empty();
  if (!saved) call.MarkDirty(keys);
  dispatch::DataFiles* const files = call.services().files;
  if (extent == Extent::kEverything && files != nullptr && !call.core().replaying) files->DataSetEmptied();
}

void Empty(Call& call, Extent extent, Mode mode) {
  const bool everything = extent == Extent::kEverything;
  const int first = everything ? 0 : call.db().index();
  const int end = everything ? call.core().keyspace.databases() : first + 1;
  Emptied emptied;
  size_t keys = 0;
  for (int database = first; database < end; ++database) {
    emptied.push_back(call.core().keyspace.Detach(database));
    keys += emptied.back().keys();
    call.dispatcher().blocked().SignalAll(database);
  }
  if (call.services().tracking != nullptr)
    call.services().tracking->InvalidateAll(call.dispatcher().context().index, call.session_id());
  CountChanges(call, extent, keys);
  // Even if nothing was there: a replica that follows the journal may have more.
  call.Propagate(call.argv());
  if (mode == Mode::kAsync) {
    auto shared = std::make_shared<Emptied>(std::move(emptied));
    call.services().control.Defer([shared] { shared->clear(); });
  } else if (keys > kFewKeys && !call.in_transaction()) {
    return call.Suspend(std::make_unique<Freeing>(std::move(emptied)));
  }
  call.reply().Ok();
}

void Flush(Call& call, Extent extent) {
  Args args(call);
  Mode mode = call.settings().memory.lazyfree_lazy_user_flush ? Mode::kAsync : Mode::kSync;
  if (args.Take("ASYNC")) {
    mode = Mode::kAsync;
  } else if (args.Take("SYNC")) {
    mode = Mode::kSync;
  }
  if (args.more()) args.FailSyntax();
  if (args.failed()) return args.Reply(call);
  Empty(call, extent, mode);
}

void FlushDb(Call& call) {
  Flush(call, Extent::kDatabase);
}
void FlushAll(Call& call) {
  Flush(call, Extent::kEverything);
}

constexpr CommandSpec Spec(std::string_view name, std::string_view summary, std::string_view complexity,
                           dispatch::Handler run) {
  return {.name = name,
          .synopsis = "async:[ASYNC@4.0.0|SYNC@6.2.0]",
          .summary = summary,
          .since = "1.0.0",
          .group = "server",
          .complexity = complexity,
          .arity = -1,
          .flags = Flag::kWrite | Flag::kWorld,
          .categories = "keyspace,dangerous",
          .keys = {},
          .tips = "request_policy:all_shards,response_policy:all_succeeded",
          .history =
              "4.0.0: Added the `ASYNC` flushing mode modifier.|"
              "6.2.0: Added the `SYNC` flushing mode modifier.",
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("flushdb", "Removes all keys of the database.", "O(N) for N keys in the database.", FlushDb),
    Spec("flushall", "Removes all keys of all databases.", "O(N) for N keys in all databases.", FlushAll),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericFlushCommands{kTable};

}  // namespace cinnabar::commands
