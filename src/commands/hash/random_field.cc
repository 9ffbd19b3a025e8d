// HRANDFIELD.
#include <algorithm>
#include <limits>

#include "commands/hash/hash_access.h"
#include "dispatch/args.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using types::Hash;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

enum class Shown : uint8_t { kFields, kFieldsAndValues };

// Fields, or fields with their values: pairs in RESP3, one after the other in RESP2.
class PairReply {
 public:
  PairReply(protocol::ReplyWriter& reply, Shown shown, uint64_t count) : reply_(reply), shown_(shown) {
    const bool flat = shown == Shown::kFieldsAndValues && reply.version() == protocol::Resp::k2;
    reply.Array(flat ? 2 * count : count);
  }
  void Add(const Hash::Pair& pair) {
    if (shown_ == Shown::kFieldsAndValues && reply_.version() == protocol::Resp::k3) reply_.Array(2);
    ReplyElement(reply_, pair.field);
    if (shown_ == Shown::kFieldsAndValues) ReplyElement(reply_, pair.value);
  }

 private:
  protocol::ReplyWriter& reply_;
  Shown shown_;
};

// Whether so much is unsent that the client is going to be closed for it.
bool OutputIsOverLimit(const Call& call) {
  const int64_t most = call.settings().clients.output_buffer_limit[config::kNormalClient].hard_bytes;
  return most > 0 && static_cast<int64_t>(call.session().output.chunk_memory()) >= most;
}

// The same fields may come again. A client that asks for more than it may keep unread is closed half-way.
void ReplyRepeatedly(Call& call, const Hash& hash, uint64_t count, Shown shown) {
  constexpr uint64_t kAtOnce = 4096;
  PairReply reply(call.reply(), shown, count);
  while (count > 0) {
    const uint64_t now = std::min(count, kAtOnce);
    hash.SampleRepeatedly(call.core().random, now, [&](const Hash::Pair& pair) { reply.Add(pair); });
    count -= now;
    if (count > 0 && OutputIsOverLimit(call)) {
      call.session().closing = dispatch::Closing::kNow;
      return;
    }
  }
}

void ReplyMany(Call& call, int64_t count, Shown shown) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
  Hash hash(holder, call.now());
  const size_t size = holder.exists() && count != 0 ? hash.size() : 0;
  if (size == 0) return call.reply().Array(0);
  if (count < 0) return ReplyRepeatedly(call, hash, static_cast<uint64_t>(-count), shown);
  const size_t wanted = static_cast<uint64_t>(count) < size ? static_cast<size_t>(count) : size;
  PairReply reply(call.reply(), shown, wanted);
  if (wanted == size) {
    return hash.ForEach([&](const Hash::Element& field, const Hash::Element& value, Millis) {
      reply.Add({field, value});
    });
  }
  for (const Hash::Pair& pair : hash.SampleDistinct(call.core().random, wanted)) reply.Add(pair);
}

void HRandField(Call& call) {
  if (call.argc() == 2) {
    EntryHolder holder;
    if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
    if (!holder.exists()) return call.reply().Null();
    Hash hash(holder, call.now());
    if (hash.size() == 0) return call.reply().Null();
    return ReplyElement(call.reply(), hash.Sample(call.core().random).field);
  }
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  Args args(call, 2);
  const int64_t count = args.Int(-kMost, kMost,
                                 "ERR value is out of range, value must between -9223372036854775807 and "
                                 "9223372036854775807");
  Shown shown = Shown::kFields;
  if (!args.failed() && args.more()) {
    if (!args.Take("WITHVALUES") || args.more()) args.FailSyntax();
    shown = Shown::kFieldsAndValues;
    if (count > kMost / 2 || count < -kMost / 2) args.Fail("ERR value is out of range");
  }
  if (args.failed()) return args.Reply(call);
  ReplyMany(call, count, shown);
}

constexpr CommandSpec kTable[] = {{
    .name = "hrandfield",
    .synopsis = "key options:[count:integer [WITHVALUES]]",
    .summary = "Returns one or several fields of a hash, chosen by chance.",
    .since = "6.2.0",
    .group = "hash",
    .complexity = "O(N) for N returned fields.",
    .arity = -2,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
    .tips = "nondeterministic_output",
    .run = HRandField,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashRandomFieldCommands{kTable};

}  // namespace cinnabar::commands
