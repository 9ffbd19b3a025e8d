// HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME: when fields expire; HPERSIST: that they do not.
#include "commands/hash/field_times.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryHolder;
using keyspace::Key;
using types::Hash;
using types::kNeverExpires;
using Unit = ExpiryOption::Unit;
using Base = ExpiryOption::Base;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

// The replies for one field that are no times.
constexpr int64_t kNoField = -2, kNoExpiry = -1, kPersisted = 1;

int64_t Answer(const Hash::Spot& spot, Unit unit, Millis start) {
  if (!spot.found) return kNoField;
  if (spot.expiry == kNeverExpires) return kNoExpiry;
  const Millis value = spot.expiry - start;
  return unit == Unit::kSeconds ? (value + 999) / 1000 : value;  // a begun second counts
}

void ReplyExpiry(Call& call, Unit unit, Base base) {
  Args args(call, 2);
  const FieldList fields = TakeFields(call, args, kPositiveFields);
  if (args.failed()) return args.Reply(call);
  EntryHolder holder;
  if (!OpenToRead(call, call.key(1), types::Type::kHash, holder)) return;
  call.reply().Array(fields.size());
  const Millis start = base == Base::kRelative ? call.now() : 0;
  for (std::string_view field : fields) {
    const Hash::Spot spot = holder.exists() ? Hash(holder, FieldClock(call)).Find(field) : Hash::Spot();
    call.reply().Integer(Answer(spot, unit, start));
  }
}

void HTtl(Call& call) {
  ReplyExpiry(call, Unit::kSeconds, Base::kRelative);
}
void HPTtl(Call& call) {
  ReplyExpiry(call, Unit::kMillis, Base::kRelative);
}
void HExpireTime(Call& call) {
  ReplyExpiry(call, Unit::kSeconds, Base::kAbsolute);
}
void HPExpireTime(Call& call) {
  ReplyExpiry(call, Unit::kMillis, Base::kAbsolute);
}

int64_t PersistField(FieldTimes& times, std::string_view field) {
  const Hash::Spot spot = times.hash().Find(field);
  if (!spot.found) return kNoField;
  if (spot.expiry == kNeverExpires) return kNoExpiry;
  times.Persist(spot, field);
  return kPersisted;
}

void HPersist(Call& call) {
  Args args(call, 2);
  const FieldList fields = TakeFields(call, args, kPositiveFields);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  EntryHolder holder;
  if (!OpenHashToWrite(call, key, holder)) return;
  call.reply().Array(fields.size());
  if (!holder.exists()) {
    for (size_t i = 0; i < fields.size(); ++i) call.reply().Integer(kNoField);
    return;
  }
  FieldTimes times(call, key, holder, kNeverExpires);
  for (std::string_view field : fields) call.reply().Integer(PersistField(times, field));
  times.Finish();
}

constexpr CommandSpec Spec(std::string_view name, std::string_view summary, std::string_view tips,
                           dispatch::Handler run) {
  return {.name = name,
          .synopsis = "key fields:(FIELDS numfields:integer field...)",
          .summary = summary,
          .since = "7.4.0",
          .group = "hash",
          .complexity = "O(N) for N fields.",
          .arity = -5,
          .flags = Flag::kReadOnly | Flag::kFast,
          .keys = {dispatch::OneKey(KeyUse::kRo | KeyUse::kAccess)},
          .tips = tips,
          .run = run};
}

constexpr CommandSpec kTable[] = {
    Spec("httl", "Returns after how many seconds fields of a hash expire.", "nondeterministic_output", HTtl),
    Spec("hpttl", "Returns after how many milliseconds fields of a hash expire.", "nondeterministic_output",
         HPTtl),
    Spec("hexpiretime", "Returns when fields of a hash expire, in seconds since 1970.", "", HExpireTime),
    Spec("hpexpiretime", "Returns when fields of a hash expire, in milliseconds since 1970.", "",
         HPExpireTime),
    {
        .name = "hpersist",
        .synopsis = "key fields:(FIELDS numfields:integer field...)",
        .summary = "Lets fields of a hash live for ever.",
        .since = "7.4.0",
        .group = "hash",
        .complexity = "O(N) for N fields.",
        .arity = -5,
        .flags = Flag::kWrite | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kUpdate)},
        .run = HPersist,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHashTtlCommands{kTable};

}  // namespace cinnabar::commands
