#include "persistence/internal/packed_payload.h"
#include "persistence/internal/value_codecs.h"
#include "types/list.h"

namespace cinnabar::persistence::internal {
namespace {

using types::LargeList;
using types::List;
using types::ListEnd;

constexpr PackFaults kListpackFaults = {.broken = "Listpack integrity check failed"};
constexpr PackFaults kZiplistFaults = {.broken = "List ziplist integrity check failed"};

bool StaysPacked(std::string_view pack, const types::ListOptions& options) {
  return pack.size() <= types::kPackedBytesMax && options.limit().Allows(pack.size(), listpack::Count(pack));
}

void ReadElements(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  types::OwnHolder holder(listpack::kEmpty);
  List list(holder, limits.list);
  for (uint64_t left = ReadElementCount(in, 1); left > 0 && !in.failed(); --left) {
    const std::string_view element = in.String(value.room);
    if (!in.failed()) list.Push(ListEnd::kTail, element);
  }
  if (!in.failed()) value.Take(holder);
}

// Puts a list together from the nodes of another one.
class NodeCollector {
 public:
  explicit NodeCollector(const types::ListOptions& options)
      : options_(options), list_(std::make_unique<LargeList>(options)) {}

  void Add(LargeList::Form form, std::string_view bytes) {
    if (form == LargeList::Form::kPacked && listpack::Count(bytes) == 0) return;
    list_->AddNode(form, bytes);
  }
  void CallListpack() { list_->CallListpack(); }
  void Finish(RdbReader& in, RdbValue& value) {
    if (list_->size() == 0) in.Fail(RdbFault::kEmpty, kNothingInside);
    if (in.failed()) return;
    types::OwnHolder holder(std::move(list_));
    List(holder, options_).Shrink();
    value.Take(holder);
  }

 private:
  const types::ListOptions options_;
  std::unique_ptr<LargeList> list_;
};

// A listpack that is all of a list. It may stand in `value.room`.
void TakeOnlyNode(RdbReader& in, std::string_view pack, const ValueLimits& limits, RdbValue& value) {
  if (in.failed()) return;
  if (listpack::Count(pack) == 0) return in.Fail(RdbFault::kEmpty, kNothingInside);
  if (StaysPacked(pack, limits.list)) {
    value.bytes = pack;
    return;
  }
  NodeCollector nodes(limits.list);
  nodes.Add(LargeList::Form::kPacked, pack);
  if (limits.list.limit().Allows(pack.size(), listpack::Count(pack))) nodes.CallListpack();
  nodes.Finish(in, value);
}

void ReadZiplistNodes(RdbReader& in, uint64_t count, const ValueLimits& limits, RdbValue& value) {
  NodeCollector nodes(limits.list);
  HeapBytes pack;
  for (; count > 0 && !in.failed(); --count) {
    const std::string_view node = ReadZiplist(in, value.room, pack, kZiplistFaults);
    if (!in.failed()) nodes.Add(LargeList::Form::kPacked, node);
  }
  nodes.Finish(in, value);
}

// One ziplist, which is a list of its own or its only node.
void ReadOneZiplist(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  HeapBytes pack;
  ReadZiplist(in, value.room, pack, kZiplistFaults);
  if (in.failed()) return;
  value.room.bytes.assign(pack.view());
  TakeOnlyNode(in, value.room.bytes, limits, value);
}

void ReadNodes(RdbReader& in, const ValueLimits& limits, RdbValue& value) {
  uint64_t count = ReadElementCount(in, 2);
  const bool only = count == 1;
  NodeCollector nodes(limits.list);
  for (; count > 0 && !in.failed(); --count) {
    const uint64_t form = in.Length();
    if (form == kPlainNode) {
      const std::string_view element = in.String(value.room);
      if (element.empty()) in.FailCorrupt("a list node that holds one element, and no bytes");
      if (!in.failed()) nodes.Add(LargeList::Form::kPlain, element);
      continue;
    }
    if (form != kPackedNode) in.FailCorrupt("a list node of an unknown form");
    const std::string_view pack = ReadListpack(in, value.room, kListpackFaults);
    if (only) return TakeOnlyNode(in, pack, limits, value);
    if (!in.failed()) nodes.Add(LargeList::Form::kPacked, pack);
  }
  nodes.Finish(in, value);
}

}  // namespace

void WriteList(RdbWriter& out, types::Holder& list) {
  if (list.packed()) {
    out.Length(1);
    out.Length(kPackedNode);
    return out.String(list.view());
  }
  const auto& large = static_cast<const LargeList&>(*list.object());
  out.Length(large.nodes());
  large.ForEachNode([&](LargeList::Form form, std::string_view bytes) {
    out.Length(form == LargeList::Form::kPlain ? kPlainNode : kPackedNode);
    out.String(bytes);
  });
}

void ReadList(RdbReader& in, RdbType type, const ValueLimits& limits, RdbValue& value) {
  if (type == RdbType::kList) return ReadElements(in, limits, value);
  if (type == RdbType::kListZiplist) return ReadOneZiplist(in, limits, value);
  if (type == RdbType::kListQuicklist2) return ReadNodes(in, limits, value);
  const uint64_t count = ReadElementCount(in, 1);
  if (count == 1) return ReadOneZiplist(in, limits, value);
  ReadZiplistNodes(in, count, limits, value);
}

}  // namespace cinnabar::persistence::internal
