// HSCAN: a few fields per call. A packed hash comes as a whole, whatever COUNT says.
#include "catalog/errors.h"
#include "commands/hash/hash_access.h"
#include "commands/scan_options.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using types::Hash;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// A call visits at most this many buckets for each field that was asked for.
constexpr uint64_t kBucketsPerField = 10;

struct FieldScanOptions : ScanOptions {
  bool values = true;
};

FieldScanOptions ParseOptions(Args& args) {
  FieldScanOptions options;
  while (args.more() && !args.failed()) {
    if (options.Parse(args)) continue;
    if (args.Take("NOVALUES")) {
      options.values = false;
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

void ReplyNothing(protocol::ReplyWriter& reply) {
  reply.Array(2);
  reply.Bulk("0");
  reply.Array(0);
}

void HScan(Call& call) {
  const auto start = ParseScanCursor(call.arg(2));
  if (!start) return call.reply().Error(kInvalidCursor);
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
  if (!holder.exists()) return ReplyNothing(call.reply());
  Args args(call, 3);
  const FieldScanOptions options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  Hash hash(holder, FieldClock(call));
  std::vector<Hash::Pair> found;
  uint64_t cursor = *start, visited = 0, buckets = 0;
  do {
    cursor = hash.Scan(cursor, [&](const Hash::Element& field, const Hash::Element& value, Millis) {
      ++visited;
      listpack::Digits digits;
      if (!options.pattern || options.Matches(field.Text(digits))) found.push_back({field, value});
    });
    ++buckets;
  } while (cursor != 0 && visited < options.count && buckets / kBucketsPerField < options.count);
  protocol::ReplyWriter& reply = call.reply();
  reply.Array(2);
  reply.Bulk(std::to_string(cursor));
  reply.Array(options.values ? 2 * found.size() : found.size());
  for (const Hash::Pair& pair : found) {
    ReplyElement(reply, pair.field);
    if (options.values) ReplyElement(reply, pair.value);
  }
}

constexpr CommandSpec kTable[] = {{
    .name = "hscan",
    .synopsis = "key cursor:integer [MATCH:pattern pattern] [COUNT:integer count] [NOVALUES]@7.4.0",
    .summary = "Returns a few fields of a hash and the cursor for the next call.",
    .since = "2.8.0",
    .group = "hash",
    .complexity = "O(1) per call with a fixed COUNT; O(N) for a whole pass over N fields.",
    .arity = -3,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
    .tips = "nondeterministic_output",
    .history = "7.4.0: Added the `NOVALUES` option.",
    .run = HScan,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashScanCommands{kTable};

}  // namespace cinnabar::commands
