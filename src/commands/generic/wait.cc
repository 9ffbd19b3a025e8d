// WAIT and WAITAOF: whether what the client wrote has been copied, to replicas or to disks.
//
// Both ask replicas to say what they have. As to this server's own disk WAITAOF only looks: with appendfsync
// everysec the answer comes with the next fsync, and with `no` when somebody else makes the file durable (a
// rewrite, the end of the server), which may be never.
#include <fmt/format.h>

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

constexpr std::string_view kOnReplica =
    "ERR {} cannot be used with replica instances. Please also note that since "
    "Redis 4.0 if a replica is configured to be writable (which is not the "
    "default) writes to replicas are just local and are not propagated.";
constexpr std::string_view kNoAppendOnly =
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

// What a client wants to know about what it wrote.
class ReplicatedCopies {
 public:
  ReplicatedCopies(const dispatch::Replication& replication, uint64_t written, int64_t replicas)
      : replication_(replication), written_(written), replicas_(replicas) {}

  bool Settled() const { return replication_.CopiesOf(written_).in_memory >= replicas_; }
  void Reply(ReplyWriter& reply) const { reply.Integer(replication_.CopiesOf(written_).in_memory); }

 private:
  const dispatch::Replication& replication_;
  const uint64_t written_;
  const int64_t replicas_;
};

// The same, on disks.
class DurableCopies {
 public:
  DurableCopies(const dispatch::Services& services, uint64_t written, bool local, int64_t replicas)
      : files_(*services.files),
        replication_(*services.replication),
        written_(written),
        local_(local),
        replicas_(replicas) {}

  // Whether there is an answer that time would not change.
  bool Settled() const {
    const DataFiles::LocalCopy copy = files_.Local();
    if (local_ && !copy.kept) return true;
    return (!local_ || copy.durable >= written_) && Replicas() >= replicas_;
  }
  void Reply(ReplyWriter& reply) const {
    const DataFiles::LocalCopy copy = files_.Local();
    if (local_ && !copy.kept) return reply.Error(kNoAppendOnly);
    reply.Array(2);
    reply.Integer(copy.kept && copy.durable >= written_ ? 1 : 0);
    reply.Integer(Replicas());
  }

 private:
  int64_t Replicas() const { return replication_.CopiesOf(written_).on_disk; }

  const DataFiles& files_;
  const dispatch::Replication& replication_;
  const uint64_t written_;
  const bool local_;
  const int64_t replicas_;
};

template <typename Copies>
class WaitingForCopies final : public dispatch::Waiting {
 public:
  explicit WaitingForCopies(const Copies& copies) : copies_(copies) {}

  bool Serve(Call&, const keyspace::Key&) override { return false; }
  bool ServeCopies(ReplyWriter& reply) override {
    if (!copies_.Settled()) return false;
    copies_.Reply(reply);
    return true;
  }
  void TimeOut(ReplyWriter& reply) const override { copies_.Reply(reply); }

 private:
  const Copies copies_;
};

// Answers at once, or when there are enough copies, or when the time is up.
template <typename Copies>
void Await(Call& call, const Copies& copies, Millis deadline) {
  if (copies.Settled() || !call.may_block()) return copies.Reply(call.reply());
  call.Block(std::make_unique<WaitingForCopies<Copies>>(copies), {}, deadline);
  call.services().replication->AskForAcknowledgements();
}

bool RefuseOnReplica(Call& call, std::string_view name) {
  if (!call.services().replication->follows()) return false;
  call.reply().Error(fmt::format(fmt::runtime(kOnReplica), name));
  return true;
}

void Wait(Call& call) {
  if (RefuseOnReplica(call, "WAIT")) return;
  Args args(call);
  const int64_t replicas = args.Int();
  const Millis deadline = dispatch::TakeTimeoutMillis(args, call.now());
  if (args.failed()) return args.Reply(call);
  Await(call, ReplicatedCopies(*call.services().replication, call.session().written, replicas), deadline);
}

void WaitAof(Call& call) {
  if (RefuseOnReplica(call, "WAITAOF")) return;
  Args args(call);
  const int64_t local = args.Int(0, 1, "ERR value is out of range, value must between 0 and 1");
  const int64_t replicas =
      args.Int(0, std::numeric_limits<int64_t>::max(), "ERR value is out of range, must be positive");
  const Millis deadline = dispatch::TakeTimeoutMillis(args, call.now());
  if (args.failed()) return args.Reply(call);
  Await(call, DurableCopies(call.services(), call.session().written, local != 0, replicas), deadline);
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
