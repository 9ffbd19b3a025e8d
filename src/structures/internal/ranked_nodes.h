// The nodes of a ranked tree (ranked_tree.h): how elements lie in a leaf, children in an inner node, and how
// a place is found in one of them. Nodes know nothing of the nodes around them.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/prefetch.h"

namespace cinnabar::ranked_tree_internal {

// A slot of a leaf is one word, [code:16][pointer:48]. The code is a step function of the score, linear
// between the leaf's lowest and highest score when it was last calibrated and constant outside. It never
// falls when the score grows, so that it decides most comparisons without a visit to the element; scores of
// equal codes are compared in the elements.
template <typename Element, int kSlots>
struct Leaf {
  static constexpr int kCodeShift = 48;
  static constexpr double kTopCode = 65535;
  static constexpr uint64_t kPointerMask = (uint64_t{1} << kCodeShift) - 1;

  Leaf* previous;
  Leaf* next;
  double base;
  float scale;  // 0: all codes are 0
  uint16_t count;
  uint64_t slots[kSlots];

  static Leaf* Make() {
    auto* leaf = static_cast<Leaf*>(std::malloc(sizeof(Leaf)));
    CHECK(leaf != nullptr);
    leaf->previous = leaf->next = nullptr;
    leaf->base = 0;
    leaf->scale = 0;
    leaf->count = 0;
    return leaf;
  }

  Element* at(int index) const { return reinterpret_cast<Element*>(slots[index] & kPointerMask); }
  // The element has moved.
  void SetPointer(int index, Element* element) {
    slots[index] = (slots[index] & ~kPointerMask) | reinterpret_cast<uint64_t>(element);
  }
  bool full() const { return count == kSlots; }
  void FetchAll() const {
    const auto* bytes = reinterpret_cast<const char*>(this);
    for (size_t i = 0; i < sizeof(Leaf); i += 64) Prefetch(bytes + i);
  }

  uint64_t Code(double score) const {
    // Subtraction and multiplication round monotonously. An infinity times a scale of 0 is not a number: 0.
    const double steps = (score - base) * static_cast<double>(scale);
    if (!(steps > 0)) return 0;
    return steps >= kTopCode ? static_cast<uint64_t>(kTopCode) : static_cast<uint64_t>(steps);
  }
  uint64_t SlotOf(Element* element) const {
    return Code(element->score()) << kCodeShift | reinterpret_cast<uint64_t>(element);
  }

  // Spreads the codes over the scores that are here now. Visits every element.
  void Calibrate() {
    for (int i = 0; i < count; ++i) Prefetch(at(i));
    const double first = std::clamp(at(0)->score(), -DBL_MAX, DBL_MAX);
    const double last = std::clamp(at(count - 1)->score(), -DBL_MAX, DBL_MAX);
    const double steps = kTopCode / (last - first);
    base = first;
    scale = steps < FLT_MAX ? static_cast<float>(steps) : 0;
    for (int i = 0; i < count; ++i) slots[i] = SlotOf(at(i));
  }

  // How many of the slots are below a word.
  int CountBelow(uint64_t word) const {
    const uint64_t* first = slots;
    int left = count;
    while (left > 0) {
      const int half = left / 2;
      first = first[half] < word ? first + (left - half) : first;
      left = half;
    }
    return static_cast<int>(first - slots);
  }

