// HRANDFIELD.
#include <limits>

#include "commands/hash/hash_access.h"
#include "dispatch/args.h"
#include "dispatch/output_limits.h"

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

// The same fields may come again.
void ReplyRepeatedly(Call& call, const Hash& hash, uint64_t count, Shown shown) {
  PairReply reply(call.reply(), shown, count);
  hash.SampleRepeatedly(call.core().random, count, [&](const Hash::Pair& pair) {
    call.Yield();
    if (!dispatch::TakesReply(call)) return false;
    reply.Add(pair);
    return true;
  });
}

void ReplyMany(Call& call, int64_t count, Shown shown) {
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
  Hash hash(holder, FieldClock(call));
  const size_t size = holder.exists() && count != 0 ? hash.size() : 0;
  if (size == 0) return call.reply().Array(0);
  if (count < 0) return ReplyRepeatedly(call, hash, static_cast<uint64_t>(-count), shown);
  const size_t wanted = static_cast<uint64_t>(count) < size ? static_cast<size_t>(count) : size;
  PairReply reply(call.reply(), shown, wanted);
  if (wanted == size) {
    return hash.ForEach([&](const Hash::Element& field, const Hash::Element& value, Millis) {
      reply.Add({field, value});
      call.Yield();
    });
  }
  for (const Hash::Pair& pair : hash.SampleDistinct(call.core().random, wanted)) reply.Add(pair);
}

void HRandField(Call& call) {
  if (call.argc() == 2) {
    EntryHolder holder;
    if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
    if (!holder.exists()) return call.reply().Null();
    Hash hash(holder, FieldClock(call));
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
