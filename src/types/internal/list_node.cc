#include "types/internal/list_node.h"

#include <liblzf/lzf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace cinnabar::types {
namespace {

constexpr size_t kHeaderBytes = 6;
// A block that grows, grows by a quarter or this.
constexpr size_t kGrowthMin = 128;
// What is smaller is not worth compressing, and neither is a smaller gain (the numbers of Redis).
constexpr size_t kCompressFrom = 48;
constexpr size_t kGainMin = 8;
// LZF counts in 32 bits.
constexpr size_t kCompressMax = size_t{1} << 30;

char* AllocateBytes(size_t bytes) {
  char* block = static_cast<char*>(std::malloc(bytes == 0 ? 1 : bytes));
  CHECK(block != nullptr);
  return block;
}

void WritePackHeader(char* pack, size_t bytes, size_t count) {
  const auto total = static_cast<uint32_t>(bytes);
  const auto elements = static_cast<uint16_t>(std::min<size_t>(count, 0xffff));
  std::memcpy(pack, &total, sizeof total);
  std::memcpy(pack + sizeof total, &elements, sizeof elements);
}

// Bytes that are there already, for building a listpack in place.
class FixedBytes final : public PackedBytes {
 public:
  FixedBytes(char* data, size_t size, size_t room) : room_(room) {
    data_ = data;
    size_ = size;
  }
  void Resize(size_t size) override {
    CHECK(size <= room_);
    size_ = size;
  }

 private:
  size_t room_;
};

}  // namespace

// The listpack of a node, for the functions of listpack.h.
class ListNode::Editor final : public PackedBytes {
 public:
  explicit Editor(ListNode& node, size_t bytes_max = 0) : node_(node), bytes_max_(bytes_max) { Look(); }
  void Resize(size_t size) override {
    if (size > node_.room_ - node_.gap_) node_.Grow(Side::kBack, size - node_.size_, bytes_max_);
    node_.size_ = size;
    Look();
  }

 private:
  void Look() {
    data_ = node_.block_ + node_.gap_;
    size_ = node_.size_;
  }
  ListNode& node_;
  size_t bytes_max_;
};

ListNode::~ListNode() {
  std::free(block_);
}

void ListNode::Allocate(size_t room, size_t gap, std::string_view bytes) {
  block_ = AllocateBytes(room);
  room_ = static_cast<uint32_t>(std::min<size_t>(room, std::numeric_limits<uint32_t>::max()));
  gap_ = static_cast<uint32_t>(gap);
  size_ = bytes.size();
  if (!bytes.empty()) std::memcpy(block_ + gap, bytes.data(), bytes.size());
}

ListNode ListNode::Packed(std::string_view listpack) {
  ListNode node;
  node.Allocate(listpack.size(), 0, listpack);
  node.count_ = static_cast<uint32_t>(listpack::Count(listpack));
  return node;
}

ListNode ListNode::PackedOne(std::string_view value) {
  ListNode node;
  node.Allocate(listpack::kEmpty.size() + listpack::EncodedSize(value), 0, listpack::kEmpty);
  node.PushBack(value, 0);
  return node;
}

ListNode ListNode::Plain(std::string_view value) {
  ListNode node;
  node.Allocate(value.size(), 0, value);
  node.plain_ = true;
  node.count_ = 1;
  return node;
}

ListNode ListNode::Clone() const {
  ListNode node;
  if (compressed_) {
    node.Allocate(room_, 0, {block_, room_});
  } else {
    node.Allocate(size_, 0, view());
  }
  node.size_ = size_;
  node.count_ = count_;
  node.plain_ = plain_;
  node.compressed_ = compressed_;
  return node;
}

void ListNode::WriteHeader() {
  WritePackHeader(block_ + gap_, size_, count_);
}

void ListNode::Grow(Side side, size_t more, size_t bytes_max) {
  const size_t wanted = size_ + more;
  if (room_ >= wanted + wanted / 8) {
    // There is room enough on the other side: half of what is free goes to each, since both are in use.
    const size_t half = (room_ - wanted) / 2;
    const size_t gap = side == Side::kFront ? half + more : half;
    std::memmove(block_ + gap, block_ + gap_, size_);
    gap_ = static_cast<uint32_t>(gap);
    return;
  }
  const size_t room = std::max(wanted, std::min(wanted + std::max(wanted / 4, kGrowthMin), bytes_max));
  const std::string_view old = view();
  char* const block = block_;
  if (side == Side::kFront) {
    Allocate(room, room - old.size(), old);
  } else {
    const bool front_in_use = gap_ != 0;
    Allocate(room, front_in_use ? (room - wanted) / 2 : 0, old);
  }
  std::free(block);
}

