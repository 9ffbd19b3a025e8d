// SSCAN: the members of a set, a few per call.
#include <vector>

#include "commands/scan_options.h"
#include "commands/set/source_sets.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Set;
using types::Type;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

using dispatch::Args;

// A call visits at most this many buckets for each member that was asked for.
constexpr uint64_t kBucketsPerMember = 10;

ScanOptions ParseOptions(Args& args) {
  ScanOptions options;
  while (args.more() && !args.failed()) {
    if (!options.Parse(args)) args.FailSyntax();
  }
  return options;
}

void SScan(Call& call) {
  const auto start = ParseScanCursor(call.arg(2));
  if (!start) return call.reply().Error(kInvalidCursor);
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), Type::kSet, holder)) return;
  protocol::ReplyWriter& reply = call.reply();
  if (!holder.exists()) {
    reply.Array(2);
    reply.Bulk("0");
    return reply.Array(0);
  }
  Args args(call, 3);
  const ScanOptions options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  const Set set(holder);
  OutputBuffer found(OutputBuffer::kFixedBytesMin);
  size_t count = 0;
  uint64_t visited = 0, buckets = 0, cursor = *start;
  OutputBuffer& target = reply.Redirect(found);
  do {
    cursor = set.Scan(cursor, [&](std::string_view member) {
      ++visited;
      if (!options.Matches(member)) return;
      reply.Bulk(member);
      ++count;
    });
    ++buckets;
  } while (cursor != 0 && visited < options.count && buckets / kBucketsPerMember < options.count);
  reply.Redirect(target);
  reply.Array(2);
  reply.Bulk(std::to_string(cursor));
  reply.Array(count);
  reply.Raw(std::move(found));
}

constexpr CommandSpec kTable[] = {{
    .name = "sscan",
    .synopsis = "key cursor:integer [MATCH:pattern pattern] [COUNT:integer count]",
    .summary = "Returns a few members of a set and the cursor for the next call.",
    .since = "2.8.0",
    .group = "set",
    .complexity = "O(1) per call with a fixed COUNT; O(N) for a whole pass over N members.",
    .arity = -3,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
    .tips = "nondeterministic_output",
    .run = SScan,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kSetScanCommands{kTable};

}  // namespace cinnabar::commands
