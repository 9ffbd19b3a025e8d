#include <cmath>
#include <optional>

#include "base/numbers.h"
#include "persistence/internal/packed_payload.h"
#include "persistence/internal/value_codecs.h"
#include "types/sorted_set.h"

namespace cinnabar::persistence::internal {
namespace {

using types::Direction;
using types::SortedSet;
using types::SortedSetBuilder;

constexpr PackFaults kListpackFaults = {
    .broken = "Zset listpack integrity check failed",
    .twice = "Zset listpack integrity check failed: listpack with dup elements",
    .odd_count = "Zset listpack integrity check failed: an odd number of elements",
};
constexpr PackFaults kZiplistFaults = {
    .broken = "Zset ziplist integrity check failed",
    .twice = "Zset ziplist integrity check failed: ziplist with dup elements",
    .odd_count = "Zset ziplist integrity check failed: an odd number of elements",
};

// The least that a member takes with its score: text has a byte for its length, and one digit.
constexpr uint64_t kTextMemberBytes = 2, kBinaryMemberBytes = 1 + sizeof(double);

void ReadMembers(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value) {
  const bool binary = type == RdbType::kSortedSet2;
  SortedSetBuilder members;
  uint64_t left = ReadElementCount(in, binary ? kBinaryMemberBytes : kTextMemberBytes);
  for (; left > 0 && !in.failed(); --left) {
    const std::string_view member = in.String(value.room);
    const double score = binary ? in.Double() : in.TextDouble();
    if (std::isnan(score)) in.FailCorrupt("a score that is no number");
    if (in.failed()) return;
    members.AddOrCombine(member, score, [&](double old) {
      in.FailCorrupt(kTwice);
      return old;
    });
  }
  if (in.failed()) return;
  types::OwnHolder holder = members.Finish(limits.sorted_set);
  value.Take(holder);
}

// Nothing when it is none.
std::optional<double> ScoreIn(const listpack::Element& element) {
  if (element.is_integer) return static_cast<double>(element.integer);
  return ParseDouble(element.bytes);
}

bool TextLess(const listpack::Element& a, const listpack::Element& b) {
  listpack::Digits a_digits, b_digits;
  return a.Text(a_digits) < b.Text(b_digits);
}

// Whether all scores are numbers and the members stand in their order.
class OrderCheck {
 public:
  bool Allows(const listpack::Element& member, const listpack::Element& score_element) {
    const auto score = ScoreIn(score_element);
    if (!score) return false;
    const bool in_order =
        first_ || last_score_ < *score || (last_score_ == *score && TextLess(last_member_, member));
    first_ = false;
    last_score_ = *score;
    last_member_ = member;
    return in_order;
  }

 private:
  listpack::Element last_member_;
  double last_score_ = 0;
  bool first_ = true;
};

void TakePack(RdbReader& in, std::string_view pack, const PackFaults& faults, const ValueLimits& limits,
              RdbValue& value) {
  OrderCheck order;
  PackFacts facts;
  const bool fine = CheckGroups<2, 1>(in, pack, faults, facts, [&](const listpack::Element* group) {
    if (!order.Allows(group[0], group[1])) in.FailCorrupt("a packed sorted set that is not sorted");
    return !in.failed();
  });
  if (!fine) return;
  if (FitsPacked(pack, facts, limits.sorted_set)) {
    value.bytes = pack;
    return;
  }
  SortedSetBuilder members;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    listpack::Digits digits;
    const std::string_view member = listpack::Get(pack, at).Text(digits);
    at = listpack::Next(pack, at);
    members.Add(member, types::ScoreOf(listpack::Get(pack, at)));
  }
  types::OwnHolder holder = members.Finish(limits.sorted_set);
  value.Take(holder);
}

}  // namespace

void WriteSortedSet(RdbWriter& out, types::Holder& holder) {
  if (holder.packed()) return out.String(holder.view());
  const SortedSet set(holder);
  out.Length(set.size());
  // The greatest first: who inserts them one by one into a skip list always inserts at the front.
  set.ForEachInRanks(set.AllRanks(), Direction::kDown, [&](std::string_view member, double score) {
    out.String(member);
    out.Double(score);
  });
}

void ReadSortedSet(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value) {
  if (type == RdbType::kSortedSet || type == RdbType::kSortedSet2)
    return ReadMembers(in, type, limits, value);
  if (type == RdbType::kSortedSetListpack)
    return TakePack(in, in.String(value.room), kListpackFaults, limits, value);
  HeapBytes pack;
  ReadZiplist(in, value.room, pack, kZiplistFaults);
  if (in.failed()) return;
  value.room.bytes.assign(pack.view());
  TakePack(in, value.room.bytes, kZiplistFaults, limits, value);
}

}  // namespace cinnabar::persistence::internal