void ListNode::PushFront(std::string_view value, size_t bytes_max) {
  const size_t added = listpack::EncodedSize(value);
  if (gap_ < added) Grow(Side::kFront, added, bytes_max);
  gap_ -= static_cast<uint32_t>(added);
  // A listpack of the new element alone, whose end mark falls on the first byte of the old elements.
  char* const pack = block_ + gap_;
  char* const first = pack + kHeaderBytes + added;
  const char covered = *first;
  std::memcpy(pack, listpack::kEmpty.data(), kHeaderBytes);
  pack[kHeaderBytes] = listpack::kEmpty.back();
  FixedBytes alone(pack, listpack::kEmpty.size(), listpack::kEmpty.size() + added);
  listpack::Append(alone, value);
  CHECK(alone.size() == listpack::kEmpty.size() + added);
  *first = covered;
  size_ += added;
  ++count_;
  WriteHeader();
}

void ListNode::PushBack(std::string_view value, size_t bytes_max) {
  Editor editor(*this, bytes_max);
  listpack::Append(editor, value);
  ++count_;
}

void ListNode::DropFront(size_t count) {
  CHECK(count < count_);
  if (count == 0) return;
  const size_t dropped = listpack::At(view(), static_cast<int64_t>(count)) - kHeaderBytes;
  gap_ += static_cast<uint32_t>(dropped);
  size_ -= dropped;
  count_ -= static_cast<uint32_t>(count);
  WriteHeader();
}

void ListNode::DropBack(size_t count) {
  CHECK(count < count_);
  if (count == 0) return;
  const size_t end = listpack::At(view(), -static_cast<int64_t>(count));
  block_[gap_ + end] = listpack::kEmpty.back();
  size_ = end + 1;
  count_ -= static_cast<uint32_t>(count);
  WriteHeader();
}

void ListNode::Insert(size_t position, std::string_view value) {
  Editor editor(*this);
  listpack::Insert(editor, position, value);
  ++count_;
}

void ListNode::Replace(size_t position, std::string_view value) {
  Editor editor(*this);
  listpack::Replace(editor, position, value);
}

size_t ListNode::Erase(size_t position) {
  Editor editor(*this);
  const size_t next = listpack::Erase(editor, position);
  --count_;
  return next;
}

ListNode ListNode::SplitOff(size_t index) {
  CHECK(index > 0 && index < count_);
  const size_t position = listpack::At(view(), static_cast<int64_t>(index));
  ListNode rest;
  const size_t gap = kHeaderBytes;
  const std::string_view tail = view().substr(position);
  rest.Allocate(tail.size() + kHeaderBytes, gap, tail);
  rest.gap_ = 0;
  rest.size_ = tail.size() + kHeaderBytes;
  rest.count_ = count_ - static_cast<uint32_t>(index);
  rest.WriteHeader();
  DropBack(rest.count_);
  Shrink();
  return rest;
}

void ListNode::Append(const ListNode& other) {
  std::string scratch;
  Editor editor(*this);
  listpack::AppendAll(editor, other.Read(scratch));
  count_ += other.count_;
}

void ListNode::Shrink() {
  if (plain_ || compressed_ || room_ - size_ <= size_ / 16) return;
  const std::string_view old = view();
  char* const block = block_;
  Allocate(old.size(), 0, old);
  std::free(block);
}

void ListNode::Compress() {
  if (compressed_ || size_ < kCompressFrom || size_ > kCompressMax) return;
  const size_t most = size_ - kGainMin;
  char* const packed = AllocateBytes(most);
  const unsigned length =
      lzf_compress(block_ + gap_, static_cast<unsigned>(size_), packed, static_cast<unsigned>(most));
  if (length == 0) {
    std::free(packed);
    return;
  }
  const size_t size = size_;
  std::free(block_);
  Allocate(length, 0, {packed, length});
  std::free(packed);
  size_ = size;
  compressed_ = true;
}

std::string_view ListNode::Unpack(std::string& scratch) const {
  scratch.resize(size_);
  const unsigned length = lzf_decompress(block_, room_, scratch.data(), static_cast<unsigned>(size_));
  CHECK(length == size_);
  return scratch;
}

void ListNode::Decompress() {
  if (!compressed_) return;
  char* const block = AllocateBytes(size_);
  const unsigned length = lzf_decompress(block_, room_, block, static_cast<unsigned>(size_));
  CHECK(length == size_);
  std::free(block_);
  block_ = block;
  room_ = static_cast<uint32_t>(size_);
  gap_ = 0;
  compressed_ = false;
}

}  // namespace cinnabar::types
