// PFADD, PFCOUNT, PFMERGE.
#include <memory>
#include <string>

#include "commands/hyperloglog/hyperloglog_value.h"
#include "commands/string/string_edit.h"
#include "dispatch/call.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;
namespace hll = hyperloglog;

using config::kNotifyString;

// Adds the elements from argument 2 on to a value that has been copied. Counts those that changed it.
bool AddAll(Call& call, std::string& value, size_t first, uint64_t& changes) {
  for (size_t i = first; i < call.argc(); ++i) {
    const auto changed = hll::Add(value, call.arg(i), SparseBytesMax(call));
    if (!changed) {
      ReplyCorrupt(call);
      return false;
    }
    changes += *changed ? 1 : 0;
  }
  return true;
}

// Adds as many elements as the value can take without changing its size; `next` is the first that is left.
void AddInPlace(Call& call, std::span<char> value, size_t& next, uint64_t& changes) {
  for (; next < call.argc(); ++next) {
    const auto outcome = hll::AddInPlace(value, call.arg(next));
    if (!outcome || *outcome == hll::InPlace::kNeedsResize) return;
    changes += *outcome == hll::InPlace::kChanged ? 1 : 0;
  }
}

// A new value for PFADD. Without elements its count is stale too, as for every value that PFADD has changed.
std::string NewValue(const Call& call) {
  if (call.argc() > 2) return hll::Create();
  const auto registers = std::make_unique<hll::Registers>();
  return hll::Encode(*registers, hll::Encoding::kSparse, SparseBytesMax(call));
}

void PfAdd(Call& call) {
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToChange(key);
  if (!ExpectHyperLogLog(call, entry)) return;
  uint64_t changes = entry ? 0 : 1;
  size_t next = 2;
  if (entry && call.argc() > 2) {
    const size_t size = keyspace::StringLength(*entry);
    AddInPlace(call, {keyspace::MutableString(entry, size), size}, next, changes);
  }
  if (!entry || next < call.argc()) {
    std::string value = entry ? std::string(HyperLogLogBytes(*entry)) : NewValue(call);
    const uint64_t before = changes;
    if (!AddAll(call, value, next, changes)) {
      if (entry && before > 0) call.Changed(kNotifyString, "pfadd", key);
      return;
    }
    if (!entry || changes != before) StoreBytes(call, key, entry, value);
  }
  if (changes > 0) {
    call.Changed(kNotifyString, "pfadd", key);
    call.MarkDirty(changes - 1);
  }
  call.reply().Integer(changes > 0 ? 1 : 0);
}

// Merges the keys from argument `first` on. Writes the error and returns false if one is no HyperLogLog.
bool MergeKeys(Call& call, size_t first, hll::Registers& registers, hll::Encoding& encoding) {
  for (size_t i = first; i < call.argc(); ++i) {
    const EntryRef entry = call.db().FindRead(call.key(i));
    if (!ExpectHyperLogLog(call, entry)) return false;
    if (!entry) continue;
    const std::string_view value = HyperLogLogBytes(*entry);
    if (hll::EncodingOf(value) == hll::Encoding::kDense) encoding = hll::Encoding::kDense;
    if (!hll::MergeInto(registers, value)) {
      ReplyCorrupt(call);
      return false;
    }
  }
  return true;
}

void CountUnion(Call& call) {
  const auto registers = std::make_unique<hll::Registers>();
  hll::Encoding encoding = hll::Encoding::kSparse;
  if (!MergeKeys(call, 1, *registers, encoding)) return;
  call.reply().Integer(static_cast<int64_t>(hll::Count(*registers)));
}

// The count is kept in the value until the next change. Keeping it is a change of the key too, so that
// replicas and files hold the same bytes.
void PfCount(Call& call) {
  if (call.argc() > 2) return CountUnion(call);
  const Key key = call.key(1);
  EntryRef entry = call.db().FindToReadAndChange(key);
  if (!ExpectHyperLogLog(call, entry)) return;
  if (!entry) return call.reply().Integer(0);
  const std::string_view value = HyperLogLogBytes(*entry);
  if (const auto cached = hll::CachedCount(value)) return call.reply().Integer(static_cast<int64_t>(*cached));
  const auto count = hll::Count(value);
  if (!count) return ReplyCorrupt(call);
  const size_t size = value.size();
  hll::SetCachedCount({keyspace::MutableString(entry, size), size}, *count);
  call.Changed(0, "", key);
  call.reply().Integer(static_cast<int64_t>(*count));
}

void PfMerge(Call& call) {
  const Key target = call.key(1);
  const auto registers = std::make_unique<hll::Registers>();
  hll::Encoding encoding = hll::Encoding::kSparse;
  if (!MergeKeys(call, 1, *registers, encoding)) return;
  EntryRef entry = call.db().FindToChange(target, keyspace::Use::kSilent);
  std::string merged = hll::Encode(*registers, encoding, SparseBytesMax(call));
  if (entry) hll::KeepStaleCount(merged, HyperLogLogBytes(*entry));
  StoreBytes(call, target, entry, std::move(merged));
  call.Changed(kNotifyString, "pfadd", target);
  call.reply().Ok();
}

constexpr CommandSpec kTable[] = {
    {
        .name = "pfadd",
        .synopsis = "key [element...]",
        .summary = "Adds elements to a HyperLogLog, and creates it if it does not exist.",
        .since = "2.8.9",
        .group = "hyperloglog",
        .complexity = "O(1) to add every element.",
        .arity = -2,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kInsert)},
        .run = PfAdd,
    },
    {
        .name = "pfcount",
        .synopsis = "key...",
        .summary = "Estimates how many different elements were added to one or several HyperLogLogs.",
        .since = "2.8.9",
        .group = "hyperloglog",
        .complexity =
            "O(1) for one key whose estimate is cached, else O(N) where N is the number of keys, with a "
            "large constant.",
        .arity = -2,
        .flags = Flag::kReadOnly | Flag::kMayReplicate,
        .keys = {{.use = KeyUse::kRw | KeyUse::kAccess,
                  .first = 1,
                  .last = -1,
                  .notes = "RW because it may change the internal representation of the key, and propagate "
                           "to replicas"}},
        .run = PfCount,
    },
    {
        .name = "pfmerge",
        .synopsis = "destkey:key [sourcekey:key...]",
        .summary = "Merges several HyperLogLogs into one.",
        .since = "2.8.9",
        .group = "hyperloglog",
        .complexity = "O(N) where N is the number of keys, with a large constant.",
        .arity = -2,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .keys = {dispatch::OneKey(KeyUse::kRw | KeyUse::kAccess | KeyUse::kInsert),
                 dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 2, -1)},
        .run = PfMerge,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kHyperloglogCountCommands{kTable};

}  // namespace cinnabar::commands
