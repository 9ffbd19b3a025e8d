// ListNode: a run of neighbouring elements of a large list, in one allocation.
//
//   packed:      | gap | listpack | slack |     elements come and go at both ends without moving the others
//   plain:       | the bytes of one large element |
//   compressed:  | LZF of either |              (http://oldhome.schmorp.de/marc/liblzf.html)
//
// A listpack begins with a header of six bytes, so one that grows to the left writes its header again, in
// front of the new element, and one that loses its first element writes it again further right. Room
// grows by a quarter, up to the limit that the list gives; what is not used is handed back by Shrink.
//
// Not thread-safe. A view of the bytes dies with the next change of the node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/relocation.h"
#include "structures/listpack.h"
#include "types/list_options.h"

namespace cinnabar::types {

class ListNode {
 public:
  ListNode() = default;
  ListNode(ListNode&& other) noexcept { *this = std::move(other); }
  ListNode& operator=(ListNode&& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(size_, other.size_);
    std::swap(gap_, other.gap_);
    std::swap(room_, other.room_);
    std::swap(count_, other.count_);
    std::swap(plain_, other.plain_);
    std::swap(compressed_, other.compressed_);
    return *this;
  }
  ~ListNode();

  // Copies a listpack that is not empty.
  static ListNode Packed(std::string_view listpack);
  // A listpack of one element.
  static ListNode PackedOne(std::string_view value);
  static ListNode Plain(std::string_view value);
  ListNode Clone() const;

  size_t count() const { return count_; }
  // Of the listpack or the plain element, uncompressed.
  size_t bytes() const { return size_; }
  bool plain() const { return plain_; }
  bool compressed() const { return compressed_; }
  // Of the allocation.
  size_t memory() const { return plain_ && !compressed_ ? size_ : room_; }

  // The listpack or the plain element. A compressed node is unpacked into the scratch and stays as it is.
  std::string_view Read(std::string& scratch) const { return compressed_ ? Unpack(scratch) : view(); }

  // REQUIRES: not compressed.
  std::string_view view() const { return {block_ + gap_, size_}; }

  // Whether one more element of this size may come into the listpack.
  bool Takes(size_t encoded_bytes, const NodeLimit& limit) const {
    return !plain_ && limit.Allows(size_ + encoded_bytes, count_ + size_t{1});
  }

  // All that follow: REQUIRES: packed, not compressed. `bytes_max` is how far the node may still grow.
  void PushFront(std::string_view value, size_t bytes_max);
  void PushBack(std::string_view value, size_t bytes_max);
  // REQUIRES: less than all.
  void DropFront(size_t count);
  void DropBack(size_t count);
  // Positions are those of listpack.h.
  void Insert(size_t position, std::string_view value);
  void Replace(size_t position, std::string_view value);
  // Returns the position of what follows, or kEnd. May leave nothing.
  size_t Erase(size_t position);
  // Takes the elements from `index` on away. REQUIRES: 0 < index < count().
  ListNode SplitOff(size_t index);
  void Append(const ListNode& other);

  // Hands unused room back.
  void Shrink();

  // Offers the block.
  void Relocate(Relocation& relocation) { relocation.Follow(block_); }

  // Keeps the bytes compressed if that saves some.
  void Compress();
  void Decompress();

 private:
  class Editor;

  std::string_view Unpack(std::string& scratch) const;
  void Allocate(size_t room, size_t gap, std::string_view bytes);
  void WriteHeader();
  // Makes room for `more` bytes before or behind the listpack.
  enum class Side : uint8_t { kFront, kBack };
  void Grow(Side side, size_t more, size_t bytes_max);

  char* block_ = nullptr;
  size_t size_ = 0;
  uint32_t gap_ = 0;
  uint32_t room_ = 0;  // bytes of the block, unless it is plain and not compressed
  uint32_t count_ = 0;
  bool plain_ = false;
  bool compressed_ = false;
};
static_assert(sizeof(ListNode) == 32);

}  // namespace cinnabar::types
