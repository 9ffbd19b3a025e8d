// LMOVE, BLMOVE, and their older forms RPOPLPUSH and BRPOPLPUSH: an element from one end of a list to one end
// of another, or of the same.
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

struct Ends {
  ListEnd from = ListEnd::kTail;
  ListEnd to = ListEnd::kHead;
};

enum class Moved : uint8_t { kYes, kNothingThere, kAnswered };

// Moves one element and replies with it. Says nothing to the client when the source is not there.
Moved Move(Call& call, const Key& source_key, const Key& target_key, const Ends& ends) {
  EntryHolder source, target;
  if (!OpenToWrite(call, source_key, types::Type::kList, source)) return Moved::kAnswered;
  if (!source.exists()) return Moved::kNothingThere;
  if (!OpenToWrite(call, target_key, types::Type::kList, target)) return Moved::kAnswered;
  std::string value;
  List(source, {}).VisitEnd(ends.from, [&](const listpack::Element& element) {
    listpack::Digits digits;
    value = element.Text(digits);
    ReplyElement(call.reply(), element);
  });
  const std::string_view pushed = value;
  PushToList(call, target_key, target, ends.to, {&pushed, 1});
  // One change in all, which the taking counts.
  call.db().MarkChanged(target_key, call.session_id());
  call.Notify(config::kNotifyList, PushEvent(ends.to), target_key.bytes);
  // A key that came may have moved the other in its table.
  source.Open(call.db().FindToChange(source_key));
  TakeFromList(call, source_key, source, ends.from, 1);
  return Moved::kYes;
}

// Spares the journal the waiting.
void PropagateMove(Call& call, std::string_view source, std::string_view target, const Ends& ends) {
  call.Propagate({"LMOVE", source, target, NameOf(ends.from), NameOf(ends.to)});
}

class WaitingMove final : public dispatch::Waiting {
 public:
  enum class Form : uint8_t { kMove, kRPopLPush };
  WaitingMove(std::string_view target, const Ends& ends, Form form)
      : target_(target), ends_(ends), form_(form) {}

  bool Serve(Call& call, const Key& key) override {
    keyspace::EntryRef entry = call.db().FindToChange(key, keyspace::Use::kSilent);
    if (!entry || entry->type() != types::Type::kList) return false;
    const Key target = call.core().keyspace.KeyOf(target_);
    if (Move(call, key, target, ends_) == Moved::kYes) Propagate(call, key.bytes);
    return true;
  }
  std::string_view also() const override { return target_; }

  void Propagate(Call& call, std::string_view source) const {
    if (form_ == Form::kMove) return PropagateMove(call, source, target_, ends_);
    call.Propagate({"RPOPLPUSH", source, target_});
  }

 private:
  std::string target_;
  Ends ends_;
  Form form_;
};

void MoveNow(Call& call, const Ends& ends) {
  const Key source = call.key(1);
  const Key target = call.key(2);
  if (Move(call, source, target, ends) == Moved::kNothingThere) call.reply().Null();
}

void MoveOrWait(Call& call, const Ends& ends, WaitingMove::Form form, Millis deadline) {
  const Key source = call.key(1);
  const Key target = call.key(2);
  WaitingMove waiting(target.bytes, ends, form);
  switch (Move(call, source, target, ends)) {
    case Moved::kAnswered:
      return;
    case Moved::kYes:
      return waiting.Propagate(call, source.bytes);
    case Moved::kNothingThere:
      if (!call.may_block()) return call.reply().Null();
      call.Block(std::make_unique<WaitingMove>(std::move(waiting)), {&source, 1}, deadline);
  }
}

Ends TakeEnds(Args& args) {
  Ends ends;
  ends.from = TakeListEnd(args);
  ends.to = TakeListEnd(args);
  return ends;
}

void LMove(Call& call) {
  Args args(call, 3);
  const Ends ends = TakeEnds(args);
  if (args.failed()) return args.Reply(call);
  MoveNow(call, ends);
}

void RPopLPush(Call& call) {
  MoveNow(call, {});
}

void BLMove(Call& call) {
  Args args(call, 3);
  const Ends ends = TakeEnds(args);
  const Millis deadline = dispatch::TakeTimeoutSeconds(args, call.now());
  if (args.failed()) return args.Reply(call);
  MoveOrWait(call, ends, WaitingMove::Form::kMove, deadline);
}

void BRPopLPush(Call& call) {
  Args args(call, 3);
  const Millis deadline = dispatch::TakeTimeoutSeconds(args, call.now());
  if (args.failed()) return args.Reply(call);
  MoveOrWait(call, {}, WaitingMove::Form::kRPopLPush, deadline);
}

constexpr std::string_view kSecondsHistory =
    "6.0.0: `timeout` is interpreted as a double instead of an integer.";
constexpr dispatch::KeySpec kSource = dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete, 1);
constexpr dispatch::KeySpec kTarget = dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert, 2);

constexpr CommandSpec kTable[] = {
    {
        .name = "lmove",
        .synopsis = "source destination wherefrom:(LEFT|RIGHT) whereto:(LEFT|RIGHT)",
        .summary = "Moves an element from one end of a list to one end of another, and returns it.",
        .since = "6.2.0",
        .group = "list",
        .complexity = "O(1)",
        .arity = 5,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {kSource, kTarget},
        .run = LMove,
    },
    {
        .name = "blmove",
        .synopsis = "source destination wherefrom:(LEFT|RIGHT) whereto:(LEFT|RIGHT) timeout:double",
        .summary = "Moves an element from one end of a list to one end of another, and returns it; waits for "
                   "one if the list is not there.",
        .since = "6.2.0",
        .group = "list",
        .complexity = "O(1)",
        .arity = 6,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kNoScript | Flag::kBlocking,
        .keys = {kSource, kTarget},
        .run = BLMove,
    },
    {
        .name = "rpoplpush",
        .synopsis = "source destination",
        .summary = "Moves the last element of a list before the first of another, and returns it.",
        .since = "1.2.0",
        .group = "list",
        .complexity = "O(1)",
        .arity = 3,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {kSource, kTarget},
        .replaced_by = "`LMOVE` with the `RIGHT` and `LEFT` arguments",
        .deprecated_since = "6.2.0",
        .run = RPopLPush,
    },
    {
        .name = "brpoplpush",
        .synopsis = "source destination timeout:double",
        .summary = "Moves the last element of a list before the first of another, and returns it; waits for "
                   "one if the list is not there.",
        .since = "2.2.0",
        .group = "list",
        .complexity = "O(1)",
        .arity = 4,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kNoScript | Flag::kBlocking,
        .keys = {kSource, kTarget},
        .history = kSecondsHistory,
        .replaced_by = "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
        .deprecated_since = "6.2.0",
        .run = BRPopLPush,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kListMoveCommands{kTable};

}  // namespace cinnabar::commands
