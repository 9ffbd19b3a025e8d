// NodeArray: list nodes side by side in one block of memory that can be relocated. Nodes change their places
// by their bytes: none knows its own address.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/relocation.h"
#include "types/internal/list_node.h"

namespace cinnabar::types {

class NodeArray {
 public:
  NodeArray() = default;
  NodeArray(NodeArray&& other) noexcept { *this = std::move(other); }
  NodeArray& operator=(NodeArray&& other) noexcept {
    std::swap(nodes_, other.nodes_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~NodeArray() {
    for (ListNode& node : *this) node.~ListNode();
    std::free(static_cast<void*>(nodes_));
  }

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  ListNode& operator[](size_t index) { return nodes_[index]; }
  const ListNode& operator[](size_t index) const { return nodes_[index]; }
  ListNode& front() { return nodes_[0]; }
  ListNode& back() { return nodes_[size_ - 1]; }
  ListNode* begin() { return nodes_; }
  ListNode* end() { return nodes_ + size_; }
  const ListNode* begin() const { return nodes_; }
  const ListNode* end() const { return nodes_ + size_; }

  void Reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    nodes_ = static_cast<ListNode*>(std::realloc(static_cast<void*>(nodes_), capacity * sizeof(ListNode)));
    CHECK(nodes_ != nullptr);
    capacity_ = capacity;
  }
  void Insert(size_t at, ListNode node) {
    if (size_ == capacity_) Reserve(size_ == 0 ? 1 : size_ * 2);
    Shift(at, at + 1);
    new (nodes_ + at) ListNode(std::move(node));
    ++size_;
  }
  void PushBack(ListNode node) { Insert(size_, std::move(node)); }
  void Erase(size_t at) {
    nodes_[at].~ListNode();
    Shift(at + 1, at);
    --size_;
  }
  // Takes the nodes from `at` on away.
  NodeArray SplitOff(size_t at) {
    NodeArray rest;
    rest.Reserve(size_ - at);
    rest.size_ = size_ - at;
    if (rest.size_ > 0) Copy(rest.nodes_, nodes_ + at, rest.size_);
    size_ = at;
    return rest;
  }
  // Takes the first `count` nodes away.
  NodeArray SplitFront(size_t count) {
    NodeArray rest = SplitOff(count);
    std::swap(*this, rest);
    return rest;
  }

  // Offers the array, not what the nodes hold.
  void Relocate(Relocation& relocation) { relocation.Follow(nodes_); }

 private:
  static void Copy(ListNode* to, const ListNode* from, size_t count) {
    std::memmove(static_cast<void*>(to), static_cast<const void*>(from), count * sizeof(ListNode));
  }
  // Moves all from one index on to another.
  void Shift(size_t from, size_t to) {
    if (from < size_) Copy(nodes_ + to, nodes_ + from, size_ - from);
  }

  ListNode* nodes_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace cinnabar::types
