#include "keyspace/entry.h"

#include <cstdlib>

#include "base/check.h"

namespace cinnabar::keyspace {
namespace {

constexpr size_t kSmallEffort = 64;
constexpr size_t kSmallBytes = 64 * 1024;

}  // namespace

bool Entry::slow_to_free() const {
  switch (place()) {
    case Place::kObject:
      return object()->free_effort() > kSmallEffort;
    case Place::kShared:
      return block()->size > kSmallBytes;
    default:
      return false;
  }
}

Entry* Entry::Allocate(std::string_view key, bool expiry_field, size_t value_bytes) {
  const bool long_key = key.size() >= kLongKey;
  const size_t size = sizeof(Entry) + (expiry_field ? 8 : 0) + (long_key ? 4 : 0) + key.size() + value_bytes;
  auto* entry = static_cast<Entry*>(std::malloc(size));
  CHECK(entry != nullptr);
  entry->set_flags_and_clock(expiry_field ? kExpiryField : 0);
  entry->key_length_ = long_key ? kLongKey : static_cast<uint8_t>(key.size());
  entry->value_length_ = 0;
  char* p = const_cast<char*>(entry->body()) + (expiry_field ? 8 : 0);
  if (long_key) {
    const uint32_t length = static_cast<uint32_t>(key.size());
    std::memcpy(p, &length, 4);
    p += 4;
  }
  if (!key.empty()) std::memcpy(p, key.data(), key.size());
  return entry;
}

void Entry::StorePayload(const Payload& payload) {
  SetKind(payload.type, payload.place);
  if (payload.place == Place::kInline) {
    value_length_ = static_cast<uint16_t>(payload.bytes.size());
    if (!payload.bytes.empty()) std::memcpy(inline_data(), payload.bytes.data(), payload.bytes.size());
  } else {
    value_length_ = 0;
    set_word(payload.word);
  }
}

Entry* Entry::Create(std::string_view key, const Payload& payload, Millis expiry) {
  const size_t value_bytes = payload.place == Place::kInline ? payload.bytes.size() : 8;
  Entry* entry = Allocate(key, expiry != kNever, value_bytes);
  if (expiry != kNever) std::memcpy(const_cast<char*>(entry->body()), &expiry, 8);
  entry->StorePayload(payload);
  return entry;
}

void Entry::FreeValue(Entry* entry) {
  if (entry->place() == Place::kShared) SharedBytes::Release(entry->block());
  if (entry->place() == Place::kObject) delete entry->object();
}

void Entry::Destroy(Entry* entry) {
  FreeValue(entry);
  std::free(entry);
}

void Entry::Release(Entry* entry) {
  std::free(entry);
}

namespace {
Entry::Payload PayloadOf(const Entry& entry) {
  Entry::Payload payload;
  payload.type = entry.type();
  payload.place = entry.place();
  if (payload.place == Place::kInline) {
    payload.bytes = entry.inline_bytes();
  } else {
    payload.word = entry.word();
  }
  return payload;
}
}  // namespace

Entry* Entry::Replace(Entry* entry, const Payload& payload) {
  FreeValue(entry);
  const size_t value_bytes = payload.place == Place::kInline ? payload.bytes.size() : 8;
  if (value_bytes != entry->value_bytes()) {
    const size_t head = static_cast<size_t>(entry->value() - reinterpret_cast<const char*>(entry));
    entry = static_cast<Entry*>(std::realloc(static_cast<void*>(entry), head + value_bytes));
    CHECK(entry != nullptr);
  }
  entry->set_raw(false);
  entry->StorePayload(payload);
  return entry;
}

Entry* Entry::TakeValue(Entry& entry) {
  DCHECK(entry.place() != Place::kInline);
  Entry* taken = Create({}, PayloadOf(entry), kNever);
  entry.SetKind(types::Type::kString, Place::kInteger);
  return taken;
}

Entry* Entry::ResizeInline(Entry* entry, size_t size) {
  const size_t head = static_cast<size_t>(entry->value() - reinterpret_cast<const char*>(entry));
  const size_t old = entry->value_length_;
  entry = static_cast<Entry*>(std::realloc(static_cast<void*>(entry), head + size));
  CHECK(entry != nullptr);
  if (size > old) std::memset(entry->inline_data() + old, 0, size - old);
  entry->value_length_ = static_cast<uint16_t>(size);
  return entry;
}

Entry* Entry::SetExpiry(Entry* entry, Millis expiry) {
  if ((entry->flags() & kExpiryField) == 0) {
    if (expiry == kNever) return entry;
    const size_t old = entry->size();
    entry = static_cast<Entry*>(std::realloc(static_cast<void*>(entry), old + 8));
    CHECK(entry != nullptr);
    char* body = const_cast<char*>(entry->body());
    std::memmove(body + 8, body, old - sizeof(Entry));
    entry->set_flags_and_clock(entry->flags_and_clock() | kExpiryField);
  }
  std::memcpy(const_cast<char*>(entry->body()), &expiry, 8);
  return entry;
}

Entry* Entry::Relocate(Entry* entry, Relocation& relocation) {
  if (entry->place() == Place::kObject) {
    entry->set_word(reinterpret_cast<uint64_t>(relocation.Move(entry->object())));
  } else if (entry->place() == Place::kShared) {
    // With a second owner, a reply that is on its way, the block has to stay.
    SharedBytes::Block* block = entry->block();
    if (block->owners.load(std::memory_order_acquire) == 1) {
      block = relocation.Move(block);
      // A slice's bytes lie in another block, and stay there.
      if (block->whole == nullptr) block->data = reinterpret_cast<char*>(block + 1);
      entry->set_word(reinterpret_cast<uint64_t>(block));
    }
  }
  return relocation.Move(entry);
}

Entry* Entry::Clone(const Entry& entry, std::string_view key) {
  Payload payload = PayloadOf(entry);
  if (payload.place == Place::kShared) {
    payload.word = reinterpret_cast<uint64_t>(SharedBytes::Share(entry.block()).Detach());
  } else if (payload.place == Place::kObject) {
    payload.word = reinterpret_cast<uint64_t>(entry.object()->Clone().release());
  }
  Entry* copy = Create(key, payload, entry.expiry());
  copy->set_raw(entry.raw());
  copy->set_clock(entry.clock());
  return copy;
}

Entry* Entry::Rename(Entry* entry, std::string_view key) {
  Entry* renamed = Create(key, PayloadOf(*entry), entry->expiry());
  renamed->set_raw(entry->raw());
  renamed->set_clock(entry->clock());
  Release(entry);
  return renamed;
}

}  // namespace cinnabar::keyspace
