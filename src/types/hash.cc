#include "types/hash.h"

#include <algorithm>
#include <unordered_set>

namespace cinnabar::types {

Hash::Spot Hash::Find(std::string_view field) const {
  Spot spot;
  if (holder_.packed()) {
    const packed_pairs::Found found = packed_pairs::Find(holder_.view(), field);
    spot.found = found.position != packed_pairs::kEnd;
    spot.position = found.position;
    spot.value = found.value;
    return spot;
  }
  LargeHash& hash = large();
  spot.hash = hash.HashOf(field);
  spot.slot = hash.Find(field, spot.hash);
  if (spot.slot == nullptr) return spot;
  const HashField& found = LargeHash::FieldOf(*spot.slot);
  if (spot.slot->marked()) {
    spot.expiry = found.expiry();
    spot.expired = spot.expiry <= now_;
  }
  spot.found = !spot.expired;
  spot.value.bytes = found.value();
  return spot;
}

bool Hash::FitsPacked(const Spot& spot, std::string_view field, std::string_view value,
                      const PackLimits& limits) const {
  const auto longest = static_cast<size_t>(std::max<int64_t>(limits.value_bytes, 0));
  if (field.size() > longest || value.size() > longest) return false;
  if (!spot.found && size() >= static_cast<size_t>(std::max<int64_t>(limits.entries, 0))) return false;
  const size_t more = packed_pairs::SizeMost(spot.found ? 0 : field.size(), value.size());
  return holder_.size() + more <= kPackedBytesMax;
}

void Hash::Store(const Spot& spot, std::string_view field, std::string_view value, const PackLimits& limits,
                 Life life) {
  if (!holder_.packed()) return StoreLarge(spot, field, value, limits, life);
  if (FitsPacked(spot, field, value, limits)) return StorePacked(spot, field, value);
  BecomeLarge(LargeHash::Size::kLarge);
  StoreLarge(Find(field), field, value, limits, life);
}

void Hash::StorePacked(const Spot& spot, std::string_view field, std::string_view value) {
  if (spot.found) {
    packed_pairs::SetValue(holder_, spot.position, value);
  } else {
    packed_pairs::Append(holder_, field, value);
  }
}

void Hash::StoreLarge(const Spot& spot, std::string_view field, std::string_view value,
                      const PackLimits& limits, Life life) {
  LargeHash& hash = large();
  if (spot.slot != nullptr) {
    const Millis expiry = spot.found && life == Life::kKeep ? spot.expiry : kNeverExpires;
    hash.Replace(*spot.slot, spot.hash, value, expiry);
  } else {
    hash.Insert(field, spot.hash, value);
  }
  if (hash.size_class() == LargeHash::Size::kLarge) return;
  const auto longest = static_cast<size_t>(std::max<int64_t>(limits.value_bytes, 0));
  if (static_cast<int64_t>(hash.size()) > limits.entries || field.size() > longest ||
      value.size() > longest) {
    hash.set_size_class(LargeHash::Size::kLarge);
  }
}

void Hash::Erase(const Spot& spot) {
  if (holder_.packed()) {
    packed_pairs::Erase(holder_, spot.position);
  } else {
    large().Erase(spot.slot, spot.hash);
  }
}

void Hash::SetExpiry(const Spot& spot, std::string_view field, Millis expiry) {
  if (!holder_.packed()) return large().SetExpiry(*spot.slot, spot.hash, expiry);
  if (expiry == kNeverExpires) return;
  BecomeLarge(LargeHash::Size::kSmall);
  const Spot moved = Find(field);
  large().SetExpiry(*moved.slot, moved.hash, expiry);
}

void Hash::BecomeLarge(LargeHash::Size size_class) {
  auto hash = std::make_unique<LargeHash>(size_class);
  ForEachPacked([&](const Element& field, const Element& value, Millis expiry) {
    listpack::Digits name_digits, value_digits;
    const std::string_view name = field.Text(name_digits);
    hash->Insert(name, hash->HashOf(name), value.Text(value_digits), expiry);
  });
  holder_.BecomeObject(std::move(hash));
}

std::vector<Hash::Pair> Hash::All() const {
  std::vector<Pair> pairs;
  pairs.reserve(holder_.packed() ? size() : large().size());
  ForEach([&](const Element& field, const Element& value, Millis) { pairs.push_back({field, value}); });
  return pairs;
}

Hash::Pair Hash::Sample(Random& random) const {
  if (holder_.packed()) {
    const packed_pairs::Pair pair = packed_pairs::At(holder_.view(), random.Uniform(size()));
    return {pair.field, pair.value};
  }
  auto draw = [&](uint64_t n) { return random.Uniform(n); };
  if (large().next_expiry() > now_) return PairOf(large().Sample(draw));
  // Where most have expired, drawing again and again might take long.
  for (int tries = 0; tries < 32; ++tries) {
    const HashField& field = large().Sample(draw);
    if (Live(field)) return PairOf(field);
  }
  const std::vector<Pair> pairs = All();
  return pairs[random.Uniform(pairs.size())];
}

std::vector<Hash::Pair> Hash::SampleDistinct(Random& random, size_t count) const {
  const size_t live = size();
  // Few out of many are drawn until they are enough; else a shuffle of all is cheaper.
  if (!holder_.packed() && count < live / 3 && live > large().size() / 2) {
    std::vector<Pair> chosen;
    std::unordered_set<const HashField*> seen;
    chosen.reserve(count);
    seen.reserve(count);
    auto draw = [&](uint64_t n) { return random.Uniform(n); };
    while (chosen.size() < count) {
      const HashField& field = large().Sample(draw);
      if (Live(field) && seen.insert(&field).second) chosen.push_back(PairOf(field));
    }
    return chosen;
  }
  std::vector<Pair> pairs = All();
  for (size_t i = 0; i < count; ++i) std::swap(pairs[i], pairs[i + random.Uniform(pairs.size() - i)]);
  pairs.resize(count);
  return pairs;
}

}  // namespace cinnabar::types
