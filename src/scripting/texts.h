// Texts: the scripts that the server knows, shared by all cores, by the SHA-1 digest of their text.
//
// Scripts that came with EVAL and were never loaded by name are many in some applications, which put values
// into their texts. The last kUnnamedMax of them are kept; older ones are forgotten.
//
// Any thread; one lock, taken when a core meets a text for the first time. A text is never changed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/hash.h"
#include "base/result.h"

namespace cinnabar::scripting {

// What runs have shown of a script or function: whether it uses only keys that its callers name.
class Standing {
 public:
  // So many runs that had the world, and stayed inside, are proof enough to try it without.
  static constexpr uint32_t kProofs = 8;

  bool proven() const {
    return clean_.load(std::memory_order_relaxed) >= kProofs && !strays_.load(std::memory_order_relaxed);
  }
  bool strays() const { return strays_.load(std::memory_order_relaxed); }
  void NoteClean() {
    if (clean_.load(std::memory_order_relaxed) < kProofs) clean_.fetch_add(1, std::memory_order_relaxed);
  }
  void NoteStray() { strays_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<uint32_t> clean_{0};
  std::atomic<bool> strays_{false};
};

struct Text {
  std::string digest;
  std::string text;
  std::string_view body;  // what is compiled
  uint32_t flags = 0;
  Standing standing;
  std::atomic<bool> named{false};    // by SCRIPT LOAD
  std::atomic<bool> dropped{false};  // forgotten: whoever has compiled it lets it go
  std::atomic<uint64_t> used{0};     // the number of the use
};

std::string DigestOf(std::string_view text);

class Texts {
 public:
  static constexpr size_t kUnnamedMax = 500;

  // Null when it is unknown.
  std::shared_ptr<Text> Find(std::string_view digest) const;
  // The text, added if it is new. The error is about its first line.
  Result<std::shared_ptr<Text>> Add(std::string_view text);
  void Forget(const Text& text);
  void Clear();

  size_t count() const;
  size_t memory() const;
  uint64_t evicted() const;
  uint64_t NextUse() { return uses_.fetch_add(1, std::memory_order_relaxed) + 1; }

 private:
  void EvictOldest();

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Text>, HashOfName, std::equal_to<>> texts_;
  size_t memory_ = 0;
  uint64_t evicted_ = 0;
  std::atomic<uint64_t> uses_{0};
};

}  // namespace cinnabar::scripting
