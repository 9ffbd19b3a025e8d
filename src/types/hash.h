// Hash: fields and their values at a key, whichever form they have.
//
//   packed   fields and values in one run of bytes (structures/packed_pairs.h); no field expires
//   large    a LargeHash
//
// A hash leaves the packed form for good when a field or value is too long, when the fields are too many
// (PackLimits), or when a field is to expire. What has expired by `now` is invisible to every method here,
// but stays until it is overwritten or taken out.
//
// A hash without visible fields may have expired ones left; when nothing at all is left (`empty`) the caller
// removes the key.
//
// Not thread-safe: the caller holds the key's shard. Elements and Spots die with the next change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "structures/packed_pairs.h"
#include "types/holder.h"
#include "types/large_hash.h"

namespace cinnabar::types {

class Hash {
 public:
  using Element = listpack::Element;
  static constexpr std::string_view kEmptyPacked = packed_pairs::kEmpty;

  // Where a field is, or would be.
  struct Spot {
    bool found = false;
    bool expired = false;  // it is there, but nobody may see it: found is false
    Element value;         // if found
    Millis expiry = kNeverExpires;

   private:
    friend class Hash;
    size_t position = packed_pairs::kEnd;  // while packed
    TableSlot* slot = nullptr;
    uint64_t hash = 0;
  };
  // What becomes of a field's expiry when its value is overwritten.
  enum class Life : uint8_t { kForever, kKeep };

  // `holder` holds a hash. With now = 0 nothing has expired.
  explicit Hash(Holder& holder, Millis now = 0) : holder_(holder), now_(now) {}

  // Visible fields. O(1), beyond what has expired and was not taken out yet (a walk for 255 packed ones).
  size_t size() const {
    return holder_.packed() ? packed_pairs::Count(holder_.view())
                            : large().size() - large().CountExpired(now_);
  }
  bool empty() const {
    return holder_.packed() ? holder_.size() == kEmptyPacked.size() : large().size() == 0;
  }
  // No field expires before this moment.
  Millis next_expiry() const { return holder_.packed() ? kNeverExpires : large().next_expiry(); }

  Spot Find(std::string_view field) const;
  // Writes where Find has just looked for this field.
  void Store(const Spot& spot, std::string_view field, std::string_view value, const PackLimits& limits,
             Life life = Life::kForever);
  // Whether the field is new.
  bool Set(std::string_view field, std::string_view value, const PackLimits& limits) {
    const Spot spot = Find(field);
    Store(spot, field, value, limits);
    return !spot.found;
  }
  void Erase(const Spot& spot);
  // False when there is no such field.
  bool Erase(std::string_view field) {
    const Spot spot = Find(field);
    if (spot.found) Erase(spot);
    return spot.found;
  }
  // kNeverExpires: lives for ever. REQUIRES: spot.found.
  void SetExpiry(const Spot& spot, std::string_view field, Millis expiry);
  // Erases up to `limit` expired fields, and gives their names.
  std::vector<std::string> TakeExpired(size_t limit) {
    return holder_.packed() ? std::vector<std::string>() : large().TakeExpired(now_, limit);
  }

  // `visit(const Element& field, const Element& value, Millis expiry)` for all fields, in an order that only
  // a change changes.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    if (holder_.packed()) return ForEachPacked(visit);
    large().ForEach([&](const HashField& field) { VisitLive(field, visit); });
  }
  // Some fields, at least as the guarantee of SCAN wants it; gives the next cursor, 0 at the end. A packed
  // hash comes as a whole.
  template <typename Visit>
  uint64_t Scan(uint64_t cursor, Visit&& visit) const {
    if (!holder_.packed()) {
      return large().Scan(cursor, [&](const HashField& field) { VisitLive(field, visit); });
    }
    ForEachPacked(visit);
    return 0;
  }

  struct Pair {
    Element field;
    Element value;
  };
  // Any field, each with the same chance. REQUIRES: size() > 0.
  Pair Sample(Random& random) const;
  // `count` different ones. REQUIRES: count <= size().
  std::vector<Pair> SampleDistinct(Random& random, size_t count) const;
  // `bool visit(const Pair&)` for any field, `count` times or until one returns false. REQUIRES: size() > 0.
  template <typename Visit>
  void SampleRepeatedly(Random& random, uint64_t count, Visit&& visit) const {
    // Packed pairs are walked once instead of each time.
    const std::vector<Pair> pairs = holder_.packed() ? All() : std::vector<Pair>();
    for (; count > 0; --count) {
      if (!visit(pairs.empty() ? Sample(random) : pairs[random.Uniform(pairs.size())])) return;
    }
  }

 private:
  LargeHash& large() const { return static_cast<LargeHash&>(*holder_.object()); }
  bool Live(const HashField& field) const { return !field.timed() || field.expiry() > now_; }
  static Pair PairOf(const HashField& field) { return {{.bytes = field.name()}, {.bytes = field.value()}}; }
  template <typename Visit>
  void VisitLive(const HashField& field, Visit&& visit) const {
    const Millis expiry = field.expiry();
    if (expiry <= now_) return;
    visit(Element{.bytes = field.name()}, Element{.bytes = field.value()}, expiry);
  }
  template <typename Visit>
  void ForEachPacked(Visit&& visit) const {
    const std::string_view pairs = holder_.view();
    for (size_t at = packed_pairs::First(pairs); at != packed_pairs::kEnd;) {
      const packed_pairs::Pair pair = packed_pairs::Get(pairs, at);
      visit(pair.field, pair.value, kNeverExpires);
      at = pair.next;
    }
  }
  void StorePacked(const Spot& spot, std::string_view field, std::string_view value);
  void StoreLarge(const Spot& spot, std::string_view field, std::string_view value, const PackLimits& limits,
                  Life life);
  bool FitsPacked(const Spot& spot, std::string_view field, std::string_view value,
                  const PackLimits& limits) const;
  void BecomeLarge(LargeHash::Size size_class);
  std::vector<Pair> All() const;

  Holder& holder_;
  const Millis now_;
};

}  // namespace cinnabar::types
