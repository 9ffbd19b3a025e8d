// ScratchHolder: a collection that is put together on the stack before its key is made. Small ones take no
// allocation.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "types/holder.h"

namespace cinnabar::types {

class ScratchHolder final : public Holder {
 public:
  explicit ScratchHolder(std::string_view packed) { BecomePacked(packed); }
  ~ScratchHolder() { Release(); }

  void Resize(size_t size) override {
    if (data_ == scratch_ || data_ == nullptr) {
      if (size <= sizeof scratch_) {
        data_ = scratch_;
      } else {
        char* bytes = static_cast<char*>(std::malloc(size));
        CHECK(bytes != nullptr);
        std::memcpy(bytes, scratch_, size_);
        data_ = bytes;
      }
    } else {
      data_ = static_cast<char*>(std::realloc(data_, size == 0 ? 1 : size));
      CHECK(data_ != nullptr);
    }
    size_ = size;
  }
  void BecomeObject(std::unique_ptr<Value> object) override {
    Release();
    owned_ = std::move(object);
    object_ = owned_.get();
  }
  void BecomePacked(std::string_view bytes) override {
    owned_.reset();
    object_ = nullptr;
    Release();
    Resize(bytes.size());
    if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
  }
  // Takes the object out.
  std::unique_ptr<Value> TakeObject() {
    object_ = nullptr;
    return std::move(owned_);
  }

 private:
  void Release() {
    if (data_ != scratch_) std::free(data_);
    data_ = nullptr;
    size_ = 0;
  }

  std::unique_ptr<Value> owned_;
  char scratch_[256];
};

}  // namespace cinnabar::types
