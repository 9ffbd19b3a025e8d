#include "commands/hash/hash_access.h"

#include <string>

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using keyspace::EntryHolder;
using keyspace::EntryRef;
using keyspace::Key;
using types::Hash;

// How many expired fields a write removes in passing.
constexpr size_t kFieldsInPassing = 32;

// A small packed hash on the stack: built there, it enters the keyspace with one allocation.
class StackHolder final : public types::Holder {
 public:
  static constexpr size_t kRoom = 1024;

  StackHolder() {
    data_ = bytes_;
    size_ = Hash::kEmptyPacked.size();
    std::memcpy(bytes_, Hash::kEmptyPacked.data(), size_);
  }
  void Resize(size_t size) override {
    CHECK(size <= kRoom);
    size_ = size;
  }
  void BecomeObject(std::unique_ptr<types::Value>) override { CHECK(false); }
  void BecomePacked(std::string_view) override { CHECK(false); }

 private:
  char bytes_[kRoom];
};

// Whether new pairs fit a StackHolder, and stay packed.
bool FitStack(std::span<const std::string_view> pairs, const types::PackLimits& limits) {
  if (static_cast<int64_t>(pairs.size() / 2) > limits.entries) return false;
  size_t bytes = Hash::kEmptyPacked.size() + pairs.size() / 2 * packed_pairs::SizeMost(0, 0);
  for (std::string_view text : pairs) {
    if (static_cast<int64_t>(text.size()) > limits.value_bytes) return false;
    bytes += text.size();
  }
  return bytes <= StackHolder::kRoom;
}

int64_t SetAll(Hash& hash, std::span<const std::string_view> pairs, const types::PackLimits& limits) {
  int64_t created = 0;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) created += hash.Set(pairs[i], pairs[i + 1], limits);
  return created;
}

}  // namespace

bool OpenHashToWrite(Call& call, const Key& key, EntryHolder& holder) {
  EntryRef entry = call.db().FindToChange(key);
  if (!call.Expect(entry, types::Type::kHash)) return false;
  if (entry && entry->place() == keyspace::Place::kObject && call.core().may_expire) {
    call.db().RemoveExpiredFields(key, entry, kFieldsInPassing);
  }
  holder.Open(entry);
  return true;
}

void EnsureHash(Call& call, const Key& key, EntryHolder& holder) {
  if (!holder.exists()) MakeCollection(call, key, types::Type::kHash, Hash::kEmptyPacked, holder);
}

Hash::Spot FindToStore(Call& call, const Key& key, Hash& hash, std::string_view field) {
  Hash::Spot spot = hash.Find(field);
  if (!spot.expired || !call.core().may_expire) [[likely]]
    return spot;
  const std::string name(field);
  ++call.core().expired_fields;
  if (call.core().events != nullptr)
    call.core().events->OnFieldsExpired(call.db().index(), key.bytes, {&name, 1});
  hash.Erase(spot);
  return hash.Find(field);
}

int64_t StorePairs(Call& call, const Key& key, EntryHolder& holder, std::span<const std::string_view> pairs) {
  const types::PackLimits limits = HashLimits(call);
  if (!holder.exists()) {
    if (FitStack(pairs, limits)) {
      StackHolder pack;
      Hash hash(pack);
      const int64_t created = SetAll(hash, pairs, limits);
      MakeCollection(call, key, types::Type::kHash, pack.view(), holder);
      return created;
    }
    EnsureHash(call, key, holder);
  }
  Hash hash(holder, FieldClock(call));
  return SetAll(hash, pairs, limits);
}

}  // namespace cinnabar::commands
