// ZSCAN: the members of a sorted set with their scores, a few per call.
#include <string>

#include "commands/scan_options.h"
#include "commands/zset/sorted_sets.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// A call visits at most this many buckets for each member that was asked for.
constexpr uint64_t kBucketsPerMember = 10;

ScanOptions ParseOptions(Args& args) {
  ScanOptions options;
  while (args.more() && !args.failed()) {
    if (!options.Parse(args)) args.FailSyntax();
  }
  return options;
}

// Writes what one call finds to `reply` and moves the cursor; returns how many strings it wrote. Scores are
// strings in every version of the protocol.
size_t ScanSome(protocol::ReplyWriter& reply, const types::SortedSet& set, const ScanOptions& options,
                uint64_t& cursor) {
  size_t strings = 0;
  uint64_t visited = 0, buckets = 0;
  do {
    cursor = set.Scan(cursor, [&](std::string_view member, double score) {
      ++visited;
      if (!options.Matches(member)) return;
      char text[kDoubleTextBytes];
      reply.Bulk(member);
      reply.Bulk(std::string_view(text, FormatDouble(score, text)));
      strings += 2;
    });
    ++buckets;
  } while (cursor != 0 && visited < options.count && buckets / kBucketsPerMember < options.count);
  return strings;
}

void ZScan(Call& call) {
  const auto start = ParseScanCursor(call.arg(2));
  if (!start) return call.reply().Error(kInvalidCursor);
  keyspace::EntryHolder holder;
  if (!OpenSortedSetToRead(call, call.key(1), holder)) return;
  protocol::ReplyWriter& reply = call.reply();
  if (!holder.exists()) {
    reply.Array(2);
    reply.Bulk("0");
    return reply.Array(0);
  }
  Args args(call, 3);
  const ScanOptions options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  uint64_t cursor = *start;
  OutputBuffer found(OutputBuffer::kFixedBytesMin);
  OutputBuffer& target = reply.Redirect(found);
  const size_t strings = ScanSome(reply, types::SortedSet(holder), options, cursor);
  reply.Redirect(target);
  reply.Array(2);
  reply.Bulk(std::to_string(cursor));
  reply.Array(strings);
  reply.Raw(std::move(found));
}

constexpr CommandSpec kTable[] = {{
    .name = "zscan",
    .synopsis = "key cursor:integer [MATCH:pattern pattern] [COUNT:integer count]",
    .summary = "Returns a few members of a sorted set with their scores, and the cursor for the next call.",
    .since = "2.8.0",
    .group = "sorted-set",
    .complexity = "O(1) per call with a fixed COUNT; O(N) for a whole pass over N members.",
    .arity = -3,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
    .tips = "nondeterministic_output",
    .run = ZScan,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kZsetScanCommands{kTable};

}  // namespace cinnabar::commands
