// ValueView: the collection of an entry for who only reads it, through the facades of src/types.
//
// Valid until the entry changes.
#pragma once

#include "keyspace/entry.h"
#include "types/holder.h"

namespace cinnabar::keyspace {

class ValueView final : public types::Holder {
 public:
  // REQUIRES: the entry is not a string.
  explicit ValueView(const Entry& entry) {
    if (entry.place() == Place::kObject) {
      object_ = entry.object();
      return;
    }
    const std::string_view bytes = entry.inline_bytes();
    data_ = const_cast<char*>(bytes.data());
    size_ = bytes.size();
  }

  void Resize(size_t) override { CHECK(false); }
  void BecomeObject(std::unique_ptr<types::Value>) override { CHECK(false); }
  void BecomePacked(std::string_view) override { CHECK(false); }
};

}  // namespace cinnabar::keyspace
