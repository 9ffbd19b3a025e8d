// RankedTree: pointers to elements in the order of (score, member bytes), which also knows the number (rank)
// of every element. A B+ tree (Bayer and McCreight, 1972) whose inner nodes count what is below each child.
//
//                      [first, score, child, count] x 63                     inner, 2 KiB
//                     /                |            \                             .
//   leaf, 512 bytes: [code|pointer] x 60  <->  [code|pointer] x 60  <->  ...
//
// Against a skip list: a search meets a few wide nodes instead of some twenty lonely ones, and an element
// costs the tree one word (about 11 bytes with the room left in leaves) instead of two to five. A 16-bit code
// beside each pointer (internal/ranked_nodes.h) tells most scores apart inside a leaf.
//
// Leaves that fill at the right end of the tree stay full, so that sorted input packs tightly. Elsewhere a
// full leaf gives to a neighbour before it is split. A node that
// has become less than a third full joins a neighbour, if both are not more than three quarters together.
//
// Element: any type below 2^48 with `double score() const` (never NaN) and `std::string_view member() const`.
// The tree does not own elements. No two may be equal in score and member.
//
// Costs: O(log n) everywhere, O(1) per step of a walk. Not thread-safe. Positions die with the next change.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/relocation.h"
#include "structures/internal/ranked_nodes.h"

