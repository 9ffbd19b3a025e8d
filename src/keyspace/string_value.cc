#include "keyspace/string_value.h"

#include <algorithm>

namespace cinnabar::keyspace {
namespace {

constexpr size_t kEmbeddedMax = 44;
// Strings that grow get spare room of their own size, at most this much.
constexpr size_t kSpareMax = 1024 * 1024;

}  // namespace

Entry::Payload BlockPayload(SharedBytes bytes) {
  return {types::Type::kString, Place::kShared, {}, reinterpret_cast<uint64_t>(bytes.Detach())};
}

Entry::Payload StringPayload(std::string_view bytes) {
  if (bytes.size() < kInt64TextBytes) {
    if (auto number = ParseInt64(bytes)) return IntegerPayload(*number);
  }
  if (bytes.size() <= Entry::kInlineMax) return {types::Type::kString, Place::kInline, bytes, 0};
  return BlockPayload(SharedBytes::Copy(bytes));
}

std::string_view StringBytes(const Entry& entry, DigitScratch& scratch) {
  switch (entry.place()) {
    case Place::kInline:
      return entry.inline_bytes();
    case Place::kInteger:
      return {scratch.digits, FormatInt64(entry.integer(), scratch.digits)};
    default:
      return {entry.block()->data, entry.block()->size};
  }
}

size_t StringLength(const Entry& entry) {
  DigitScratch scratch;
  return StringBytes(entry, scratch).size();
}

std::optional<int64_t> StringInteger(const Entry& entry) {
  if (entry.place() == Place::kInteger) return entry.integer();
  if (entry.place() == Place::kInline) return ParseInt64(entry.inline_bytes());
  return std::nullopt;
}

std::string_view StringEncoding(const Entry& entry) {
  if (entry.place() == Place::kInteger) return "int";
  if (entry.place() == Place::kInline && entry.inline_bytes().size() <= kEmbeddedMax && !entry.raw())
    return "embstr";
  return "raw";
}

char* MutableString(EntryRef& ref, size_t size) {
  Entry* entry = ref.get();
  if (entry->place() == Place::kInteger) {
    DigitScratch scratch;
    std::string_view digits = StringBytes(*entry, scratch);
    entry = Entry::Replace(entry, {types::Type::kString, Place::kInline, digits, 0});
  }
  if (entry->place() == Place::kInline && size <= Entry::kInlineMax) {
    if (size != entry->inline_bytes().size()) entry = Entry::ResizeInline(entry, size);
    entry->set_raw(true);
    ref.Moved(entry);
    return entry->inline_data();
  }
  DigitScratch unused;
  const std::string_view old = StringBytes(*entry, unused);
  const bool in_place =
      entry->place() == Place::kShared && entry->block()->capacity >= size && entry->block()->unique();
  if (in_place) {
    SharedBytes::Block* block = entry->block();
    if (size > block->size) std::memset(block->data + block->size, 0, size - block->size);
    block->size = size;
  } else {
    const size_t spare = size > old.size() && !old.empty() ? std::min(size, kSpareMax) : 0;
    SharedBytes fresh = SharedBytes::Allocate(size, size + spare);
    const size_t kept = std::min(size, old.size());
    std::memcpy(fresh.data(), old.data(), kept);
    std::memset(fresh.data() + kept, 0, size - kept);
    entry = Entry::Replace(entry, BlockPayload(std::move(fresh)));
  }
  entry->set_raw(true);
  ref.Moved(entry);
  return entry->block()->data;
}

}  // namespace cinnabar::keyspace
