#include "types/large_hash.h"

#include <algorithm>
#include <cstdlib>

#include "base/hash_seed.h"

namespace cinnabar::types {
namespace {

// What the allocator makes of a request, nearly.
constexpr size_t Rounded(size_t size) {
  return (size + 15) & ~size_t{15};
}

// Timers that stand for nothing are tolerated up to this number, and as many as living ones.
constexpr size_t kIdleTimers = 64;

}  // namespace

const uint8_t* HashField::ReadLongLength(const uint8_t* from, uint64_t& length) {
  const size_t bytes = size_t{2} << (*from - (kOneByteMost + 1));
  length = 0;
  std::memcpy(&length, from + 1, bytes);
  return from + 1 + bytes;
}

size_t HashField::LengthBytes(uint64_t length) {
  if (length <= kOneByteMost) return 1;
  if (length <= 0xffff) return 3;
  return length <= 0xffffffff ? 5 : 9;
}

uint8_t* HashField::WriteLength(uint8_t* to, uint64_t length) {
  const size_t bytes = LengthBytes(length);
  if (bytes == 1) {
    *to = static_cast<uint8_t>(length);
    return to + 1;
  }
  *to = static_cast<uint8_t>(bytes == 3   ? kOneByteMost + 1
                             : bytes == 5 ? kOneByteMost + 2
                                          : kOneByteMost + 3);
  std::memcpy(to + 1, &length, bytes - 1);
  return to + bytes;
}

size_t HashField::SizeFor(size_t name, size_t value, Millis expiry) {
  const bool timed = expiry != kNeverExpires;
  return LengthBytes(uint64_t{name} * 2 + timed) + LengthBytes(value) + name + value + (timed ? 8 : 0);
}

size_t HashField::size() const {
  const Parts parts = Read();
  const char* end = parts.value.data() + parts.value.size() + (timed() ? 8 : 0);
  return static_cast<size_t>(end - reinterpret_cast<const char*>(this));
}

HashField* HashField::Create(std::string_view name, std::string_view value, Millis expiry) {
  auto* memory = static_cast<uint8_t*>(std::malloc(SizeFor(name.size(), value.size(), expiry)));
  CHECK(memory != nullptr);
  const bool timed = expiry != kNeverExpires;
  uint8_t* p = WriteLength(memory, uint64_t{name.size()} * 2 + timed);
  p = WriteLength(p, value.size());
  if (!name.empty()) std::memcpy(p, name.data(), name.size());
  p += name.size();
  if (!value.empty()) std::memcpy(p, value.data(), value.size());
  if (timed) std::memcpy(p + value.size(), &expiry, 8);
  return reinterpret_cast<HashField*>(memory);
}

void HashField::Destroy(HashField* field) {
  std::free(field);
}

HashField* HashField::Change(HashField* field, std::string_view value, Millis expiry) {
  const Parts parts = field->Read();
  const bool timed = expiry != kNeverExpires;
  const size_t head = static_cast<size_t>(parts.name.data() - reinterpret_cast<const char*>(field));
  const size_t new_head = LengthBytes(uint64_t{parts.name.size()} * 2 + timed) + LengthBytes(value.size());
  if (head != new_head) {
    HashField* changed = Create(parts.name, value, expiry);
    Destroy(field);
    return changed;
  }
  const size_t name_size = parts.name.size();
  const size_t size = SizeFor(name_size, value.size(), expiry);
  if (size != field->size()) {
    field = static_cast<HashField*>(std::realloc(static_cast<void*>(field), size));
    CHECK(field != nullptr);
  }
  auto* memory = reinterpret_cast<uint8_t*>(field);
  uint8_t* p = WriteLength(memory, uint64_t{name_size} * 2 + timed);
  p = WriteLength(p, value.size()) + name_size;
  if (!value.empty()) std::memcpy(p, value.data(), value.size());
  if (timed) std::memcpy(p + value.size(), &expiry, 8);
  return field;
}

HashField* HashField::SetExpiry(HashField* field, Millis expiry) {
  const Parts parts = field->Read();
  const uint64_t head = uint64_t{parts.name.size()} * 2;
  const bool timed = expiry != kNeverExpires;
  if (LengthBytes(head) != LengthBytes(head + 1)) {
    HashField* changed = Create(parts.name, parts.value, expiry);
    Destroy(field);
    return changed;
  }
  const size_t size = SizeFor(parts.name.size(), parts.value.size(), expiry);
  if (timed != field->timed()) {
    field = static_cast<HashField*>(std::realloc(static_cast<void*>(field), size));
    CHECK(field != nullptr);
  }
  auto* memory = reinterpret_cast<uint8_t*>(field);
  WriteLength(memory, head + timed);
  if (timed) std::memcpy(memory + size - 8, &expiry, 8);
  return field;
}

LargeHash::LargeHash(Size size_class) : seed_(HashSeedFor(this)), size_class_(size_class) {}

LargeHash::~LargeHash() {
  for (size_t bucket = 0; bucket < table_.bucket_count(); ++bucket) {
    table_.VisitBucket(bucket, [](Slot& slot) { HashField::Destroy(slot.entry<HashField>()); });
  }
}

size_t LargeHash::memory(size_t /*samples*/) const {
  return sizeof(*this) + table_.memory() + field_bytes_ + timers_.capacity() * sizeof(Timer);
}

std::unique_ptr<Value> LargeHash::Clone() const {
  auto copy = std::make_unique<LargeHash>(size_class_);
  copy->seed_ = seed_;
  ForEach([&](const HashField& field) {
    copy->Insert(field.name(), HashOf(field.name()), field.value(), field.expiry());
  });
  return copy;
}

bool LargeHash::RelocateSome(Relocation& relocation, RelocationCursor& cursor) {
  return table_.RelocateSome(relocation, cursor.at);
}

void LargeHash::Insert(std::string_view name, uint64_t hash, std::string_view value, Millis expiry) {
  HashField* field = HashField::Create(name, value, expiry);
  field_bytes_ += Rounded(field->size());
  const bool timed = expiry != kNeverExpires;
  table_.Insert(hash, field, timed, [this](const HashField& f) { return HashOf(f.name()); });
  if (timed) AddTimer({expiry, hash});
}

void LargeHash::Replace(Slot& slot, uint64_t hash, std::string_view value, Millis expiry) {
  HashField* field = &FieldOf(slot);
  const Millis before = slot.marked() ? field->expiry() : kNeverExpires;
  const std::string_view old = field->value();
  if (old.size() == value.size() && expiry == before) {
    if (!value.empty()) std::memcpy(const_cast<char*>(old.data()), value.data(), value.size());
    return;
  }
  field_bytes_ -= Rounded(field->size());
  field = HashField::Change(field, value, expiry);
  field_bytes_ += Rounded(field->size());
  slot.set_pointer(field);
  if (expiry != before) NoteExpiry(slot, hash, expiry);
}

void LargeHash::SetExpiry(Slot& slot, uint64_t hash, Millis expiry) {
  HashField* field = &FieldOf(slot);
  if (field->expiry() == expiry) return;
  field_bytes_ -= Rounded(field->size());
  field = HashField::SetExpiry(field, expiry);
  field_bytes_ += Rounded(field->size());
  slot.set_pointer(field);
  NoteExpiry(slot, hash, expiry);
}

void LargeHash::NoteExpiry(Slot& slot, uint64_t hash, Millis expiry) {
  table_.SetMark(&slot, expiry != kNeverExpires);
  if (expiry != kNeverExpires) {
    AddTimer({expiry, hash});
  } else if (table_.marked() == 0) {
    timers_ = {};
  }
}

void LargeHash::Erase(Slot* slot, uint64_t hash) {
  HashField* field = table_.Erase(hash, slot);
  field_bytes_ -= Rounded(field->size());
  HashField::Destroy(field);
  if (table_.marked() == 0) timers_ = {};
}

TableSlot* LargeHash::FieldOfTimer(const Timer& timer) const {
  return table_.Find(timer.hash, [&](const HashField& field) {
    return field.timed() && field.expiry() == timer.at && HashOf(field.name()) == timer.hash;
  });
}

void LargeHash::AddTimer(Timer timer) {
  for (int probes = 0; probes < 2 && timers_.size() > 2 * table_.marked() + kIdleTimers; ++probes) {
    probe_ = probe_ + 1 < timers_.size() ? probe_ + 1 : 0;
    if (FieldOfTimer(timers_[probe_]) == nullptr) DropTimer(probe_);
  }
  timers_.push_back(timer);
  std::push_heap(timers_.begin(), timers_.end(), Later());
}

void LargeHash::DropTimer(size_t node) {
  const Timer last = timers_.back();
  timers_.pop_back();
  if (node == timers_.size()) return;
  // The last one takes the place, and moves up or down to where it belongs.
  while (node > 0 && last.at < timers_[(node - 1) / 2].at) {
    timers_[node] = timers_[(node - 1) / 2];
    node = (node - 1) / 2;
  }
  for (size_t child; (child = 2 * node + 1) < timers_.size(); node = child) {
    if (child + 1 < timers_.size() && timers_[child + 1].at < timers_[child].at) ++child;
    if (timers_[child].at >= last.at) break;
    timers_[node] = timers_[child];
  }
  timers_[node] = last;
}

std::vector<std::string> LargeHash::TakeExpired(Millis now, size_t limit) {
  std::vector<std::string> names;
  while (next_expiry() <= now && names.size() < limit) {
    const Timer timer = timers_.front();
    std::pop_heap(timers_.begin(), timers_.end(), Later());
    timers_.pop_back();
    Slot* slot = FieldOfTimer(timer);
    if (slot == nullptr) continue;
    names.emplace_back(FieldOf(*slot).name());
    Erase(slot, timer.hash);
  }
  if (timers_.capacity() > 4 * timers_.size() + kIdleTimers) timers_.shrink_to_fit();
  return names;
}

size_t LargeHash::CountExpired(Millis now) const {
  if (next_expiry() > now) return 0;
  std::vector<Timer> expired;
  CollectExpired(0, now, expired);
  // A moment that was set, changed and set again has two timers.
  std::sort(expired.begin(), expired.end(), [](const Timer& a, const Timer& b) { return a.hash < b.hash; });
  return static_cast<size_t>(std::unique(expired.begin(), expired.end()) - expired.begin());
}

void LargeHash::CollectExpired(size_t node, Millis now, std::vector<Timer>& expired) const {
  if (node >= timers_.size() || timers_[node].at > now) return;
  if (FieldOfTimer(timers_[node]) != nullptr) expired.push_back(timers_[node]);
  CollectExpired(2 * node + 1, now, expired);
  CollectExpired(2 * node + 2, now, expired);
}

}  // namespace cinnabar::types
