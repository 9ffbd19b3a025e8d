// HGETEX and HSETEX: reading or writing fields and deciding on their life at once.
#include <fmt/format.h>

#include <algorithm>

#include "commands/hash/field_times.h"
#include "dispatch/output_limits.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Hash;
using types::kNeverExpires;
using Accepts = ExpiryOption::Accepts;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct SetOptions {
  enum class When : uint8_t { kAlways, kIfNone, kIfAll } when = When::kAlways;
  ExpiryOption expiry;
};

bool IsExpiryWord(std::string_view word) {
  constexpr std::string_view kWords[] = {"EX", "PX", "EXAT", "PXAT", "KEEPTTL", "PERSIST"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view known) { return dispatch::SameWord(word, known); });
}

// Takes one expiry option; false with an error kept when there is none, or a second one.
bool TakeExpiry(const Call& call, Args& args, ExpiryOption& expiry, Accepts accepts) {
  if (expiry.kind != ExpiryOption::Kind::kNone) {
    if (IsExpiryWord(args.Peek()))
      args.Fail("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
    return false;
  }
  if (!expiry.Parse(args, accepts)) return false;
  if (expiry.given()) expiry.at = ReadFieldMoment(call, args, expiry.number, expiry.unit, expiry.base);
  return true;
}

// Reads the options of HSETEX, until the word FIELDS.
SetOptions ParseOptions(const Call& call, Args& args) {
  using When = SetOptions::When;
  SetOptions options;
  while (args.more() && !args.failed() && !dispatch::SameWord(args.Peek(), "FIELDS")) {
    const bool none = args.Take("FNX");
    if (none || args.Take("FXX")) {
      if (options.when != When::kAlways) args.Fail("ERR Only one of FXX or FNX arguments can be specified");
      options.when = none ? When::kIfNone : When::kIfAll;
    } else if (!TakeExpiry(call, args, options.expiry, Accepts::kKeepTtl)) {
      args.Fail(fmt::format("ERR unknown argument: {}", args.Peek()));
    }
  }
  return options;
}

void HGetEx(Call& call) {
  Args args(call, 2);
  ExpiryOption expiry;
  TakeExpiry(call, args, expiry, Accepts::kPersist);
  const FieldList fields = TakeFields(call, args, kPositiveFields);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return;
  if (!holder.exists()) return ReplyNulls(call.reply(), fields.size());
  FieldTimes times(call, key, holder, expiry.given() ? expiry.at : kNeverExpires);
  call.reply().Array(fields.size());
  for (std::string_view field : fields) {
    const Hash::Spot spot = times.hash().Find(field);
    if (!spot.found) {
      call.reply().Null();
      continue;
    }
    if (dispatch::TakesReply(call)) ReplyElement(call.reply(), spot.value);
    if (expiry.given()) {
      times.Set(spot, field);
    } else if (expiry.kind == ExpiryOption::Kind::kPersist && spot.expiry != kNeverExpires) {
      times.Persist(spot, field);
    }
  }
  times.Finish();
}

// Whether the fields that stand before each value satisfy the condition.
bool Holds(Call& call, EntryHolder& holder, FieldList pairs, SetOptions::When when) {
  if (when == SetOptions::When::kAlways) return true;
  const bool wanted = when == SetOptions::When::kIfAll;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const bool found = holder.exists() && Hash(holder, FieldClock(call)).Find(pairs[i]).found;
    if (found != wanted) return false;
  }
  return true;
}

void StoreFields(Call& call, const Key& key, EntryHolder& holder, FieldList pairs, Hash::Life life) {
  EnsureHash(call, key, holder);
  Hash hash(holder, FieldClock(call));
  const types::PackLimits limits = HashLimits(call);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    hash.Store(FindToStore(call, key, hash, pairs[i]), pairs[i], pairs[i + 1], limits, life);
  }
  call.Changed(config::kNotifyHash, "hset", key);
  call.MarkDirty(pairs.size() / 2 - 1);
}

// The journal gets the values, then the moments.
void StoreWithExpiry(Call& call, const Key& key, EntryHolder& holder, FieldList pairs, Millis at) {
  StoreFields(call, key, holder, pairs, Hash::Life::kForever);
  std::vector<std::string_view> argv = {"HSET", key.bytes};
  argv.insert(argv.end(), pairs.begin(), pairs.end());
  call.Propagate(argv);
  FieldTimes times(call, key, holder, at);
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const Hash::Spot spot = times.hash().Find(pairs[i]);
    if (spot.found && spot.expiry != at) times.Set(spot, pairs[i]);  // it may be named twice
  }
  times.Finish();
}

void HSetEx(Call& call) {
  Args args(call, 2);
  const SetOptions options = ParseOptions(call, args);
  const FieldList pairs = TakeFields(call, args, kValidFields, 2);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return;
  if (!Holds(call, holder, pairs, options.when)) return call.reply().Integer(0);
  if (options.expiry.given()) {
    StoreWithExpiry(call, key, holder, pairs, options.expiry.at);
  } else {
    const bool keep = options.expiry.kind == ExpiryOption::Kind::kKeepTtl;
    StoreFields(call, key, holder, pairs, keep ? Hash::Life::kKeep : Hash::Life::kForever);
  }
  call.reply().Integer(1);
}

constexpr CommandSpec kTable[] = {
    {
        .name = "hgetex",
        .synopsis =
            "key expiration:[EX:integer seconds|PX:integer milliseconds|EXAT:unix-time unix-time-seconds|"
            "PXAT:unix-time unix-time-milliseconds|PERSIST] fields:(FIELDS numfields:integer field...)",
        .summary = "Returns the values of fields of a hash and sets or removes the time when they expire.",
        .since = "8.0.0",
        .group = "hash",
        .complexity = "O(N) for N fields.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {{.use = KeyUse::kRw | KeyUse::kAccess | KeyUse::kUpdate,
                  .first = 1,
                  .notes = "RW and UPDATE because it changes the TTL"}},
        .run = HGetEx,
    },
    {
        .name = "hsetex",
        .synopsis = "key condition:[FNX|FXX] expiration:[EX:integer seconds|PX:integer milliseconds|"
                    "EXAT:unix-time unix-time-seconds|PXAT:unix-time unix-time-milliseconds|KEEPTTL] "
                    "fields:(FIELDS numfields:integer data:(field value)...)",
        .summary = "Sets fields of a hash to values, and when they expire.",
        .since = "8.0.0",
        .group = "hash",
        .complexity = "O(N) for N fields.",
        .arity = -6,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .run = HSetEx,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashGetexCommands{kTable};

}  // namespace cinnabar::commands
