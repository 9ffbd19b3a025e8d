#include "types/large_list.h"

#include <algorithm>

#include "base/check.h"
#include "types/encoding.h"

namespace cinnabar::types {
namespace {

// Room that a short list may keep for what comes next.
constexpr size_t kSpareBytes = 512;

}  // namespace

std::string_view LargeList::encoding() const {
  return called_listpack_ ? kListpackName : std::string_view("quicklist");
}

size_t LargeList::memory(size_t samples) const {
  size_t bytes = 0, seen = 0;
  for (Place place = nodes_.first(); place != nodes_.end() && (samples == 0 || seen < samples);
       place = nodes_.Next(place)) {
    bytes += nodes_.at(place).memory();
    ++seen;
  }
  if (seen > 0 && seen < nodes_.nodes()) {
    bytes = static_cast<size_t>(static_cast<double>(bytes) / static_cast<double>(seen) *
                                static_cast<double>(nodes_.nodes()));
  }
  return sizeof *this + nodes_.memory() + bytes;
}

std::unique_ptr<Value> LargeList::Clone() const {
  auto copy = std::make_unique<LargeList>(options_);
  copy->nodes_ = nodes_.Clone();
  copy->called_listpack_ = called_listpack_;
  return copy;
}

bool LargeList::RelocateSome(Relocation& relocation, RelocationCursor& cursor) {
  const uint64_t enough = relocation.offers() + Relocation::kOffersPerStep;
  if (cursor.at >= nodes_.nodes()) return false;
  for (Place place = nodes_.PlaceOf(cursor.at); place != nodes_.end(); place = nodes_.Next(place)) {
    if (relocation.offers() >= enough) return true;
    nodes_.Relocate(place, relocation);
    ++cursor.at;
  }
  return false;
}

size_t LargeList::compressed_nodes() const {
  size_t count = 0;
  for (Place place = nodes_.first(); place != nodes_.end(); place = nodes_.Next(place)) {
    if (nodes_.at(place).compressed()) ++count;
  }
  return count;
}

// --- Compression ---

bool LargeList::Interior(Place place) const {
  const size_t depth = options_.compress_depth;
  if (depth == 0 || nodes_.nodes() <= 2 * depth) return false;
  const size_t ordinal = nodes_.OrdinalOf(place);
  return ordinal >= depth && nodes_.nodes() - 1 - ordinal >= depth;
}

ListNode& LargeList::Wake(Place place) {
  ListNode& node = nodes_.at(place);
  node.Decompress();
  return node;
}

void LargeList::Rest(Place place) {
  if (options_.compress_depth != 0 && Interior(place)) nodes_.at(place).Compress();
}

// After nodes have come or gone, each end zone may have to be widened, or the node behind it compressed.
void LargeList::Settle(Change change, size_t nodes) {
  const size_t depth = options_.compress_depth;
  const size_t total = nodes_.nodes();
  if (depth == 0 || total == 0) return;
  if (change == Change::kNodeCame) {
    if (total <= 2 * depth) return;
    nodes_.at(nodes_.PlaceOf(depth)).Compress();
    nodes_.at(nodes_.PlaceOf(total - 1 - depth)).Compress();
    return;
  }
  const size_t zone = std::min(depth, total);
  for (size_t i = 0; i < std::min(nodes, zone); ++i) {
    Wake(nodes_.PlaceOf(zone - 1 - i));
    Wake(nodes_.PlaceOf(total - zone + i));
  }
}

// --- Nodes ---

LargeList::Place LargeList::AddNode(Place before, ListNode node) {
  const Place place = nodes_.InsertBefore(before, std::move(node));
  Settle(Change::kNodeCame, 1);
  Rest(place);
  if (nodes_.nodes() > 1) called_listpack_ = false;
  return place;
}

LargeList::Place LargeList::RemoveNode(Place place) {
  place = nodes_.Erase(place);
  Settle(Change::kNodesWent, 1);
  return place;
}

LargeList::Place LargeList::SplitNode(Place place, size_t index) {
  ListNode& node = Wake(place);
  const size_t before = node.count();
  ListNode rest = node.SplitOff(index);
  nodes_.Recount(place, before);
  const size_t ordinal = nodes_.OrdinalOf(place);
  const Place second = AddNode(nodes_.Next(place), std::move(rest));
  Rest(nodes_.PlaceOf(ordinal));
  return second;
}

bool LargeList::TryJoin(Place left, Place right) {
  const ListNode& other = nodes_.at(right);
  const ListNode& node = nodes_.at(left);
  if (node.plain() || other.plain()) return false;
  const size_t bytes = node.bytes() + other.bytes() - listpack::kEmpty.size();
  if (!limit_.Allows(bytes, node.count() + other.count())) return false;
  const size_t before = node.count();
  Wake(left).Append(other);
  nodes_.Recount(left, before);
  const size_t ordinal = nodes_.OrdinalOf(left);
  RemoveNode(right);
  Rest(nodes_.PlaceOf(ordinal));
  return true;
}

void LargeList::Join(Place place) {
  const size_t ordinal = nodes_.OrdinalOf(place);
  if (ordinal + 1 < nodes_.nodes()) TryJoin(place, nodes_.Next(place));
  if (ordinal > 0) TryJoin(nodes_.PlaceOf(ordinal - 1), nodes_.PlaceOf(ordinal));
}

void LargeList::AddNode(Form form, std::string_view bytes) {
  AddNode(nodes_.end(), form == Form::kPlain ? ListNode::Plain(bytes) : ListNode::Packed(bytes));
}

bool LargeList::FitsListpack() const {
  if (nodes_.nodes() != 1) return false;
  const ListNode& node = nodes_.at(nodes_.first());
  return !node.plain() && limit_.Half().Allows(node.bytes(), node.count());
}

void LargeList::KeepName(std::span<const std::string_view> values) {
  if (!called_listpack_ || nodes_.nodes() != 1) return;
  const ListNode& node = nodes_.at(nodes_.first());
  size_t bytes = node.bytes();
  for (std::string_view value : values) bytes += value.size();
  called_listpack_ = limit_.Allows(bytes, node.count() + values.size());
}

// --- Ends ---

void LargeList::Push(ListEnd end, std::string_view value) {
  const bool alone = options_.StandsAlone(value.size());
  if (nodes_.nodes() > 0 && !alone) {
    const Place place = end == ListEnd::kHead ? nodes_.first() : nodes_.last();
    ListNode& node = nodes_.at(place);  // never compressed: at the end
    if (node.Takes(listpack::EncodedSize(value), limit_)) {
      if (end == ListEnd::kHead) {
        node.PushFront(value, limit_.bytes);
      } else {
        node.PushBack(value, limit_.bytes);
      }
      return nodes_.Recount(place, node.count() - 1);
    }
    node.Shrink();
  }
  AddNode(end == ListEnd::kHead ? nodes_.first() : nodes_.end(),
          alone ? ListNode::Plain(value) : ListNode::PackedOne(value));
}

NodeSequence LargeList::DropInto(ListEnd end, size_t count) {
  CHECK(count < size());
  NodeSequence dropped;
  if (count == 0) return dropped;
  const bool head = end == ListEnd::kHead;
  // The node of the element that will be at this end.
  const auto [place, index] = nodes_.Find(head ? count : size() - 1 - count);
  const size_t inner = head ? index : nodes_.at(place).count() - 1 - index;
  if (const size_t whole = head ? nodes_.OrdinalOf(place) : nodes_.nodes() - 1 - nodes_.OrdinalOf(place)) {
    dropped = head ? nodes_.TakeFront(whole) : nodes_.TakeBack(whole);
    Settle(Change::kNodesWent, whole);
  }
  if (inner == 0) return dropped;
  const Place edge = head ? nodes_.first() : nodes_.last();
  ListNode& node = Wake(edge);
  const size_t before = node.count();
  if (head) {
    node.DropFront(inner);
  } else {
    node.DropBack(inner);
  }
  nodes_.Recount(edge, before);
  // The only node of a list that was longer once.
  if (nodes_.nodes() == 1 && node.memory() > 2 * node.bytes() + kSpareBytes) node.Shrink();
  return dropped;
}

// --- The middle ---

void LargeList::Set(size_t index, std::string_view value) {
  auto [place, inner] = nodes_.Find(index);
  const bool alone = options_.StandsAlone(value.size());
  if (nodes_.at(place).count() == 1) {
    nodes_.at(place) = alone ? ListNode::Plain(value) : ListNode::PackedOne(value);
    Rest(place);
    return Join(place);
  }
  ListNode& node = Wake(place);
  const std::string_view pack = node.view();
  const size_t position = listpack::At(pack, static_cast<int64_t>(inner));
  const size_t next = listpack::Next(pack, position);
  const size_t old_bytes = (next == listpack::kEnd ? pack.size() - 1 : next) - position;
  if (!alone && pack.size() - old_bytes + listpack::EncodedSize(value) <= limit_.bytes) {
    node.Replace(position, value);
    return Rest(place);
  }
  node.Erase(position);
  nodes_.Recount(place, node.count() + 1);
  Rest(place);
  InsertAt(index, value);
}

void LargeList::InsertInPacked(Place place, size_t index, std::string_view value) {
  ListNode& node = Wake(place);
  node.Insert(listpack::At(node.view(), static_cast<int64_t>(index)), value);
  nodes_.Recount(place, node.count() - 1);
  Rest(place);
}

void LargeList::InsertAt(size_t index, std::string_view value) {
  if (index == 0) return Push(ListEnd::kHead, value);
  if (index == size()) return Push(ListEnd::kTail, value);
  const bool alone = options_.StandsAlone(value.size());
  const size_t added = alone ? 0 : listpack::EncodedSize(value);
  auto [place, inner] = nodes_.Find(index);
  if (!alone && nodes_.at(place).Takes(added, limit_)) return InsertInPacked(place, inner, value);
  if (inner != 0) place = SplitNode(place, inner);
  // Now the value goes between two nodes, to the end of the first if that takes it.
  const Place previous = nodes_.Previous(place);
  if (!alone && nodes_.at(previous).Takes(added, limit_)) {
    InsertInPacked(previous, nodes_.at(previous).count(), value);
    if (inner != 0) Join(place);
    return;
  }
  place = AddNode(place, alone ? ListNode::Plain(value) : ListNode::PackedOne(value));
  Join(place);
}

size_t LargeList::RemoveFrom(ListNode& node, ListEnd from, size_t most, std::string_view value) {
  size_t removed = 0;
  if (from == ListEnd::kHead) {
    size_t position = listpack::First(node.view());
    while (removed < most && position != listpack::kEnd) {
      position = listpack::Find(node.view(), position, value);
      if (position == listpack::kEnd) break;
      position = node.Erase(position);
      ++removed;
    }
    return removed;
  }
  size_t position = listpack::Last(node.view());
  while (removed < most && position != listpack::kEnd) {
    const std::string_view bytes = node.view();
    const size_t previous = listpack::Previous(bytes, position);
    if (listpack::Equals(bytes, position, value)) {
      node.Erase(position);
      ++removed;
    }
    position = previous;
  }
  return removed;
}

size_t LargeList::Remove(ListEnd from, size_t most, std::string_view value) {
  const bool forwards = from == ListEnd::kHead;
  std::string scratch;
  size_t removed = 0;
  size_t ordinal = forwards ? 0 : nodes_.nodes();
  while (removed < most && (forwards ? ordinal < nodes_.nodes() : ordinal > 0)) {
    if (!forwards) --ordinal;
    const Place place = nodes_.PlaceOf(ordinal);
    const std::string_view bytes = nodes_.at(place).Read(scratch);
    const bool plain = nodes_.at(place).plain();
    const bool there =
        plain ? bytes == value : listpack::Find(bytes, listpack::First(bytes), value) != listpack::kEnd;
    if (!there) {
      if (forwards) ++ordinal;
      continue;
    }
    if (plain) {
      ++removed;
      RemoveNode(place);
      continue;
    }
    const size_t before = nodes_.at(place).count();
    removed += RemoveFrom(Wake(place), from, most - removed, value);
    nodes_.Recount(place, before);
    if (nodes_.at(place).count() == 0) {
      RemoveNode(place);
      continue;
    }
    nodes_.at(place).Shrink();
    Rest(place);
    // Joined with the node that was done before: what comes next keeps its number.
    const bool has_done = forwards ? ordinal > 0 : ordinal + 1 < nodes_.nodes();
    const bool joined = has_done && (forwards ? TryJoin(nodes_.PlaceOf(ordinal - 1), place)
                                              : TryJoin(place, nodes_.PlaceOf(ordinal + 1)));
    if (forwards && !joined) ++ordinal;
  }
  return removed;
}

}  // namespace cinnabar::types
