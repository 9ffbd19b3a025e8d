// NodeSequence: the nodes of a large list in order, found by the number of an element.
//
//   chunks:  [elements | up to 256 nodes] [elements | ...] ...
//
// Two levels of counts make a look-up add up a few hundred numbers where a linked list would follow tens of
// thousands of pointers (10 million elements of 16 bytes are 22,000 nodes in 90 chunks). A node that comes or
// goes moves its neighbours in the chunk, 32 bytes each. No chunk is empty.
//
// Not thread-safe. A Place dies when a node comes or goes.
#pragma once

#include <cstddef>
#include <vector>

#include "types/internal/list_node.h"
#include "types/internal/node_array.h"

namespace cinnabar::types {

class NodeSequence {
 public:
  // The place behind the last node is {chunks, 0}.
  struct Place {
    size_t chunk = 0;
    size_t slot = 0;
    bool operator==(const Place&) const = default;
  };
  struct Found {
    Place place;
    size_t index = 0;  // of the element, in its node
  };

  NodeSequence() = default;
  NodeSequence(NodeSequence&& other) noexcept { *this = std::move(other); }
  NodeSequence& operator=(NodeSequence&& other) noexcept {
    chunks_.swap(other.chunks_);
    std::swap(nodes_, other.nodes_);
    std::swap(elements_, other.elements_);
    return *this;
  }
  NodeSequence Clone() const;

  size_t nodes() const { return nodes_; }
  size_t elements() const { return elements_; }
  // Of the arrays, without the nodes' blocks.
  size_t memory() const;

  Place first() const { return {}; }
  Place last() const { return {chunks_.size() - 1, chunks_.back().nodes.size() - 1}; }
  Place end() const { return {chunks_.size(), 0}; }
  ListNode& at(Place place) { return chunks_[place.chunk].nodes[place.slot]; }
  const ListNode& at(Place place) const { return chunks_[place.chunk].nodes[place.slot]; }
  ListNode& front() { return chunks_.front().nodes.front(); }
  ListNode& back() { return chunks_.back().nodes.back(); }

  Place Next(Place place) const {
    return ++place.slot < chunks_[place.chunk].nodes.size() ? place : Place{place.chunk + 1, 0};
  }
  // REQUIRES: not the first.
  Place Previous(Place place) const {
    if (place.slot > 0) return {place.chunk, place.slot - 1};
    return {place.chunk - 1, chunks_[place.chunk - 1].nodes.size() - 1};
  }
  // The node of an element. REQUIRES: index < elements().
  Found Find(size_t index) const;
  // The node number `ordinal`, and the other way. REQUIRES: ordinal < nodes().
  Place PlaceOf(size_t ordinal) const;
  size_t OrdinalOf(Place place) const;

  // Returns where the node stands now.
  Place InsertBefore(Place place, ListNode node);
  void PushFront(ListNode node) { InsertBefore(first(), std::move(node)); }
  void PushBack(ListNode node) { InsertBefore(end(), std::move(node)); }
  // Returns the place of what follows.
  Place Erase(Place place);
  // Takes `count` whole nodes off one end.
  NodeSequence TakeFront(size_t count);
  NodeSequence TakeBack(size_t count);

  // After a node has changed the number of its elements.
  void Recount(Place place, size_t count_before) {
    const size_t count = at(place).count();
    chunks_[place.chunk].elements += count - count_before;
    elements_ += count - count_before;
  }

  // Offers the block of a node, and with the first of a chunk the chunk.
  void Relocate(Place place, Relocation& relocation) {
    if (place.slot == 0) chunks_[place.chunk].nodes.Relocate(relocation);
    at(place).Relocate(relocation);
  }

 private:
  static constexpr size_t kChunkNodes = 256;
  struct Chunk {
    size_t elements = 0;
    NodeArray nodes;
  };

  void Split(size_t chunk);
  void Append(ListNode node);

  std::vector<Chunk> chunks_;
  size_t nodes_ = 0;
  size_t elements_ = 0;
};

}  // namespace cinnabar::types
