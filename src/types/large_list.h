// LargeList: a list that has outgrown one listpack.
//
// A sequence of nodes, each a listpack of up to some KB or one large element (internal/list_node.h), found
// through two levels of counts (internal/node_sequence.h). Push and pop at both ends touch the end node
// alone and move nothing in it. Nodes further than `compress_depth` from both ends are kept LZF-compressed;
// readers unpack them aside, writers unpack and compress again.
//
//   push, pop      O(1)
//   by index       a few hundred additions, then a walk through one node
//   insert, erase  as by index, and one node is rewritten
//   trim           O(nodes taken): whole nodes go without a look at their elements
//
// Nodes that share one limit after a change in the middle are joined. The options are those of the moment in
// which the list was made, as in Redis. Not thread-safe; what a Visit gets dies with its return.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "structures/listpack.h"
#include "types/internal/node_sequence.h"
#include "types/list_options.h"
#include "types/value.h"

namespace cinnabar::types {

enum class ListEnd : uint8_t { kHead, kTail };

class LargeList final : public Value {
 public:
  explicit LargeList(const ListOptions& options) : options_(options), limit_(options.limit()) {}

  Type type() const override { return Type::kList; }
  std::string_view encoding() const override;
  size_t memory(size_t samples) const override;
  size_t free_effort() const override { return nodes_.nodes(); }
  std::unique_ptr<Value> Clone() const override;
  bool RelocateSome(Relocation& relocation, RelocationCursor& cursor) override;

  size_t size() const { return nodes_.elements(); }
  const ListOptions& options() const { return options_; }

  void Push(ListEnd end, std::string_view value);
  // REQUIRES: count < size().
  void Drop(ListEnd end, size_t count) { DropInto(end, count); }
  // REQUIRES: index < size(), for InsertAt <= size().
  void Set(size_t index, std::string_view value);
  void InsertAt(size_t index, std::string_view value);
  // Removes up to `most` elements equal to `value`, from the given end on. May leave nothing.
  size_t Remove(ListEnd from, size_t most, std::string_view value);
  // As Drop, for many: the nodes that were taken out, to be freed elsewhere.
  NodeSequence DropInto(ListEnd end, size_t count);

  // Visits elements from `index` on, towards the tail or the head, until `visit` answers false.
  template <typename Visit>
  void Walk(size_t index, ListEnd towards, Visit&& visit) const;

  // For files: the nodes as they are. visit(Form, bytes), and the same the other way.
  enum class Form : uint8_t { kPlain, kPacked };
  template <typename Visit>
  void ForEachNode(Visit&& visit) const;
  void AddNode(Form form, std::string_view bytes);

  // Whether the list is one listpack of at most half the limit: then Redis calls it one again.
  bool FitsListpack() const;
  // REQUIRES: FitsListpack().
  std::string_view Listpack() const { return nodes_.at(nodes_.first()).view(); }
  // A list that its owner does not keep packed may still be one listpack by Redis's rule. It is called so
  // until something is added that goes beyond the limit.
  void CallListpack() { called_listpack_ = true; }
  // REQUIRES: the values are about to be added.
  void KeepName(std::span<const std::string_view> values);

  size_t nodes() const { return nodes_.nodes(); }
  size_t compressed_nodes() const;

 private:
  using Place = NodeSequence::Place;
  enum class Change : uint8_t { kNodeCame, kNodesWent };

  Place AddNode(Place before, ListNode node);
  Place RemoveNode(Place place);
  // Splits a node in two. Returns the place of the second part.
  Place SplitNode(Place place, size_t index);
  // Joins the node with its neighbours where that fits a node.
  void Join(Place place);
  bool TryJoin(Place left, Place right);
  size_t RemoveFrom(ListNode& node, ListEnd from, size_t most, std::string_view value);
  void InsertInPacked(Place place, size_t index, std::string_view value);

  // Compression. A node is at rest when it is compressed if and only if it has to be.
  bool Interior(Place place) const;
  ListNode& Wake(Place place);
  void Rest(Place place);
  void Settle(Change change, size_t nodes);

  ListOptions options_;
  NodeLimit limit_;
  NodeSequence nodes_;
  bool called_listpack_ = false;
};

template <typename Visit>
void LargeList::Walk(size_t index, ListEnd towards, Visit&& visit) const {
  if (index >= size()) return;
  auto [place, inner] = nodes_.Find(index);
  std::string scratch;
  for (bool first = true;; first = false) {
    const ListNode& node = nodes_.at(place);
    const std::string_view bytes = node.Read(scratch);
    if (node.plain()) {
      if (!visit(listpack::Element{.bytes = bytes})) return;
    } else {
      size_t position = first                       ? listpack::At(bytes, static_cast<int64_t>(inner))
                        : towards == ListEnd::kTail ? listpack::First(bytes)
                                                    : listpack::Last(bytes);
      while (position != listpack::kEnd) {
        if (!visit(listpack::Get(bytes, position))) return;
        position =
            towards == ListEnd::kTail ? listpack::Next(bytes, position) : listpack::Previous(bytes, position);
      }
    }
    if (towards == ListEnd::kTail) {
      place = nodes_.Next(place);
      if (place == nodes_.end()) return;
    } else {
      if (place == nodes_.first()) return;
      place = nodes_.Previous(place);
    }
  }
}

template <typename Visit>
void LargeList::ForEachNode(Visit&& visit) const {
  std::string scratch;
  for (Place place = nodes_.first(); place != nodes_.end(); place = nodes_.Next(place)) {
    const ListNode& node = nodes_.at(place);
    visit(node.plain() ? Form::kPlain : Form::kPacked, node.Read(scratch));
  }
}

}  // namespace cinnabar::types