namespace cinnabar {

// As the order among equal scores: byte by byte, the shorter of two equal beginnings first.
inline int CompareMembers(std::string_view a, std::string_view b) {
  const size_t shorter = a.size() < b.size() ? a.size() : b.size();
  const int order = shorter == 0 ? 0 : std::memcmp(a.data(), b.data(), shorter);
  if (order != 0) return order;
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

// A probe is a place between elements: it is after some of them and before all others.

// Before or behind all elements of one score.
struct ScoreProbe {
  static constexpr bool kHasScore = true;
  double score;
  bool behind_equals;

  template <typename Element>
  bool IsAfter(double other, const Element&) const {
    return behind_equals ? other <= score : other < score;
  }
};

// Before or behind one element, whether it is there or not.
struct ElementProbe {
  static constexpr bool kHasScore = true;
  double score;
  std::string_view member;
  bool behind_equal;

  template <typename Element>
  bool IsAfter(double other, const Element& element) const {
    if (other != score) return other < score;
    return CompareMembers(element.member(), member) < (behind_equal ? 1 : 0);
  }
};

// By member alone. REQUIRES: all elements have the same score.
struct MemberProbe {
  static constexpr bool kHasScore = false;
  std::string_view member;
  bool behind_equal;

  template <typename Element>
  bool IsAfter(double, const Element& element) const {
    return CompareMembers(element.member(), member) < (behind_equal ? 1 : 0);
  }
};

template <typename Element, int kLeafSlots = 60, int kFanout = 63>
class RankedTree {
  using Leaf = ranked_tree_internal::Leaf<Element, kLeafSlots>;
  using Inner = ranked_tree_internal::Inner<Element, kFanout>;
  static_assert(kLeafSlots >= 4 && kFanout >= 4);

 public:
  RankedTree() = default;
  RankedTree(const RankedTree&) = delete;
  RankedTree& operator=(const RankedTree&) = delete;
  ~RankedTree() {
    Clear([](Element*) {});
  }

  uint64_t size() const { return size_; }
  // Bytes of all nodes.
  size_t memory() const { return leaves_ * sizeof(Leaf) + inners_ * sizeof(Inner); }

  // REQUIRES: no equal element is here.
  void Insert(Element* element) {
    if (root_ == nullptr) return InsertFirst(element);
    Path path;
    Descend(ElementProbe{element->score(), element->member(), false}, path);
    InsertAt(path, element);
  }
  // Insert for sorted input. REQUIRES: the element is behind all others.
  void Append(Element* element) {
    if (root_ == nullptr) return InsertFirst(element);
    Path path;
    DescendRight(path);
    InsertAt(path, element);
  }
  // REQUIRES: the element is here.
  void Erase(const Element& element) {
    Path path;
    DescendTo(element, path);
    EraseAt(path, 1);
  }
  // Gives an element another score: `set(Element&)` stores it, and is called once. REQUIRES: the element is
  // here.
  template <typename Set>
  void ChangeScore(Element& element, double score, Set&& set) {
    Path path;
    DescendTo(element, path);
    const ElementProbe probe{score, element.member(), false};
    const Leaf& leaf = *path.leaf;
    const int index = path.index;
    const bool stays = index > 0 && index + 1 < leaf.count &&
                       probe.IsAfter(leaf.at(index - 1)->score(), *leaf.at(index - 1)) &&
                       !probe.IsAfter(leaf.at(index + 1)->score(), *leaf.at(index + 1));
    if (!stays) {
      EraseAt(path, 1);
      set(element);
      return Insert(&element);
    }
    set(element);
    path.leaf->slots[index] = leaf.SlotOf(&element);
  }

  // How many elements are before the probe.
  template <typename Probe>
  uint64_t CountBefore(const Probe& probe) const {
    if (root_ == nullptr) return 0;
    void* node = root_;
    uint64_t sum = 0;
    for (int level = 0; level < height_; ++level) {
      const auto* inner = static_cast<const Inner*>(node);
      const int child = inner->ChildFor(probe);
      node = inner->children[child];
      if (level + 1 == height_) static_cast<const Leaf*>(node)->FetchAll();
      sum += inner->SumBefore(child);
    }
    return sum + static_cast<uint64_t>(static_cast<const Leaf*>(node)->CountBefore(probe));
  }
  // REQUIRES: the element is here.
  uint64_t RankOf(const Element& element) const {
    return CountBefore(ElementProbe{element.score(), element.member(), true}) - 1;
  }
  // The element of a rank. REQUIRES: rank < size().
  Element* At(uint64_t rank) const {
    const Position at = PositionOf(rank);
    return at.leaf->at(at.index);
  }

  // Visits up to `count` elements from a rank on, upwards. `visit(Element&)` may not change the tree.
  template <typename Visit>
  void WalkUp(uint64_t rank, uint64_t count, Visit&& visit) const {
    if (rank >= size_) return;
    auto [leaf, index] = PositionOf(rank);
    FetchUp(*leaf, index, count);
    for (; count > 0; --count) {
      if (index == leaf->count) {
        leaf = leaf->next;
        if (leaf == nullptr) return;
        index = 0;
        FetchUp(*leaf, index, count);
      }
      if (index + kAhead < leaf->count) Prefetch(leaf->at(index + kAhead));
      visit(*leaf->at(index++));
    }
  }
  // The same downwards: `rank` is that of the highest one.
  template <typename Visit>
  void WalkDown(uint64_t rank, uint64_t count, Visit&& visit) const {
    if (rank >= size_) return;
    auto [leaf, index] = PositionOf(rank);
    for (; count > 0; --count) {
      if (index < 0) {
        leaf = leaf->previous;
        if (leaf == nullptr) return;
        index = leaf->count - 1;
      }
      if (index >= kAhead) Prefetch(leaf->at(index - kAhead));
      visit(*leaf->at(index--));
    }
  }

  // Visits the elements behind a probe, upwards, as long as `visit(Element&)` returns true. It may not change
  // the tree. Costs no counting, unlike a walk from CountBefore(probe).
  template <typename Probe, typename Visit>
  void WalkUpFrom(const Probe& probe, Visit&& visit) const {
    if (root_ == nullptr) return;
    void* node = root_;
    for (int level = 0; level < height_; ++level) {
      const auto* inner = static_cast<const Inner*>(node);
      node = inner->children[inner->ChildFor(probe)];
    }
    const auto* leaf = static_cast<const Leaf*>(node);
    if (height_ > 0) leaf->FetchAll();
    int index = leaf->CountBefore(probe);
    FetchUp(*leaf, index, kAhead);
    while (true) {
      if (index == leaf->count) {
        leaf = leaf->next;
        if (leaf == nullptr) return;
        index = 0;
        FetchUp(*leaf, index, kAhead);
      }
      if (index + kAhead < leaf->count) Prefetch(leaf->at(index + kAhead));
      if (!visit(*leaf->at(index++))) return;
    }
  }

  // Takes `count` elements out from a rank on, and passes each to `take(Element*)`, which may free it.
  // REQUIRES: they are here. Costs O(count + count / leaf size * log n).
  template <typename Take>
  void EraseRanks(uint64_t rank, uint64_t count, Take&& take) {
    if (count == size_) return Clear(take);
    while (count > 0) {
      Path path;
      DescendToRank(rank, path);
      const auto room = static_cast<uint64_t>(path.leaf->count - path.index);
      const int n = static_cast<int>(count < room ? count : room);
      FetchUp(*path.leaf, path.index, static_cast<uint64_t>(n));
      for (int i = 0; i < n; ++i) {
        if (path.index + i + kAhead < path.leaf->count) Prefetch(path.leaf->at(path.index + i + kAhead));
        take(path.leaf->at(path.index + i));
      }
      EraseAt(path, n);
      count -= static_cast<uint64_t>(n);
    }
  }
  // Takes all elements out, in order.
  template <typename Take>
  void Clear(Take&& take) {
    if (root_ != nullptr) Free(root_, 0, take);
    root_ = nullptr;
    height_ = 0;
    size_ = leaves_ = inners_ = 0;
  }

  // Moves the leaf with the element of a rank, and all elements in it: `move(Element*)` returns the new
  // address of an element, the old one is dead then. An inner node moves together with its first leaf.
  // Returns the rank behind the leaf. REQUIRES: rank < size().
  template <typename MoveElement>
  uint64_t RelocateLeaf(uint64_t rank, Relocation& relocation, MoveElement&& move) {
    Path path;
    DescendToRank(rank, path);
    const uint64_t behind = rank - static_cast<uint64_t>(path.index) + path.leaf->count;
    MoveLeaf(path, relocation);
    for (int level = height_ - 1; level >= 0 && path.steps[level].child == 0; --level) {
      Inner*& node = path.steps[level].node;
      relocation.Follow(node);
      LinkTo(path, level) = node;
    }
    Leaf& leaf = *path.leaf;
    FetchUp(leaf, 0, kAhead);
    for (int i = 0; i < leaf.count; ++i) {
      if (i + kAhead < leaf.count) Prefetch(leaf.at(i + kAhead));
      leaf.SetPointer(i, move(leaf.at(i)));
    }
    FixFirst(path);
    return behind;
  }

  // Crashes if the tree is not in order. For tests; visits everything.
  void CheckInvariants() const {
    if (root_ == nullptr) {
      CHECK(size_ == 0);
      return;
    }
    const Leaf* previous = nullptr;
    CHECK(CheckNode(root_, 0, previous) == size_);
    CHECK(previous->next == nullptr);
  }

 private:
  static constexpr int kHeightMax = 40;
  static constexpr int kAhead = kLeafSlots < 16 ? kLeafSlots / 2 : 8;
  static constexpr int kLowLeaf = kLeafSlots / 3, kJoinedLeaf = kLeafSlots * 3 / 4;
  // Half of what it and a full one hold together leaves room for one more.
  static constexpr int kRoomyLeaf = kLeafSlots < 8 ? kLeafSlots - 2 : kLeafSlots * 3 / 4;
  static constexpr int kLowInner = kFanout / 3, kJoinedInner = kFanout * 3 / 4;

  struct Step {
    Inner* node;
    int child;
  };
  // From the root to a place in a leaf.
  struct Path {
    Step steps[kHeightMax];
    Leaf* leaf;
    int index;
  };
  struct Position {
    Leaf* leaf;
    int index;
  };

  static void FetchUp(const Leaf& leaf, int index, uint64_t count) {
    const uint64_t wanted = count < kAhead ? count : kAhead;
    for (int i = index; i < leaf.count && static_cast<uint64_t>(i - index) < wanted; ++i) {
      Prefetch(leaf.at(i));
    }
  }

  template <typename Choose>
  void FollowDown(Path& path, Choose&& choose) const {
    void* node = root_;
    for (int level = 0; level < height_; ++level) {
      auto* inner = static_cast<Inner*>(node);
      const int child = choose(*inner);
      path.steps[level] = {inner, child};
      node = inner->children[child];
    }
    path.leaf = static_cast<Leaf*>(node);
    if (height_ > 0) path.leaf->FetchAll();
  }
  template <typename Probe>
  void Descend(const Probe& probe, Path& path) const {
    FollowDown(path, [&](const Inner& inner) { return inner.ChildFor(probe); });
    path.index = path.leaf->CountBefore(probe);
  }
  void DescendTo(const Element& element, Path& path) const {
    Descend(ElementProbe{element.score(), element.member(), true}, path);
    --path.index;
    DCHECK(path.index >= 0 && path.leaf->at(path.index) == &element);
  }
  void DescendToRank(uint64_t rank, Path& path) const {
    FollowDown(path, [&](const Inner& inner) { return inner.ChildAt(rank); });
    path.index = static_cast<int>(rank);
  }
  void DescendRight(Path& path) const {
    FollowDown(path, [](const Inner& inner) { return inner.count - 1; });
    path.index = path.leaf->count;
  }
  Position PositionOf(uint64_t rank) const {
    void* node = root_;
    for (int level = 0; level < height_; ++level) {
      const auto* inner = static_cast<const Inner*>(node);
      node = inner->children[inner->ChildAt(rank)];
    }
    return {static_cast<Leaf*>(node), static_cast<int>(rank)};
  }

  // The pointer to the node at a level of the path; the leaf is at level height_.
  void*& LinkTo(const Path& path, int level) {
    return level == 0 ? root_ : path.steps[level - 1].node->children[path.steps[level - 1].child];
  }
  void MoveLeaf(Path& path, Relocation& relocation) {
    relocation.Follow(path.leaf);
    Leaf* leaf = path.leaf;
    LinkTo(path, height_) = leaf;
    if (leaf->previous != nullptr) leaf->previous->next = leaf;
    if (leaf->next != nullptr) leaf->next->previous = leaf;
  }

  Leaf* NewLeaf() {
    ++leaves_;
    return Leaf::Make();
  }
  Inner* NewInner() {
    ++inners_;
    return Inner::Make();
  }
  void FreeLeaf(Leaf* leaf) {
    if (leaf->previous != nullptr) leaf->previous->next = leaf->next;
    if (leaf->next != nullptr) leaf->next->previous = leaf->previous;
    std::free(leaf);
    --leaves_;
  }
  void FreeInner(Inner* inner) {
    std::free(inner);
    --inners_;
  }

  void InsertFirst(Element* element) {
    Leaf* leaf = NewLeaf();
    leaf->Put(0, element);
    root_ = leaf;
    size_ = 1;
  }

  void InsertAt(Path& path, Element* element) {
    ++size_;
    for (int level = 0; level < height_; ++level) {
      ++path.steps[level].node->counts[path.steps[level].child];
    }
    Leaf* leaf = path.leaf;
    if (leaf->full()) {
      if (!SpillLeaf(path, element)) SplitLeaf(path, element);
      return;
    }
    leaf->Put(path.index, element);
    if (path.index == 0) FixFirst(path);
    if (leaf->count == kLeafSlots / 8 || leaf->count == kLeafSlots / 2) leaf->Calibrate();
  }

  // The leaf's first element is another one now: tells the inner nodes that name it.
  void FixFirst(const Path& path) { FixFirst(path, height_ - 1, path.leaf->at(0)); }
  static void FixFirst(const Path& path, int level, const Element* first) {
    for (; level >= 0; --level) {
      const Step& step = path.steps[level];
      step.node->SetFirst(step.child, first);
      if (step.child != 0) return;
    }
  }

  // Makes room in a full leaf by giving a part of it to a neighbour under the same parent. False when they
  // are rather full as well.
  bool SpillLeaf(const Path& path, Element* element) {
    if (height_ == 0) return false;
    const auto [parent, child] = path.steps[height_ - 1];
    auto roomy = [&](int index) {
      return index >= 0 && index < parent->count &&
             static_cast<const Leaf*>(parent->children[index])->count <= kRoomyLeaf;
    };
    const int left = roomy(child + 1) ? child : roomy(child - 1) ? child - 1 : -1;
    if (left < 0) return false;
    Leaf& low = *static_cast<Leaf*>(parent->children[left]);
    Leaf& high = *static_cast<Leaf*>(parent->children[left + 1]);
    // As if both were one leaf.
    const int place = left == child ? path.index : low.count + path.index;
    const int keep = (low.count + high.count) / 2;
    if (left == child) {
      high.TakeTailOf(low, keep);
    } else {
      low.TakeHeadOf(high, keep - low.count);
    }
    if (place <= low.count) {
      low.Put(place, element);
    } else {
      high.Put(place - low.count, element);
    }
    low.Calibrate();
    high.Calibrate();
    parent->counts[left] = low.count;
    parent->counts[left + 1] = high.count;
    parent->SetFirst(left + 1, high.at(0));
    if (place == 0) FixFirst(path);
    return true;
  }

  void SplitLeaf(Path& path, Element* element) {
    Leaf* left = path.leaf;
    Leaf* right = NewLeaf();
    right->previous = left;
    right->next = left->next;
    if (left->next != nullptr) left->next->previous = right;
    left->next = right;
    const bool at_end = right->next == nullptr && path.index == kLeafSlots;
    const int keep = at_end ? kLeafSlots : kLeafSlots / 2;
    left->MoveTail(keep, *right);
    if (path.index <= keep && !at_end) {
      left->Put(path.index, element);
    } else {
      right->Put(path.index - keep, element);
    }
    left->Calibrate();
    right->Calibrate();
    if (path.index == 0) FixFirst(path);
    AddChild(path, height_ - 1, right, right->at(0), right->count);
  }

  // Puts a new child behind the one that the path takes at `level`; what is below it was counted with that.
  void AddChild(Path& path, int level, void* child, const Element* first, uint64_t below) {
    if (level < 0) return AddRoot(child, first, below);
    auto [node, index] = path.steps[level];
    node->counts[index] -= below;
    ++index;
    if (!node->full()) return node->Put(index, child, first, below);
    Inner* right = NewInner();
    const int keep = index == kFanout ? kFanout : kFanout / 2;
    node->MoveTail(keep, *right);
    if (index <= keep && keep != kFanout) {
      node->Put(index, child, first, below);
    } else {
      right->Put(index - keep, child, first, below);
    }
    AddChild(path, level - 1, right, right->firsts[0], right->SumBefore(right->count));
  }

  // The old root and a new neighbour under a new root.
  void AddRoot(void* child, const Element* first, uint64_t below) {
    CHECK(height_ + 1 < kHeightMax);
    Inner* root = NewInner();
    const Element* lowest =
        height_ == 0 ? static_cast<Leaf*>(root_)->at(0) : static_cast<Inner*>(root_)->firsts[0];
    root->Put(0, root_, lowest, size_ - below);
    root->Put(1, child, first, below);
    root_ = root;
    ++height_;
  }

  // Forgets `n` elements of one leaf.
  void EraseAt(Path& path, int n) {
    size_ -= static_cast<uint64_t>(n);
    for (int level = 0; level < height_; ++level) {
      path.steps[level].node->counts[path.steps[level].child] -= static_cast<uint64_t>(n);
    }
    Leaf* leaf = path.leaf;
    leaf->Take(path.index, n);
    if (leaf->count == 0) {
      FreeLeaf(leaf);
      return RemoveChild(path, height_ - 1);
    }
    if (path.index == 0) FixFirst(path);
    if (leaf->count < kLowLeaf && height_ > 0) JoinLeaf(path);
  }

  // The left one of two neighbours that fit together, one of which is `child`; -1 if there is none.
  template <typename CountOf>
  static int Partner(const Inner& parent, int child, int most, CountOf&& count_of) {
    auto fits = [&](int left) {
      return left >= 0 && left + 1 < parent.count &&
             count_of(parent.children[left]) + count_of(parent.children[left + 1]) <= most;
    };
    return fits(child) ? child : fits(child - 1) ? child - 1 : -1;
  }

  void JoinLeaf(Path& path) {
    auto& [parent, child] = path.steps[height_ - 1];
    const int left = Partner(*parent, child, kJoinedLeaf,
                             [](void* node) { return static_cast<int>(static_cast<Leaf*>(node)->count); });
    if (left < 0) return;
    auto* to = static_cast<Leaf*>(parent->children[left]);
    auto* from = static_cast<Leaf*>(parent->children[left + 1]);
    from->MoveTail(0, *to);
    to->Calibrate();
    FreeLeaf(from);
    parent->counts[left] += parent->counts[left + 1];
    child = left + 1;
    RemoveChild(path, height_ - 1);
  }

  // Takes the child out that the path takes at `level`; it has been freed.
  void RemoveChild(Path& path, int level) {
    if (level < 0) {
      root_ = nullptr;
      height_ = 0;
      return;
    }
    auto [node, child] = path.steps[level];
    node->Take(child);
    if (node->count == 0) {
      FreeInner(node);
      return RemoveChild(path, level - 1);
    }
    if (child == 0) FixFirst(path, level - 1, node->firsts[0]);
    if (level > 0 && node->count < kLowInner) JoinInner(path, level);
    if (level == 0) LowerRoot();
  }

  void JoinInner(Path& path, int level) {
    auto& [parent, child] = path.steps[level - 1];
    const int left =
        Partner(*parent, child, kJoinedInner, [](void* node) { return static_cast<Inner*>(node)->count; });
    if (left < 0) return;
    auto* from = static_cast<Inner*>(parent->children[left + 1]);
    from->MoveTail(0, *static_cast<Inner*>(parent->children[left]));
    FreeInner(from);
    parent->counts[left] += parent->counts[left + 1];
    child = left + 1;
    RemoveChild(path, level - 1);
  }

  void LowerRoot() {
    while (height_ > 0 && static_cast<Inner*>(root_)->count == 1) {
      auto* old = static_cast<Inner*>(root_);
      root_ = old->children[0];
      FreeInner(old);
      --height_;
    }
  }

  template <typename Take>
  void Free(void* node, int level, Take& take) {
    if (level == height_) {
      auto* leaf = static_cast<Leaf*>(node);
      for (int i = 0; i < leaf->count && i < kAhead; ++i) Prefetch(leaf->at(i));
      for (int i = 0; i < leaf->count; ++i) {
        if (i + kAhead < leaf->count) Prefetch(leaf->at(i + kAhead));
        take(leaf->at(i));
      }
    } else {
      auto* inner = static_cast<Inner*>(node);
      for (int i = 0; i < inner->count; ++i) Free(inner->children[i], level + 1, take);
    }
    std::free(node);
  }

  uint64_t CheckNode(const void* node, int level, const Leaf*& previous) const {
    if (level == height_) return CheckLeaf(*static_cast<const Leaf*>(node), previous);
    const auto& inner = *static_cast<const Inner*>(node);
    CHECK(inner.count > 0 && inner.count <= kFanout && (level > 0 || inner.count > 1));
    uint64_t sum = 0;
    for (int i = 0; i < inner.count; ++i) {
      const uint64_t below = CheckNode(inner.children[i], level + 1, previous);
      CHECK(below == inner.counts[i]);
      sum += below;
      const Element* first = level + 1 == height_ ? static_cast<const Leaf*>(inner.children[i])->at(0)
                                                  : static_cast<const Inner*>(inner.children[i])->firsts[0];
      CHECK(inner.firsts[i] == first && inner.scores[i] == first->score());
    }
    return sum;
  }
  uint64_t CheckLeaf(const Leaf& leaf, const Leaf*& previous) const {
    CHECK(leaf.count > 0 && leaf.count <= kLeafSlots && leaf.previous == previous);
    if (previous != nullptr) CHECK(previous->next == &leaf);
    const Element* last = previous == nullptr ? nullptr : previous->at(previous->count - 1);
    for (int i = 0; i < leaf.count; ++i) {
      const Element* element = leaf.at(i);
      CHECK(leaf.slots[i] == leaf.SlotOf(leaf.at(i)));
      CHECK(last == nullptr ||
            ElementProbe(element->score(), element->member(), false).IsAfter(last->score(), *last));
      last = element;
    }
    previous = &leaf;
    return leaf.count;
  }

  void* root_ = nullptr;
  int height_ = 0;  // levels of inner nodes above the leaves
  uint64_t size_ = 0;
  size_t leaves_ = 0;
  size_t inners_ = 0;
};

}  // namespace cinnabar
