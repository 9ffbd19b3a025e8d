#include "persistence/internal/packed_payload.h"

#include <algorithm>

#include "base/numbers.h"
#include "structures/ziplist.h"

namespace cinnabar::persistence::internal {
namespace {

using listpack::Element;

// An element in the form in which equal ones look the same: listpacks from outside may hold the text of a
// number as a string.
Element Canonical(Element element) {
  if (element.is_integer) return element;
  if (const auto number = ParseInt64(element.bytes)) return {.is_integer = true, .integer = *number};
  return element;
}

bool Less(const Element& a, const Element& b) {
  if (a.is_integer != b.is_integer) return a.is_integer;
  return a.is_integer ? a.integer < b.integer : a.bytes < b.bytes;
}

bool Same(const Element& a, const Element& b) {
  return a.is_integer == b.is_integer && a.integer == b.integer && a.bytes == b.bytes;
}

}  // namespace

std::string_view ReadListpack(RdbReader& in, RdbRoom& room) {
  const std::string_view pack = in.String(room);
  if (!in.failed() && !listpack::Valid(pack)) in.FailCorrupt(kBrokenPack);
  return in.failed() ? std::string_view() : pack;
}

std::string_view ReadZiplist(RdbReader& in, RdbRoom& room, HeapBytes& pack) {
  const std::string_view ziplist = in.String(room);
  if (in.failed()) return {};
  pack = HeapBytes(listpack::kEmpty);
  if (!ziplist::AppendTo(pack, ziplist)) in.FailCorrupt(kBrokenPack);
  return in.failed() ? std::string_view() : pack.view();
}

uint64_t ReadElementCount(RdbReader& in, uint64_t least_bytes) {
  const uint64_t count = in.Count(least_bytes);
  if (count == 0) in.Fail(RdbFault::kEmpty, kNothingInside);
  return count;
}

bool CheckGroups(RdbReader& in, std::string_view pack, size_t group) {
  if (in.failed()) return false;
  std::vector<Element> firsts;
  size_t count = 0;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    if (count++ % group == 0) firsts.push_back(Canonical(listpack::Get(pack, at)));
  }
  if (count == 0) in.Fail(RdbFault::kEmpty, kNothingInside);
  if (count % group != 0) in.FailCorrupt(kOddCount);
  std::sort(firsts.begin(), firsts.end(), Less);
  if (std::adjacent_find(firsts.begin(), firsts.end(), Same) != firsts.end()) in.FailCorrupt(kTwice);
  return !in.failed();
}

bool FitsPacked(std::string_view pack, size_t entries, const types::PackLimits& limits, size_t every) {
  if (pack.size() > types::kPackedBytesMax || static_cast<int64_t>(entries) > limits.entries) return false;
  size_t index = 0;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    if (index++ % every != 0) continue;
    listpack::Digits digits;
    if (static_cast<int64_t>(listpack::Get(pack, at).Text(digits).size()) > limits.value_bytes) return false;
  }
  return true;
}

}  // namespace cinnabar::persistence::internal
