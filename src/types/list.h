// List: a sequence of strings that grows and shrinks at both ends.
//
//   packed   one listpack inside the owner, while it keeps the limits of list-max-listpack-size
//   large    a LargeList, from then on until half of them is reached
//
// A facade: make it for one operation on a Holder and throw it away. It never leaves a packed list empty by
// itself and never removes the owner: who takes the last element removes the key. Indexes count from the
// head. Elements are visited as listpack::Element: an integer, or bytes that die with the next change.
// Packed lists are a few KB at most, so that what is O(n) there costs as much as one step elsewhere; for
// the costs of large ones see large_list.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/numbers.h"
#include "structures/listpack.h"
#include "types/holder.h"
#include "types/large_list.h"
#include "types/list_options.h"

namespace cinnabar::types {

enum class ListSide : uint8_t { kBefore, kAfter };

// An element that is looked for, parsed once.
class SoughtElement {
 public:
  explicit SoughtElement(std::string_view bytes) : bytes_(bytes), integer_(ParseInt64(bytes)) {}
  bool Is(const listpack::Element& element) const {
    if (element.is_integer) return integer_ == element.integer;
    return element.bytes == bytes_;
  }

 private:
  std::string_view bytes_;
  std::optional<int64_t> integer_;
};

class List {
 public:
  // The options matter only where elements are added or removed.
  List(Holder& holder, const ListOptions& options) : holder_(holder), options_(options) {}

  size_t size() const { return packed() ? listpack::Count(holder_.view()) : large().size(); }

  // In order: the last value ends up at the very end.
  void Push(ListEnd end, std::span<const std::string_view> values);
  void Push(ListEnd end, std::string_view value) { Push(end, {&value, 1}); }

  // Visits `count` elements from `index` on, towards the tail or the head, until `visit` answers false.
  template <typename Visit>
  void Walk(size_t index, ListEnd towards, Visit&& visit) const;
  // The same for a number of elements; `visit` answers nothing. REQUIRES: they are there.
  template <typename Visit>
  void VisitRange(size_t index, size_t count, ListEnd towards, Visit&& visit) const;
  template <typename Visit>
  void VisitEnd(ListEnd end, Visit&& visit) const {
    VisitRange(end == ListEnd::kHead ? 0 : size() - 1, 1, end, visit);
  }
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    VisitRange(0, size(), ListEnd::kTail, visit);
  }

  // Takes elements off one end. REQUIRES: count < size(). The nodes that went are handed out, so that many
  // can be freed elsewhere.
  NodeSequence Drop(ListEnd end, size_t count);

  // REQUIRES: index < size().
  void Set(size_t index, std::string_view value);
  // Inserts beside the first element equal to `pivot`. False when there is none.
  bool Insert(ListSide side, std::string_view pivot, std::string_view value);
  // Removes up to `most` elements equal to `value`, beginning at one end, and says how many. May leave the
  // list empty.
  size_t Remove(ListEnd from, size_t most, std::string_view value);

  // Takes the form that the rules ask for; after a large list was put together by hand.
  void Shrink();

 private:
  bool packed() const { return holder_.packed(); }
  LargeList& large() const { return static_cast<LargeList&>(*holder_.object()); }
  // Makes the list large if it would go beyond the limits with these values.
  void PrepareToAdd(std::span<const std::string_view> values);
  void BecomeLarge();

  Holder& holder_;
  ListOptions options_;
};

// The packed bytes of a new list, as far as they may be packed. Nothing when it has to be large from the
// start: then make it of listpack::kEmpty and push.
bool BuildPackedList(ListEnd end, std::span<const std::string_view> values, const ListOptions& options,
                     PackedBytes& bytes);

template <typename Visit>
void List::Walk(size_t index, ListEnd towards, Visit&& visit) const {
  if (!packed()) return large().Walk(index, towards, visit);
  const std::string_view pack = holder_.view();
  size_t position = listpack::At(pack, static_cast<int64_t>(index));
  while (position != listpack::kEnd && visit(listpack::Get(pack, position))) {
    position =
        towards == ListEnd::kTail ? listpack::Next(pack, position) : listpack::Previous(pack, position);
  }
}

template <typename Visit>
void List::VisitRange(size_t index, size_t count, ListEnd towards, Visit&& visit) const {
  if (count == 0) return;
  Walk(index, towards, [&](const listpack::Element& element) {
    visit(element);
    return --count > 0;
  });
}

}  // namespace cinnabar::types
