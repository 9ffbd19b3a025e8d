// XCLAIM and XAUTOCLAIM: pending entries change their consumer.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "base/numbers.h"
#include "commands/stream/group_access.h"
#include "commands/stream/stream_arguments.h"
#include "commands/stream/stream_reply.h"
#include "dispatch/output_limits.h"

namespace cinnabar::commands {
namespace {

using catalog::StreamRules;
using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using protocol::ReplyWriter;
using types::PendingEntry;
using types::StreamConsumer;
using types::StreamId;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// How an entry is claimed.
struct ClaimOptions {
  Millis idle_least = 0;
  Millis delivered = 0;                // the delivery time that it gets
  std::optional<uint64_t> deliveries;  // unset: one more than now
  enum class Absent : uint8_t { kSkip, kMakePending } absent = Absent::kSkip;  // kMakePending: FORCE
  enum class Answer : uint8_t { kEntries, kIds } answer = Answer::kEntries;    // kIds: JUSTID
};

// A number with an error of its own; negative ones count as 0.
int64_t TakeNumber(Args& args, std::string_view what) {
  const auto number = ParseInt64(args.Next());
  if (!number) args.Fail(fmt::format("ERR Invalid {}", what));
  return number.value_or(0);
}

struct ClaimRequest {
  ClaimOptions how;
  std::vector<StreamId> ids;
  StreamId last_id;
};

void TakeClaimOption(Args& args, ClaimRequest& request, Millis now) {
  ClaimOptions& how = request.how;
  if (args.Take("FORCE")) {
    how.absent = ClaimOptions::Absent::kMakePending;
  } else if (args.Take("JUSTID")) {
    how.answer = ClaimOptions::Answer::kIds;
  } else if (args.TakeWith("IDLE")) {
    const int64_t idle = TakeNumber(args, "IDLE option argument for XCLAIM");
    how.delivered = __builtin_sub_overflow(now, idle, &how.delivered) ? now : how.delivered;
  } else if (args.TakeWith("TIME")) {
    how.delivered = TakeNumber(args, "TIME option argument for XCLAIM");
  } else if (args.TakeWith("RETRYCOUNT")) {
    const int64_t count = TakeNumber(args, "RETRYCOUNT option argument for XCLAIM");
    how.deliveries = count < 0 ? std::nullopt : std::optional<uint64_t>(count);
  } else if (args.TakeWith("LASTID")) {
    request.last_id = TakeStreamId(args);
  } else {
    args.Fail(fmt::format("ERR Unrecognized XCLAIM option '{}'", args.Peek()));
  }
}

ClaimRequest ParseClaim(Call& call, Args& args) {
  ClaimRequest request;
  request.how.delivered = call.now();
  request.how.idle_least = TakeNumber(args, "min-idle-time argument for XCLAIM");
  while (args.more() && !args.failed()) {
    const auto id = types::ParseStreamId(args.Peek(), 0);
    if (!id) break;
    request.ids.push_back(*id);
    args.Skip(1);
  }
  while (args.more() && !args.failed()) TakeClaimOption(args, request, call.now());
  if (request.how.delivered < 0 || request.how.delivered > call.now()) request.how.delivered = call.now();
  return request;
}

// Gives entries to one consumer.
class Claimer {
 public:
  Claimer(Call& call, const NamedGroup& named, std::string_view consumer_name, const ClaimOptions& how)
      : call_(call), named_(named), consumer_name_(consumer_name), how_(how) {
    if (StreamRulesOf(call).consumer_seen == StreamRules::Seen::kAlways) consumer();
  }

  bool IsIdle(const PendingEntry& entry) const {
    return how_.idle_least <= 0 || call_.now() - entry.delivered >= how_.idle_least;
  }

  // Removes what is pending although the stream has it no longer.
  void Forget(StreamId id) {
    named_.group->RemovePending(id);
    call_.MarkDirty(1);
    call_.Propagate({"XACK", named_.key.bytes, named_.name, types::StreamIdText(id)});
  }

  void Claim(PendingEntry& entry) {
    named_.group->Assign(entry, consumer());
    entry.delivered = how_.delivered;
    if (how_.deliveries) {
      entry.deliveries = *how_.deliveries;
    } else if (how_.answer == ClaimOptions::Answer::kEntries) {
      ++entry.deliveries;
    }
    consumer().active = call_.now();
    call_.MarkDirty(1);
    PropagateClaim(call_, named_, entry);
  }

  // Claims what was not pending. REQUIRES: the stream has it.
  void ClaimAbsent(StreamId id) {
    named_.group->AddPending(id, consumer(), how_.delivered, 1);
    Claim(*named_.group->FindPending(id));
  }

  // REQUIRES: the stream has it.
  void Reply(StreamId id) {
    if (how_.answer == ClaimOptions::Answer::kIds) return ReplyId(call_.reply(), id);
    types::StreamCursor cursor(*named_.stream, id, id);
    types::StreamEntry entry;
    CHECK(cursor.Next(entry));
    ReplyEntry(call_.reply(), entry);
  }

 private:
  StreamConsumer& consumer() {
    if (consumer_ == nullptr) consumer_ = &SeeConsumer(call_, named_, consumer_name_);
    return *consumer_;
  }

