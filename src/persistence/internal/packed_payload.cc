#include "persistence/internal/packed_payload.h"

#include <bit>
#include <cstring>

#include "base/hash.h"
#include "base/numbers.h"
#include "structures/ziplist.h"

namespace cinnabar::persistence::internal {
namespace {

using listpack::Element;

bool IsCanonical(const Element& element) {
  if (element.is_integer || element.bytes.empty()) return true;
  return element.bytes[0] != '-' && (element.bytes[0] < '0' || element.bytes[0] > '9');
}

// An element in the form in which equal ones look the same: listpacks from outside may hold the text of a
// number as a string.
Element Canonical(const Element& element) {
  if (IsCanonical(element)) return element;
  if (const auto number = ParseInt64(element.bytes)) return {.is_integer = true, .integer = *number};
  return element;
}

bool Same(const Element& a, const Element& b) {
  return a.is_integer == b.is_integer && a.integer == b.integer && a.bytes == b.bytes;
}

constexpr uint64_t kTweakOfStrings = 0, kTweakOfNumbers = 1;

uint64_t HashOf(const Element& element) {
  if (!element.is_integer) return HashBytes(element.bytes, kTweakOfStrings);
  char bytes[sizeof element.integer];
  std::memcpy(bytes, &element.integer, sizeof bytes);
  return HashBytes({bytes, sizeof bytes}, kTweakOfNumbers);
}

}  // namespace

SeenElements::SeenElements(std::string_view pack, size_t count) : pack_(pack) {
  const size_t slots = std::bit_ceil(count * 2);
  if (slots > kFewSlots) {
    many_.resize(slots);
    slots_ = many_.data();
  } else {
    slots_ = few_;
    std::memset(few_, 0, slots * sizeof(Slot));
  }
  mask_ = slots - 1;
}

bool SeenElements::Add(const Element& element, size_t position) {
  return IsCanonical(element) ? AddCanonical(element, position) : AddCanonical(Canonical(element), position);
}

bool SeenElements::AddCanonical(const Element& element, size_t position) {
  const uint64_t hash = HashOf(element);
  const Slot wanted{static_cast<uint32_t>(position), static_cast<uint32_t>(hash >> 32)};
  size_t at = hash & mask_;
  for (; slots_[at].position != 0; at = (at + 1) & mask_) {
    if (slots_[at].tag == wanted.tag && Same(Canonical(listpack::Get(pack_, slots_[at].position)), element))
      return false;
  }
  slots_[at] = wanted;
  return true;
}

size_t TextBytes(const Element& element) {
  if (!element.is_integer) return element.bytes.size();
  if (element.integer >= 0 && element.integer < 10) return 1;
  listpack::Digits digits;
  return element.Text(digits).size();
}

std::string_view ReadListpack(RdbReader& in, RdbRoom& room, const PackFaults& faults) {
  const std::string_view pack = in.String(room);
  if (!in.failed() && !listpack::Valid(pack)) in.FailCorrupt(faults.broken);
  return in.failed() ? std::string_view() : pack;
}

std::string_view ReadZiplist(RdbReader& in, RdbRoom& room, HeapBytes& pack, const PackFaults& faults) {
  const std::string_view ziplist = in.String(room);
  if (in.failed()) return {};
  pack = HeapBytes(listpack::kEmpty);
  if (!ziplist::AppendTo(pack, ziplist)) in.FailCorrupt(faults.broken);
  return in.failed() ? std::string_view() : pack.view();
}

uint64_t ReadElementCount(RdbReader& in, uint64_t least_bytes) {
  const uint64_t count = in.Count(least_bytes);
  if (count == 0) in.Fail(RdbFault::kEmpty, kNothingInside);
  return count;
}

}  // namespace cinnabar::persistence::internal
