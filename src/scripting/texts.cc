#include "scripting/texts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/sha1.h"
#include "scripting/shebang.h"

namespace cinnabar::scripting {
namespace {

size_t MemoryOf(const Text& text) {
  return sizeof(Text) + text.text.capacity() + text.digest.capacity() + 64;
}

}  // namespace

std::string DigestOf(std::string_view text) {
  std::string digest;
  for (const uint8_t byte : Sha1(text)) {
    digest += "0123456789abcdef"[byte >> 4];
    digest += "0123456789abcdef"[byte & 15];
  }
  return digest;
}

std::shared_ptr<Text> Texts::Find(std::string_view digest) const {
  std::lock_guard lock(mutex_);
  const auto found = texts_.find(digest);
  return found == texts_.end() ? nullptr : found->second;
}

Result<std::shared_ptr<Text>> Texts::Add(std::string_view text) {
  std::string digest = DigestOf(text);
  if (auto known = Find(digest); known != nullptr) return known;
  auto made = std::make_shared<Text>();
  made->text = text;
  made->digest = digest;
  const ScriptHead head = TRY(ReadScriptHead(made->text));
  made->body = head.body;
  made->flags = head.flags;
  made->used.store(NextUse(), std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  const auto [place, is_new] = texts_.emplace(std::move(digest), made);
  if (!is_new) return place->second;
  memory_ += MemoryOf(*made);
  EvictOldest();
  return made;
}

// REQUIRES: the lock. The unnamed texts that were not used for longest go.
void Texts::EvictOldest() {
  std::vector<std::pair<uint64_t, Text*>> unnamed;
  if (texts_.size() <= kUnnamedMax) return;
  for (const auto& [digest, text] : texts_) {
    if (!text->named.load(std::memory_order_relaxed))
      unnamed.emplace_back(text->used.load(std::memory_order_relaxed), text.get());
  }
  if (unnamed.size() <= kUnnamedMax) return;
  const size_t goes = unnamed.size() - kUnnamedMax;
  std::nth_element(unnamed.begin(), unnamed.begin() + static_cast<ptrdiff_t>(goes), unnamed.end());
  for (size_t i = 0; i < goes; ++i) {
    const std::string digest = unnamed[i].second->digest;
    unnamed[i].second->dropped.store(true, std::memory_order_release);
    memory_ -= MemoryOf(*unnamed[i].second);
    texts_.erase(digest);
    ++evicted_;
  }
}

void Texts::Forget(const Text& text) {
  std::lock_guard lock(mutex_);
  const auto found = texts_.find(text.digest);
  if (found == texts_.end()) return;
  found->second->dropped.store(true, std::memory_order_release);
  memory_ -= MemoryOf(*found->second);
  texts_.erase(found);
}

void Texts::Clear() {
  std::lock_guard lock(mutex_);
  for (const auto& [digest, text] : texts_) text->dropped.store(true, std::memory_order_release);
  texts_.clear();
  memory_ = 0;
}

size_t Texts::count() const {
  std::lock_guard lock(mutex_);
  return texts_.size();
}

size_t Texts::memory() const {
  std::lock_guard lock(mutex_);
  return memory_;
}

uint64_t Texts::evicted() const {
  std::lock_guard lock(mutex_);
  return evicted_;
}

}  // namespace cinnabar::scripting
