#include "persistence/internal/packed_payload.h"
#include "persistence/internal/value_codecs.h"
#include "structures/intset.h"
#include "types/set.h"

namespace cinnabar::persistence::internal {
namespace {

using types::LargeSet;
using types::Set;

constexpr PackFaults kListpackFaults = {
    .broken = "Set listpack integrity check failed",
    .twice = "Set listpack integrity check failed: listpack with dup elements",
};

// Members one after the other, each of which is new.
class MemberCollector {
 public:
  MemberCollector(uint64_t expected, const types::SetLimits& limits) : limits_(limits) {
    const auto most = static_cast<uint64_t>(std::max(limits.intset_entries, limits.listpack.entries));
    if (expected > most) holder_.BecomeObject(std::make_unique<LargeSet>(expected));
  }

  bool Add(std::string_view member) {
    if (holder_.packed() && holder_.size() == 0) holder_.BecomePacked(Set::EmptyFor(member, limits_));
    return Set(holder_).Add(member, limits_);
  }
  void Finish(RdbValue& value) { value.Take(holder_); }

 private:
  const types::SetLimits& limits_;
  types::OwnHolder holder_{std::string_view()};
};

void ReadMembers(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  uint64_t left = ReadElementCount(in, 1);
  MemberCollector members(left, limits.set);
  for (; left > 0 && !in.failed(); --left) {
    const std::string_view member = in.String(value.room);
    if (!in.failed() && !members.Add(member)) in.FailCorrupt(kTwice);
  }
  if (!in.failed()) members.Finish(value);
}

void ReadIntset(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  const std::string_view bytes = in.String(value.room);
  if (in.failed()) return;
  if (!intset::Valid(bytes)) return in.FailCorrupt("Intset integrity check failed");
  const size_t count = intset::Count(bytes);
  if (count == 0) return in.Fail(RdbFault::kEmpty, kNothingInside);
  if (static_cast<int64_t>(count) <= limits.set.intset_entries && bytes.size() <= types::kPackedBytesMax) {
    value.bytes = bytes;
    return;
  }
  MemberCollector members(count, limits.set);
  for (size_t i = 0; i < count; ++i) {
    listpack::Digits digits;
    members.Add(listpack::Element{.is_integer = true, .integer = intset::At(bytes, i)}.Text(digits));
  }
  members.Finish(value);
}

void ReadListpackOfMembers(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  const std::string_view pack = in.String(value.room);
  PackFacts facts;
  if (!CheckGroups<1, 1>(in, pack, kListpackFaults, facts)) return;
  if (FitsPacked(pack, facts, limits.set.listpack)) {
    value.bytes = pack;
    return;
  }
  MemberCollector members(facts.groups, limits.set);
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    listpack::Digits digits;
    members.Add(listpack::Get(pack, at).Text(digits));
  }
  members.Finish(value);
}

}  // namespace

void WriteSet(RdbWriter& out, RdbType type, types::Holder& holder) {
  if (type != RdbType::kSet) return out.String(holder.view());
  const Set set(holder);
  out.Length(set.size());
  set.ForEach([&](std::string_view member) { out.String(member); });
}

void ReadSet(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value) {
  if (type == RdbType::kSet) return ReadMembers(in, limits, value);
  if (type == RdbType::kSetIntset) return ReadIntset(in, limits, value);
  ReadListpackOfMembers(in, limits, value);
}

}  // namespace cinnabar::persistence::internal
