// Holder: where a collection lives. A small one is packed bytes, kept inside its owner (the keyspace entry,
// in the same allocation as the key); a large one is a Value object. The facades of the types (Hash, List
// ...) work on a Holder and never see whose it is.
//
// Not thread-safe: the caller holds the key's shard. A Holder dies with the next change of its owner that it
// did not make itself.
#pragma once

#include <memory>
#include <string_view>

#include "structures/packed_bytes.h"
#include "types/value.h"

namespace cinnabar::types {

// Packed bytes beyond this become an object, whatever the settings allow: an entry counts them in 16 bits,
// and a change of packed bytes moves all that stand behind it.
inline constexpr size_t kPackedBytesMax = 32 * 1024;

class Holder : public PackedBytes {
 public:
  // Null while the collection is packed (then data(), size() and view() are its bytes).
  Value* object() const { return object_; }
  bool packed() const { return object_ == nullptr; }

  // Puts an object in the place of what is there now; that is freed.
  virtual void BecomeObject(std::unique_ptr<Value> object) = 0;
  // The other way. `bytes` may not point into the object.
  virtual void BecomePacked(std::string_view bytes) = 0;

 protected:
  Holder() = default;
  ~Holder() = default;
  Value* object_ = nullptr;
};

// A collection that no key owns (yet): results of STORE commands, values read from files, tests.
class OwnHolder final : public Holder {
 public:
  explicit OwnHolder(std::string_view packed) { BecomePacked(packed); }
  explicit OwnHolder(std::unique_ptr<Value> object) { BecomeObject(std::move(object)); }
  ~OwnHolder() { std::free(data_); }

  void Resize(size_t size) override {
    data_ = static_cast<char*>(std::realloc(data_, size == 0 ? 1 : size));
    CHECK(data_ != nullptr);
    size_ = size;
  }
  void BecomeObject(std::unique_ptr<Value> object) override {
    std::free(data_);
    data_ = nullptr;
    size_ = 0;
    owned_ = std::move(object);
    object_ = owned_.get();
  }
  void BecomePacked(std::string_view bytes) override {
    owned_.reset();
    object_ = nullptr;
    Resize(bytes.size());
    if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
  }
  // Takes the object out.
  std::unique_ptr<Value> TakeObject() {
    object_ = nullptr;
    return std::move(owned_);
  }

 private:
  std::unique_ptr<Value> owned_;
};

// How far a collection may grow packed (the `*-max-listpack-*` settings).
struct PackLimits {
  int64_t entries = 128;
  int64_t value_bytes = 64;
};

}  // namespace cinnabar::types
