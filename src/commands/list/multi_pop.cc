// LMPOP and BLMPOP: several elements from the first of several lists that is there.
#include <vector>

#include "base/numbers.h"
#include "commands/list/list_access.h"
#include "dispatch/blocking.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::List;
using types::ListEnd;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct PopRequest {
  size_t first_key = 0;  // argument
  size_t keys = 0;
  ListEnd end = ListEnd::kHead;
  size_t count = 1;
};

PopRequest ParseRequest(Args& args) {
  PopRequest request;
  request.keys = TakeCount(args, 1, "ERR numkeys should be greater than 0");
  if (args.failed()) return request;
  request.first_key = args.position();
  if (request.keys >= args.left()) {
    args.FailSyntax();
    return request;
  }
  args.Skip(request.keys);
  request.end = TakeListEnd(args);
  if (!args.failed() && args.TakeWith("COUNT")) {
    request.count = TakeCount(args, 1, "ERR count should be greater than 0");
  }
  if (!args.failed() && args.more()) args.FailSyntax();
  return request;
}

void PopMany(Call& call, const Key& key, EntryHolder& holder, ListEnd end, size_t most) {
  const List list(holder, {});
  const size_t size = list.size();
  const size_t count = std::min(most, size);
  call.reply().Array(2);
  call.reply().Bulk(key.bytes);
  call.reply().Array(count);
  list.VisitRange(end == ListEnd::kHead ? 0 : size - 1, count,
                  end == ListEnd::kHead ? ListEnd::kTail : ListEnd::kHead,
                  [&](const listpack::Element& element) { ReplyElement(call.reply(), element); });
  TakeFromList(call, key, holder, end, count);
  call.Propagate({PopName(end), key.bytes, Int64ToString(static_cast<int64_t>(count))});
}

class WaitingMultiPop final : public dispatch::Waiting {
 public:
  WaitingMultiPop(ListEnd end, size_t most) : end_(end), most_(most) {}

  bool Serve(Call& call, const Key& key) override {
    keyspace::EntryRef entry = call.db().FindToChange(key, keyspace::Use::kSilent);
    if (!entry || entry->type() != types::Type::kList) return false;
    EntryHolder holder(entry);
    PopMany(call, key, holder, end_, most_);
    return true;
  }

 private:
  ListEnd end_;
  size_t most_;
};

enum class Outcome : uint8_t { kAnswered, kNothingThere };

Outcome PopFirst(Call& call, const PopRequest& request, std::vector<Key>& keys) {
  keys.reserve(request.keys);
  for (size_t i = 0; i < request.keys; ++i) {
    keys.push_back(call.key(request.first_key + i));
    EntryHolder holder;
    if (!OpenToWrite(call, keys.back(), types::Type::kList, holder)) return Outcome::kAnswered;
    if (!holder.exists()) continue;
    PopMany(call, keys.back(), holder, request.end, request.count);
    return Outcome::kAnswered;
  }
  return Outcome::kNothingThere;
}

void LMPop(Call& call) {
  Args args(call, 1);
  const PopRequest request = ParseRequest(args);
  if (args.failed()) return args.Reply(call);
  std::vector<Key> keys;
  if (PopFirst(call, request, keys) == Outcome::kNothingThere) call.reply().NullArray();
}

void BLMPop(Call& call) {
  Args args(call, 1);
  const Millis deadline = dispatch::TakeTimeoutSeconds(args, call.now());
  const PopRequest request = ParseRequest(args);
  if (args.failed()) return args.Reply(call);
  std::vector<Key> keys;
  if (PopFirst(call, request, keys) == Outcome::kAnswered) return;
  if (!call.may_block()) return call.reply().NullArray();
  call.Block(std::make_unique<WaitingMultiPop>(request.end, request.count), keys, deadline);
}

constexpr dispatch::KeySpec Keys(int8_t number) {
  return {.use = KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete,
          .first = number,
          .find = dispatch::KeySpec::Find::kKeyNumber,
          .number_at = 0,
          .first_key = 1};
}

constexpr CommandSpec kTable[] = {
    {
        .name = "lmpop",
        .synopsis = "numkeys:integer key... where:(LEFT|RIGHT) [COUNT:integer count]",
        .summary = "Takes elements out of the first of several lists that is there.",
        .since = "7.0.0",
        .group = "list",
        .complexity = "O(N+M) for N keys and M elements returned.",
        .arity = -4,
        .flags = Flag::kWrite | Flag::kMovableKeys,
        .keys = {Keys(1)},
        .run = LMPop,
    },
    {
        .name = "blmpop",
        .synopsis = "timeout:double numkeys:integer key... where:(LEFT|RIGHT) [COUNT:integer count]",
        .summary =
            "Takes elements out of the first of several lists that is there; waits for one if need be.",
        .since = "7.0.0",
        .group = "list",
        .complexity = "O(N+M) for N keys and M elements returned.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kBlocking | Flag::kMovableKeys,
        .keys = {Keys(2)},
        .run = BLMPop,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListMultiPopCommands{kTable};

}  // namespace cinnabar::commands
