#include "types/internal/node_sequence.h"

#include <iterator>

#include "base/check.h"

namespace cinnabar::types {

NodeSequence NodeSequence::Clone() const {
  NodeSequence copy;
  copy.nodes_ = nodes_;
  copy.elements_ = elements_;
  copy.chunks_.reserve(chunks_.size());
  for (const Chunk& chunk : chunks_) {
    Chunk& to = copy.chunks_.emplace_back();
    to.elements = chunk.elements;
    to.nodes.Reserve(chunk.nodes.size());
    for (const ListNode& node : chunk.nodes) to.nodes.PushBack(node.Clone());
  }
  return copy;
}

size_t NodeSequence::memory() const {
  size_t bytes = chunks_.capacity() * sizeof(Chunk);
  for (const Chunk& chunk : chunks_) bytes += chunk.nodes.capacity() * sizeof(ListNode);
  return bytes;
}

NodeSequence::Found NodeSequence::Find(size_t index) const {
  CHECK(index < elements_);
  if (index <= elements_ / 2) {
    size_t chunk = 0, slot = 0;
    while (index >= chunks_[chunk].elements) index -= chunks_[chunk++].elements;
    const NodeArray& nodes = chunks_[chunk].nodes;
    while (index >= nodes[slot].count()) index -= nodes[slot++].count();
    return {{chunk, slot}, index};
  }
  size_t behind = elements_ - index;  // how many from the end, 1: the last
  size_t chunk = chunks_.size() - 1;
  while (behind > chunks_[chunk].elements) behind -= chunks_[chunk--].elements;
  const NodeArray& nodes = chunks_[chunk].nodes;
  size_t slot = nodes.size() - 1;
  while (behind > nodes[slot].count()) behind -= nodes[slot--].count();
  return {{chunk, slot}, nodes[slot].count() - behind};
}

NodeSequence::Place NodeSequence::PlaceOf(size_t ordinal) const {
  CHECK(ordinal < nodes_);
  if (ordinal <= nodes_ / 2) {
    size_t chunk = 0;
    while (ordinal >= chunks_[chunk].nodes.size()) ordinal -= chunks_[chunk++].nodes.size();
    return {chunk, ordinal};
  }
  size_t behind = nodes_ - ordinal;
  size_t chunk = chunks_.size() - 1;
  while (behind > chunks_[chunk].nodes.size()) behind -= chunks_[chunk--].nodes.size();
  return {chunk, chunks_[chunk].nodes.size() - behind};
}

size_t NodeSequence::OrdinalOf(Place place) const {
  size_t ordinal = place.slot;
  for (size_t chunk = 0; chunk < place.chunk; ++chunk) ordinal += chunks_[chunk].nodes.size();
  return ordinal;
}

void NodeSequence::Split(size_t chunk) {
  chunks_.insert(chunks_.begin() + static_cast<ptrdiff_t>(chunk) + 1, Chunk());
  Chunk& left = chunks_[chunk];
  Chunk& right = chunks_[chunk + 1];
  right.nodes = left.nodes.SplitOff(left.nodes.size() / 2);
  for (const ListNode& node : right.nodes) right.elements += node.count();
  left.elements -= right.elements;
}

NodeSequence::Place NodeSequence::InsertBefore(Place place, ListNode node) {
  const bool front = place == first();
  if (place.slot == 0 && place.chunk > 0) {
    // The end of the chunk before is as good.
    place = {place.chunk - 1, chunks_[place.chunk - 1].nodes.size()};
  }
  if (chunks_.empty()) {
    chunks_.emplace_back();
  } else if (chunks_[place.chunk].nodes.size() == kChunkNodes) {
    if (front) {
      chunks_.emplace(chunks_.begin());
    } else if (place.slot == kChunkNodes) {
      ++place.chunk;
      place.slot = 0;
      if (place.chunk == chunks_.size() || chunks_[place.chunk].nodes.size() == kChunkNodes) {
        chunks_.emplace(chunks_.begin() + static_cast<ptrdiff_t>(place.chunk));
      }
    } else {
      Split(place.chunk);
      const size_t half = chunks_[place.chunk].nodes.size();
      if (place.slot > half) place = {place.chunk + 1, place.slot - half};
    }
  }
  Chunk& chunk = chunks_[place.chunk];
  ++nodes_;
  elements_ += node.count();
  chunk.elements += node.count();
  chunk.nodes.Insert(place.slot, std::move(node));
  return place;
}

NodeSequence::Place NodeSequence::Erase(Place place) {
  Chunk& chunk = chunks_[place.chunk];
  const size_t count = at(place).count();
  --nodes_;
  elements_ -= count;
  chunk.elements -= count;
  chunk.nodes.Erase(place.slot);
  if (chunk.nodes.empty()) {
    chunks_.erase(chunks_.begin() + static_cast<ptrdiff_t>(place.chunk));
    return {place.chunk, 0};
  }
  return place.slot < chunk.nodes.size() ? place : Place{place.chunk + 1, 0};
}

// Takes nodes over in bulk, without keeping the sizes of chunks even.
void NodeSequence::Append(ListNode node) {
  InsertBefore(end(), std::move(node));
}

NodeSequence NodeSequence::TakeFront(size_t count) {
  NodeSequence taken;
  size_t whole = 0;
  while (count > 0 && count >= chunks_[whole].nodes.size()) count -= chunks_[whole++].nodes.size();
  const auto end = chunks_.begin() + static_cast<ptrdiff_t>(whole);
  for (auto chunk = chunks_.begin(); chunk != end; ++chunk) {
    nodes_ -= chunk->nodes.size();
    elements_ -= chunk->elements;
    taken.nodes_ += chunk->nodes.size();
    taken.elements_ += chunk->elements;
  }
  taken.chunks_.assign(std::make_move_iterator(chunks_.begin()), std::make_move_iterator(end));
  chunks_.erase(chunks_.begin(), end);
  if (count == 0) return taken;
  NodeArray nodes = chunks_.front().nodes.SplitFront(count);
  size_t elements = 0;
  for (ListNode& node : nodes) {
    elements += node.count();
    taken.Append(std::move(node));
  }
  chunks_.front().elements -= elements;
  elements_ -= elements;
  nodes_ -= count;
  return taken;
}

NodeSequence NodeSequence::TakeBack(size_t count) {
  NodeSequence rest = TakeFront(nodes_ - count);
  std::swap(*this, rest);
  return rest;
}

}  // namespace cinnabar::types
