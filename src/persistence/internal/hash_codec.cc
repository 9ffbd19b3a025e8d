#include <algorithm>
#include <vector>

#include "persistence/internal/packed_payload.h"
#include "persistence/internal/value_codecs.h"
#include "structures/zipmap.h"
#include "types/hash.h"

namespace cinnabar::persistence::internal {
namespace {

using types::Hash;
using types::HashField;
using types::kNeverExpires;
using types::LargeHash;

// Moments take 48 bits at most in Redis.
constexpr uint64_t kMomentMax = (uint64_t{1} << 48) - 1;
constexpr PackFaults kListpackFaults = {
    .broken = "Hash listpack integrity check failed",
    .twice = "Hash listpack integrity check failed: listpack with dup elements",
    .odd_count = "Hash listpack integrity check failed: an odd number of elements",
};
constexpr PackFaults kZiplistFaults = {
    .broken = "Hash ziplist integrity check failed",
    .twice = "Hash ziplist integrity check failed: ziplist with dup elements",
    .odd_count = "Hash ziplist integrity check failed: an odd number of elements",
};
constexpr PackFaults kZipmapFaults = {
    .broken = "Zipmap integrity check failed",
    .twice = "Zipmap integrity check failed: zipmap with dup elements",
    .odd_count = "Zipmap integrity check failed: an odd number of elements",
};
constexpr std::string_view kBadMoment = "a field that expires at an impossible moment";

const LargeHash& LargeOf(types::Holder& hash) {
  return static_cast<const LargeHash&>(*hash.object());
}

// ---- writing

void WriteFields(RdbWriter& out, const LargeHash& hash) {
  out.Length(hash.size());
  hash.ForEach([&](const HashField& field) {
    out.String(field.name());
    out.String(field.value());
  });
}

// The moment before which no field expires, then each field with its distance from that, counted from one.
void WriteTimedFields(RdbWriter& out, const LargeHash& hash) {
  const Millis earliest = hash.next_expiry();
  out.Moment(earliest);
  out.Length(hash.size());
  hash.ForEach([&](const HashField& field) {
    const Millis expiry = field.expiry();
    out.Length(expiry == kNeverExpires ? 0 : static_cast<uint64_t>(expiry - earliest) + 1);
    out.String(field.name());
    out.String(field.value());
  });
}

// Field, value, moment; what expires first stands first.
void WriteTimedListpack(RdbWriter& out, const LargeHash& hash) {
  std::vector<const HashField*> fields;
  fields.reserve(hash.size());
  hash.ForEach([&](const HashField& field) { fields.push_back(&field); });
  std::sort(fields.begin(), fields.end(),
            [](const HashField* a, const HashField* b) { return a->expiry() < b->expiry(); });
  HeapBytes pack(listpack::kEmpty);
  for (const HashField* field : fields) {
    listpack::InsertPair(pack, listpack::kEnd, field->name(), field->value());
    listpack::AppendInteger(pack, field->timed() ? field->expiry() : 0);
  }
  out.Moment(fields.front()->expiry());
  out.String(pack.view());
}

// ---- reading

// Fields one after the other, each of which is new.
class FieldCollector {
 public:
  FieldCollector(uint64_t expected, const types::PackLimits& limits)
      : limits_(limits), few_(expected <= static_cast<uint64_t>(std::max<int64_t>(limits.entries, 0))) {
    if (!few_) holder_.BecomeObject(std::make_unique<LargeHash>());
  }

  void Add(RdbReader& in, std::string_view name, std::string_view value, Millis expiry = kNeverExpires) {
    if (in.failed()) return;
    Hash hash(holder_);
    if (!hash.Set(name, value, limits_)) return in.FailCorrupt(kTwice);
    if (expiry != kNeverExpires) hash.SetExpiry(hash.Find(name), name, expiry);
  }
  // `moment` as files have it.
  void AddTimed(RdbReader& in, std::string_view name, std::string_view value, uint64_t moment) {
    if (moment > kMomentMax) return in.FailCorrupt(kBadMoment);
    Add(in, name, value, moment == 0 ? kNeverExpires : static_cast<Millis>(moment));
  }
  void Finish(RdbReader& in, RdbValue& value) {
    if (!in.failed()) value.Take(holder_);
  }

