// EntryHolder: the collection at a key, as the facades of src/types see it. Packed bytes live inside the
// entry, in the allocation of the key; they move whenever they change their length, and the holder follows.
//
// Valid until the next change of the same table by anybody else.
#pragma once

#include <memory>
#include <string_view>

#include "keyspace/database.h"
#include "types/holder.h"

namespace cinnabar::keyspace {

class EntryHolder final : public types::Holder {
 public:
  // No key: exists() is false until Open.
  EntryHolder() = default;
  explicit EntryHolder(EntryRef entry) { Open(entry); }

  // REQUIRES: the entry is empty, or not a string.
  void Open(EntryRef entry) {
    entry_ = entry;
    if (entry) Look();
  }
  bool exists() const { return static_cast<bool>(entry_); }
  EntryRef entry() const { return entry_; }

  void Resize(size_t size) override {
    CHECK(size <= kEntryBytesMax);
    entry_.Moved(Entry::ResizeInline(entry_.get(), size));
    Look();
  }
  void BecomeObject(std::unique_ptr<types::Value> object) override {
    const types::Type type = entry_->type();
    entry_.Moved(Entry::Replace(
        entry_.get(),
        {.type = type, .place = Place::kObject, .word = reinterpret_cast<uint64_t>(object.release())}));
    Look();
  }
  void BecomePacked(std::string_view bytes) override {
    const types::Type type = entry_->type();
    entry_.Moved(Entry::Replace(entry_.get(), {.type = type, .place = Place::kInline, .bytes = bytes}));
    Look();
  }

 private:
  static constexpr size_t kEntryBytesMax = 0xffff;
  static_assert(types::kPackedBytesMax <= kEntryBytesMax);

  void Look() {
    if (entry_->place() == Place::kObject) {
      object_ = entry_->object();
      data_ = nullptr;
      size_ = 0;
    } else {
      object_ = nullptr;
      data_ = entry_->inline_data();
      size_ = entry_->inline_bytes().size();
    }
  }

  EntryRef entry_;
};

}  // namespace cinnabar::keyspace
