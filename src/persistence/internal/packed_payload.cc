#include "persistence/internal/packed_payload.h"

#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "base/hash.h"
#include "base/hash_seed.h"
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

size_t LengthOf(const Element& element) {
  if (!element.is_integer) return element.bytes.size();
  if (element.integer >= 0 && element.integer < 10) return 1;
  listpack::Digits digits;
  return element.Text(digits).size();
}

bool Same(const Element& a, const Element& b) {
  return a.is_integer == b.is_integer && a.integer == b.integer && a.bytes == b.bytes;
}

// Elements of a listpack that were seen: an open hash table of positions. The seed keeps senders of payloads
// from preparing collisions.
class SeenElements {
 public:
  SeenElements(std::string_view pack, size_t count) : pack_(pack), seed_(HashSeedFor(this)) {
    const size_t slots = std::bit_ceil(count * 2 + 1);
    if (slots > few_.size()) many_.resize(slots);
    slots_ = slots > few_.size() ? many_.data() : few_.data();
    mask_ = slots - 1;
  }

  // False when an equal one was added before. REQUIRES: no more than the count.
  bool Add(size_t position) {
    const Element element = Canonical(listpack::Get(pack_, position));
    const uint64_t hash = HashOf(element);
    const Slot wanted{static_cast<uint32_t>(position), static_cast<uint32_t>(hash >> 32)};
    size_t at = hash & mask_;
    for (; slots_[at].position != 0; at = (at + 1) & mask_) {
      if (slots_[at].tag == wanted.tag &&
          Same(Canonical(listpack::Get(pack_, slots_[at].position)), element)) {
        return false;
      }
    }
    slots_[at] = wanted;
    return true;
  }

 private:
  struct Slot {
    uint32_t position;  // 0: free; nothing stands at the beginning of a listpack
    uint32_t tag;
  };

  uint64_t HashOf(const Element& element) const {
    if (!element.is_integer) return HashBytes(element.bytes, seed_);
    char bytes[sizeof element.integer];
    std::memcpy(bytes, &element.integer, sizeof bytes);
    return HashBytes({bytes, sizeof bytes}, ~seed_);
  }

  std::string_view pack_;
  const uint64_t seed_;
  size_t mask_;
  Slot* slots_;
  std::array<Slot, 256> few_{};
  std::vector<Slot> many_;
};

}  // namespace

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

bool CheckGroups(RdbReader& in, std::string_view pack, size_t group, const PackFaults& faults) {
  if (in.failed()) return false;
  const size_t count = listpack::Count(pack);
  if (count == 0) in.Fail(RdbFault::kEmpty, kNothingInside);
  if (count % group != 0) in.FailCorrupt(faults.odd_count);
  if (in.failed()) return false;
  SeenElements seen(pack, count / group);
  size_t index = 0;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    if (index++ % group == 0 && !seen.Add(at)) {
      in.FailCorrupt(faults.twice);
      return false;
    }
  }
  return true;
}

bool FitsPacked(std::string_view pack, size_t entries, const types::PackLimits& limits, size_t every) {
  if (pack.size() > types::kPackedBytesMax || static_cast<int64_t>(entries) > limits.entries) return false;
  size_t index = 0;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    if (index++ % every != 0) continue;
    if (static_cast<int64_t>(LengthOf(listpack::Get(pack, at))) > limits.value_bytes) return false;
  }
  return true;
}

}  // namespace cinnabar::persistence::internal