  // How many elements stand before the probe.
  template <typename Probe>
  int CountBefore(const Probe& probe) const {
    int low = 0;
    int high = count;
    if constexpr (Probe::kHasScore) {
      const uint64_t code = Code(probe.score);
      low = CountBelow(code << kCodeShift);
      high = code == static_cast<uint64_t>(kTopCode) ? count : CountBelow((code + 1) << kCodeShift);
    }
    while (low < high) {
      const int middle = (low + high) / 2;
      const Element& element = *at(middle);
      if (probe.IsAfter(element.score(), element)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  void Put(int index, Element* element) {
    std::memmove(slots + index + 1, slots + index, static_cast<size_t>(count - index) * sizeof(slots[0]));
    ++count;
    slots[index] = SlotOf(element);
  }
  void Take(int index, int n) {
    std::memmove(slots + index, slots + index + n, static_cast<size_t>(count - index - n) * sizeof(slots[0]));
    count = static_cast<uint16_t>(count - n);
  }
  // Moves everything from `index` on to the end of another leaf. Its codes are wrong until it is calibrated.
  void MoveTail(int index, Leaf& to) {
    const int n = count - index;
    std::memcpy(to.slots + to.count, slots + index, static_cast<size_t>(n) * sizeof(slots[0]));
    to.count = static_cast<uint16_t>(to.count + n);
    count = static_cast<uint16_t>(index);
  }
  // The same between neighbours, to the front and to the end.
  void TakeTailOf(Leaf& left, int index) {
    const int n = left.count - index;
    std::memmove(slots + n, slots, static_cast<size_t>(count) * sizeof(slots[0]));
    std::memcpy(slots, left.slots + index, static_cast<size_t>(n) * sizeof(slots[0]));
    count = static_cast<uint16_t>(count + n);
    left.count = static_cast<uint16_t>(index);
  }
  void TakeHeadOf(Leaf& right, int n) {
    std::memcpy(slots + count, right.slots, static_cast<size_t>(n) * sizeof(slots[0]));
    count = static_cast<uint16_t>(count + n);
    right.Take(0, n);
  }
};

// For each child: its first element with the score of that, so that a search reads no leaf but one, and how
// many elements are below it.
template <typename Element, int kFanout>
struct Inner {
  int count;
  double scores[kFanout];
  const Element* firsts[kFanout];
  void* children[kFanout];
  uint64_t counts[kFanout];

  static Inner* Make() {
    auto* node = static_cast<Inner*>(std::malloc(sizeof(Inner)));
    CHECK(node != nullptr);
    node->count = 0;
    return node;
  }

  bool full() const { return count == kFanout; }

  // The last child whose first element is before the probe; the first child if there is none.
  template <typename Probe>
  int ChildFor(const Probe& probe) const {
    int low = 0;
    int high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (probe.IsAfter(scores[middle], *firsts[middle])) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
  // The child with the element number `rank`, which becomes relative to the child.
  int ChildAt(uint64_t& rank) const {
    int child = 0;
    while (child + 1 < count && rank >= counts[child]) rank -= counts[child++];
    return child;
  }
  uint64_t SumBefore(int child) const {
    uint64_t sum = 0;
    for (int i = 0; i < child; ++i) sum += counts[i];
    return sum;
  }
  void SetFirst(int child, const Element* first) {
    scores[child] = first->score();
    firsts[child] = first;
  }

  void Put(int index, void* child, const Element* first, uint64_t below) {
    ForEachArray([&](auto* array) {
      std::memmove(array + index + 1, array + index, static_cast<size_t>(count - index) * sizeof(*array));
    });
    ++count;
    children[index] = child;
    counts[index] = below;
    SetFirst(index, first);
  }
  void Take(int index) {
    ForEachArray([&](auto* array) {
      std::memmove(array + index, array + index + 1, static_cast<size_t>(count - index - 1) * sizeof(*array));
    });
    --count;
  }
  // Moves the children from `index` on to the end of another node.
  void MoveTail(int index, Inner& to) {
    const int n = count - index;
    auto move = [&](auto* from, auto* target) {
      std::memcpy(target + to.count, from + index, static_cast<size_t>(n) * sizeof(*from));
    };
    move(scores, to.scores);
    move(firsts, to.firsts);
    move(children, to.children);
    move(counts, to.counts);
    to.count += n;
    count = index;
  }

 private:
  template <typename Function>
  void ForEachArray(Function&& function) {
    function(scores);
    function(firsts);
    function(children);
    function(counts);
  }
};

}  // namespace cinnabar::ranked_tree_internal
