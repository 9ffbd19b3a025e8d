// WAIT and WAITAOF: whether what the client wrote has been copied, to replicas or to the disk. There are no
// replicas yet: a client that waits for one waits until the time is up.
//
// WAITAOF only looks: with appendfsync everysec the answer comes with the next fsync, and with `no` when
// somebody else makes the file durable (a rewrite, the end of the server), which may be never.
#include <limits>

#include "dispatch/args.h"
#include "dispatch/blocking.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::DataFiles;
using protocol::ReplyWriter;
namespace Flag = dispatch::Flag;

constexpr int64_t kReplicas = 0;  // that have acknowledged anything

constexpr std::string_view kNoAppendOnly =
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

class WaitingForReplicas final : public dispatch::Waiting {
 public:
  bool Serve(Call&, const keyspace::Key&) override { return false; }
  void TimeOut(ReplyWriter& reply) const override { reply.Integer(kReplicas); }
};

void Wait(Call& call) {
  Args args(call);
  const int64_t replicas = args.Int();
  const Millis deadline = dispatch::TakeTimeoutMillis(args, call.now());
  if (args.failed()) return args.Reply(call);
  if (kReplicas >= replicas || !call.may_block()) return call.reply().Integer(kReplicas);
  call.Block(std::make_unique<WaitingForReplicas>(), {}, deadline);
}

// What a client wants to know about what it wrote.
class DurableCopies {
 public:
  DurableCopies(const DataFiles& files, uint64_t written, bool local, int64_t replicas)
      : files_(files), written_(written), local_(local), replicas_(replicas) {}

  // Whether there is an answer that time would not change.
  bool Settled() const {
    const DataFiles::LocalCopy copy = files_.Local();
    if (local_ && !copy.kept) return true;
    return (!local_ || copy.durable >= written_) && kReplicas >= replicas_;
  }
  void Reply(ReplyWriter& reply) const {
    const DataFiles::LocalCopy copy = files_.Local();
    if (local_ && !copy.kept) return reply.Error(kNoAppendOnly);
    reply.Array(2);
    reply.Integer(copy.kept && copy.durable >= written_ ? 1 : 0);
    reply.Integer(kReplicas);
  }

 private:
  const DataFiles& files_;
  const uint64_t written_;
  const bool local_;
  const int64_t replicas_;
};

class WaitingForCopies final : public dispatch::Waiting {
 public:
  explicit WaitingForCopies(const DurableCopies& copies) : copies_(copies) {}

  bool Serve(Call&, const keyspace::Key&) override { return false; }
  bool ServeCopies(ReplyWriter& reply) override {
    if (!copies_.Settled()) return false;
    copies_.Reply(reply);
    return true;
  }
  void TimeOut(ReplyWriter& reply) const override { copies_.Reply(reply); }

 private:
  const DurableCopies copies_;
};

void WaitAof(Call& call) {
  Args args(call);
  const int64_t local = args.Int(0, 1, "ERR value is out of range, value must between 0 and 1");
  const int64_t replicas =
      args.Int(0, std::numeric_limits<int64_t>::max(), "ERR value is out of range, must be positive");
  const Millis deadline = dispatch::TakeTimeoutMillis(args, call.now());
  if (args.failed()) return args.Reply(call);
  const DurableCopies copies(*call.services().files, call.session().written, local != 0, replicas);
  if (copies.Settled() || !call.may_block()) return copies.Reply(call.reply());
  call.Block(std::make_unique<WaitingForCopies>(copies), {}, deadline);
}

constexpr CommandSpec kTable[] = {
    {
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
    },
    {
        .name = "waitaof",
        .synopsis = "numlocal:integer numreplicas:integer timeout:integer",
        .summary =
            "Waits until the client's writes are in the append-only file on disk, here and on a number of "
            "replicas, or the time is over.",
        .since = "7.2.0",
        .group = "generic",
        .complexity = "O(1)",
        .arity = 4,
        .flags = Flag::kNoScript,
        .categories = "=connection",
        .tips = "request_policy:all_shards,response_policy:agg_min",
        .run = WaitAof,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericWaitCommands{kTable};

}  // namespace cinnabar::commands
