#include "commands/hash/field_times.h"

#include <fmt/format.h>

#include "base/numbers.h"
#include "catalog/errors.h"

namespace cinnabar::commands {

using types::Hash;

Millis ReadFieldMoment(const dispatch::Call& call, dispatch::Args& args, std::string_view number,
                       ExpiryOption::Unit unit, ExpiryOption::Base base) {
  // What Redis takes. A journal may tell of more: Redis keeps 48 bits, less two values of its own.
  constexpr Millis kLatest = (int64_t{1} << 46) - 1;
  constexpr Millis kLatestKept = (int64_t{1} << 48) - 2;
  const Millis latest = call.core().replaying ? kLatestKept : kLatest;
  if (args.failed()) return 0;
  const auto parsed = ParseInt64(number);
  if (!parsed) {
    args.Fail(errors::kNotInteger);
    return 0;
  }
  if (*parsed < 0) {
    args.Fail("ERR invalid expire time, must be >= 0");
    return 0;
  }
  const int64_t scale = unit == ExpiryOption::Unit::kSeconds ? 1000 : 1;
  const Millis start = base == ExpiryOption::Base::kRelative ? call.now() : 0;
  if (*parsed > (latest - start) / scale) {
    args.Fail(fmt::format("ERR invalid expire time in '{}' command", args.command_name()));
    return 0;
  }
  return start + *parsed * scale;
}

FieldTimes::Outcome FieldTimes::Set(const Hash::Spot& spot, std::string_view field) {
  if (at_ <= FieldClock(call_) && call_.core().may_expire) {
    hash_.Erase(spot);
    deleted_.push_back(field);
    return Outcome::kDeleted;
  }
  hash_.SetExpiry(spot, field, at_);
  timed_.push_back(field);
  return Outcome::kSet;
}

void FieldTimes::Persist(const Hash::Spot& spot, std::string_view field) {
  hash_.SetExpiry(spot, field, types::kNeverExpires);
  persisted_.push_back(field);
}

void FieldTimes::Announce(std::string_view event, FieldList fields) {
  call_.Changed(config::kNotifyHash, event, key_);
  call_.MarkDirty(fields.size() - 1);
}

void FieldTimes::Finish() {
  if (!timed_.empty()) {
    call_.db().NoteFieldExpiry(key_, *holder_.entry());
    Announce("hexpire", timed_);
    PropagateFields(call_, {"HPEXPIREAT", key_.bytes, Int64ToString(at_)}, timed_);
  }
  if (!persisted_.empty()) {
    Announce("hpersist", persisted_);
    PropagateFields(call_, {"HPERSIST", key_.bytes}, persisted_);
  }
  if (!deleted_.empty()) {
    Announce("hdel", deleted_);
    PropagateDeletion(call_, key_.bytes, deleted_);
    DropIfEmpty(call_, key_, holder_);
  }
}

}  // namespace cinnabar::commands
