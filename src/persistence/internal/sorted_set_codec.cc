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
bool InOrder(std::string_view pack) {
  listpack::Element last_member;
  double last_score = 0;
  bool first = true;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    const listpack::Element member = listpack::Get(pack, at);
    at = listpack::Next(pack, at);
    const auto score = ScoreIn(listpack::Get(pack, at));
    if (!score) return false;
    if (!first && (*score < last_score || (*score == last_score && !TextLess(last_member, member))))
      return false;
    first = false;
    last_score = *score;
    last_member = member;
  }
  return true;
}

void TakePack(RdbReader& in, std::string_view pack, const PackFaults& faults, const ValueLimits& limits,
              RdbValue& value) {
  if (!CheckGroups(in, pack, 2, faults)) return;
  if (!InOrder(pack)) return in.FailCorrupt("a packed sorted set that is not sorted");
  if (FitsPacked(pack, listpack::Count(pack) / 2, limits.sorted_set, 2)) {
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
  if (type == RdbType::kSortedSetListpack) {
    return TakePack(in, ReadListpack(in, value.room, kListpackFaults), kListpackFaults, limits, value);
  }
  HeapBytes pack;
  ReadZiplist(in, value.room, pack, kZiplistFaults);
  if (in.failed()) return;
  value.room.bytes.assign(pack.view());
  TakePack(in, value.room.bytes, kZiplistFaults, limits, value);
}

}  // namespace cinnabar::persistence::internal