  Call& call_;
  const NamedGroup& named_;
  std::string_view consumer_name_;
  const ClaimOptions& how_;
  StreamConsumer* consumer_ = nullptr;
};

void XClaim(Call& call) {
  NamedGroup named;
  if (!OpenGroup(call, GroupUse::kWrite, named)) return;
  Args args(call, 4);
  const ClaimRequest request = ParseClaim(call, args);
  if (args.failed()) return args.Reply(call);
  call.PropagateNothing();
  const bool moves = request.last_id > named.group->last_id;
  if (moves) named.group->last_id = request.last_id;
  Claimer claimer(call, named, call.arg(3), request.how);
  // The number comes first in the reply, and is known last.
  ReplyWriter& reply = call.reply();
  OutputBuffer claimed_reply;
  OutputBuffer& outer = reply.Redirect(claimed_reply);
  size_t count = 0;
  for (StreamId id : request.ids) {
    PendingEntry* entry = named.group->FindPending(id);
    if (!named.stream->Contains(id)) {
      if (entry != nullptr) claimer.Forget(id);
      continue;
    }
    if (entry == nullptr && request.how.absent == ClaimOptions::Absent::kSkip) continue;
    if (entry == nullptr) {
      claimer.ClaimAbsent(id);
    } else if (claimer.IsIdle(*entry)) {
      claimer.Claim(*entry);
    } else {
      continue;
    }
    if (dispatch::TakesReply(call, claimed_reply.chunk_memory())) claimer.Reply(id);
    ++count;
  }
  reply.Redirect(outer);
  reply.Array(count);
  reply.Raw(std::move(claimed_reply));
  if (!moves) return;
  call.MarkDirty(1);
  PropagatePosition(call, named);
}

struct ScanRequest {
  ClaimOptions how;
  StreamId start;
  int64_t limit = 100;
};

ScanRequest ParseScan(Call& call, Args& args) {
  constexpr int64_t kLimitMost = std::numeric_limits<int64_t>::max() / (10 * int64_t{sizeof(StreamId)});
  ScanRequest request;
  request.how.delivered = call.now();
  request.how.idle_least = TakeNumber(args, "min-idle-time argument for XAUTOCLAIM");
  request.start = TakeRangeStart(args);
  while (args.more() && !args.failed()) {
    if (args.TakeWith("COUNT")) {
      request.limit = ParseInt64(args.Next()).value_or(0);
      if (request.limit < 1 || request.limit > kLimitMost) args.Fail("ERR COUNT must be > 0");
    } else if (args.Take("JUSTID")) {
      request.how.answer = ClaimOptions::Answer::kIds;
    } else {
      args.FailSyntax();
    }
  }
  return request;
}

void XAutoClaim(Call& call) {
  constexpr int64_t kAttemptsForEach = 10;
  Args args(call, 4);
  const ScanRequest request = ParseScan(call, args);
  if (args.failed()) return args.Reply(call);
  NamedGroup named;
  if (!OpenGroup(call, GroupUse::kWrite, named)) return;
  call.PropagateNothing();
  Claimer claimer(call, named, call.arg(3), request.how);

  // The cursor comes first in the reply, and is known last.
  ReplyWriter& reply = call.reply();
  OutputBuffer claimed_reply;
  OutputBuffer& outer = reply.Redirect(claimed_reply);
  reply.Begin(ReplyWriter::Aggregate::kArray);
  const auto& pending = named.group->pending();
  std::vector<StreamId> forgotten;
  size_t claimed = 0;
  int64_t attempts = request.limit * kAttemptsForEach;
  int64_t wanted = request.limit;
  auto at = pending.Lower(request.start);
  while (attempts-- > 0 && wanted > 0 && at != pending.End()) {
    const StreamId id = pending.At(at).id;
    PendingEntry& entry = *named.group->FindPending(id);
    if (!named.stream->Contains(id)) {
      claimer.Forget(id);
      forgotten.push_back(id);
      at = pending.Lower(id);
      --wanted;
      continue;
    }
    at = pending.Next(at);
    if (!claimer.IsIdle(entry)) continue;
    claimer.Claim(entry);
    claimer.Reply(id);
    ++claimed;
    --wanted;
  }
  reply.End(claimed);
  reply.Redirect(outer);
  reply.Array(3);
  ReplyId(reply, at == pending.End() ? StreamId{} : pending.At(at).id);
  reply.Raw(std::move(claimed_reply));
  reply.Array(forgotten.size());
  for (StreamId id : forgotten) ReplyId(reply, id);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "xclaim",
        .synopsis = "key group consumer min-idle-time id... [IDLE:integer ms] "
                    "[TIME:unix-time unix-time-milliseconds] [RETRYCOUNT:integer count] "
                    "[FORCE] [JUSTID] [LASTID:string id]",
        .summary =
            "Gives pending entries to another consumer of the group, as if they were handed out to it.",
        .since = "5.0.0",
        .group = "stream",
        .complexity = "O(log N) for each entry, with N pending entries of the group.",
        .arity = -6,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .tips = "nondeterministic_output",
        .run = XClaim,
    },
    {
        .name = "xautoclaim",
        .synopsis = "key group consumer min-idle-time start [COUNT:integer count] [JUSTID]",
        .summary = "Finds entries that are pending for long and gives them to a consumer of the group.",
        .since = "6.2.0",
        .group = "stream",
        .complexity = "O(1) if COUNT is small.",
        .arity = -6,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kDelete)},
        .tips = "nondeterministic_output",
        .history = "7.0.0: Added an element to the reply array, containing deleted entries the command "
                   "cleared from the PEL",
        .run = XAutoClaim,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStreamClaimCommands{kTable};

}  // namespace cinnabar::commands