 private:
  const types::PackLimits& limits_;
  const bool few_;
  types::OwnHolder holder_{Hash::kEmptyPacked};
};

void ReadFields(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  uint64_t left = ReadElementCount(in, 2);
  FieldCollector fields(left, limits.hash);
  RdbRoom second;
  for (; left > 0 && !in.failed(); --left) {
    const std::string_view name = in.String(value.room);
    const std::string_view text = in.String(second);
    fields.Add(in, name, text);
  }
  fields.Finish(in, value);
}

void ReadTimedFields(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value) {
  const bool relative = type == RdbType::kHashMetadata;
  const Millis earliest = relative ? in.Moment() : 0;
  if (earliest < 0 || static_cast<uint64_t>(earliest) > kMomentMax) in.FailCorrupt(kBadMoment);
  uint64_t left = ReadElementCount(in, 3);
  FieldCollector fields(left, limits.hash);
  RdbRoom second;
  for (; left > 0 && !in.failed(); --left) {
    uint64_t moment = in.Length();
    if (moment > kMomentMax) in.FailCorrupt(kBadMoment);
    if (relative && moment != 0) moment += static_cast<uint64_t>(earliest) - 1;
    const std::string_view name = in.String(value.room);
    const std::string_view text = in.String(second);
    fields.AddTimed(in, name, text, moment);
  }
  fields.Finish(in, value);
}

void ReadTimedListpack(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value) {
  if (type == RdbType::kHashListpackEx) in.Moment();  // the listpack tells it again
  const std::string_view pack = in.String(value.room);
  PackFacts facts;
  if (!CheckGroups<3, 0>(in, pack, kListpackFaults, facts)) return;
  FieldCollector fields(facts.groups, limits.hash);
  listpack::Digits name_digits, value_digits;
  int64_t before = 0;  // moment of the field before this one
  for (size_t at = listpack::First(pack); at != listpack::kEnd && !in.failed();) {
    const std::string_view name = listpack::Get(pack, at).Text(name_digits);
    at = listpack::Next(pack, at);
    const std::string_view text = listpack::Get(pack, at).Text(value_digits);
    at = listpack::Next(pack, at);
    const listpack::Element moment = listpack::Get(pack, at);
    if (!moment.is_integer || moment.integer < 0) in.FailCorrupt(kBadMoment);
    const int64_t orders_as = moment.integer == 0 ? kNeverExpires : moment.integer;
    if (orders_as < before) in.FailCorrupt("fields that are not in the order in which they expire");
    before = orders_as;
    fields.AddTimed(in, name, text, static_cast<uint64_t>(moment.integer));
    at = listpack::Next(pack, at);
  }
  fields.Finish(in, value);
}

// What has to be a listpack of fields and values, perhaps in `value.room`.
void TakePack(RdbReader& in, std::string_view pack, const PackFaults& faults, const ValueLimits& limits,
              RdbValue& value) {
  PackFacts facts;
  if (!CheckGroups<2, 2>(in, pack, faults, facts)) return;
  if (FitsPacked(pack, facts, limits.hash)) {
    if (pack.data() != value.room.bytes.data()) value.room.bytes.assign(pack);
    packed_pairs::FromListpack(value.room.bytes);
    value.bytes = value.room.bytes;
    return;
  }
  FieldCollector fields(facts.groups, limits.hash);
  listpack::Digits name_digits, value_digits;
  for (size_t at = listpack::First(pack); at != listpack::kEnd;) {
    const std::string_view name = listpack::Get(pack, at).Text(name_digits);
    at = listpack::Next(pack, at);
    fields.Add(in, name, listpack::Get(pack, at).Text(value_digits));
    at = listpack::Next(pack, at);
  }
  fields.Finish(in, value);
}

void TakeConverted(RdbReader& in, const HeapBytes& pack, const PackFaults& faults, const ValueLimits& limits,
                   RdbValue& value) {
  if (in.failed()) return;
  value.room.bytes.assign(pack.view());
  TakePack(in, value.room.bytes, faults, limits, value);
}

void ReadZipmap(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  const std::string_view zipmap = in.String(value.room);
  if (in.failed()) return;
  HeapBytes pack(listpack::kEmpty);
  // Nobody ever wrote one without fields.
  if (!zipmap::AppendTo(pack, zipmap) || listpack::Count(pack.view()) == 0)
    in.FailCorrupt(kZipmapFaults.broken);
  TakeConverted(in, pack, kZipmapFaults, limits, value);
}

}  // namespace

RdbType HashTypeFor(types::Holder& hash) {
  if (hash.packed()) return RdbType::kHashListpack;
  const LargeHash& large = LargeOf(hash);
  if (large.timed() == 0) return RdbType::kHash;
  return large.size_class() == LargeHash::Size::kSmall ? RdbType::kHashListpackEx : RdbType::kHashMetadata;
}

void WriteHash(RdbWriter& out, RdbType type, types::Holder& hash) {
  if (type == RdbType::kHashListpack) return out.String(packed_pairs::AsListpack(hash.view()).view());
  if (type == RdbType::kHashListpackEx) return WriteTimedListpack(out, LargeOf(hash));
  if (type == RdbType::kHashMetadata) return WriteTimedFields(out, LargeOf(hash));
  WriteFields(out, LargeOf(hash));
}

void ReadHash(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value) {
  switch (type) {
    case RdbType::kHash:
      return ReadFields(in, limits, value);
    case RdbType::kHashMetadata:
    case RdbType::kHashMetadataPreGa:
      return ReadTimedFields(in, type, limits, value);
    case RdbType::kHashListpackEx:
    case RdbType::kHashListpackExPreGa:
      return ReadTimedListpack(in, type, limits, value);
    case RdbType::kHashZipmap:
      return ReadZipmap(in, limits, value);
    case RdbType::kHashZiplist: {
      HeapBytes pack;
      ReadZiplist(in, value.room, pack, kZiplistFaults);
      return TakeConverted(in, pack, kZiplistFaults, limits, value);
    }
    default:
      return TakePack(in, in.String(value.room), kListpackFaults, limits, value);
  }
}

}  // namespace cinnabar::persistence::internal
