#include "commands/list/list_access.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace cinnabar::commands {

using dispatch::Call;
using keyspace::EntryHolder;
using keyspace::Key;
using types::List;
using types::ListEnd;

namespace {

// What is freed faster than it is handed over is not worth a worker's time.
constexpr size_t kManyNodes = 64;

// Room to build a new packed list in; on the stack as long as it is small.
class ScratchBytes final : public PackedBytes {
 public:
  ScratchBytes() { data_ = room_; }
  ~ScratchBytes() {
    if (data_ != room_) std::free(data_);
  }
  void Resize(size_t size) override {
    if (size > capacity_) Grow(size);
    size_ = size;
  }

 private:
  void Grow(size_t size) {
    const size_t capacity = std::max(size, 2 * capacity_);
    char* const data = static_cast<char*>(std::realloc(data_ == room_ ? nullptr : data_, capacity));
    CHECK(data != nullptr);
    if (data_ == room_) std::memcpy(data, room_, size_);
    data_ = data;
    capacity_ = capacity;
  }

  char room_[512];
  size_t capacity_ = sizeof room_;
};

void MakeList(Call& call, const Key& key, EntryHolder& holder, ListEnd end,
              std::span<const std::string_view> values, const types::ListOptions& options) {
  ScratchBytes bytes;
  if (types::BuildPackedList(end, values, options, bytes)) [[likely]] {
    return MakeCollection(call, key, types::Type::kList, bytes.view(), holder);
  }
  MakeCollection(call, key, types::Type::kList, listpack::kEmpty, holder);
  List(holder, options).Push(end, values);
}

}  // namespace

ListEnd TakeListEnd(dispatch::Args& args) {
  if (args.Take("LEFT")) return ListEnd::kHead;
  if (!args.Take("RIGHT")) args.FailSyntax();
  return ListEnd::kTail;
}

std::string_view NameOf(ListEnd end) {
  return end == ListEnd::kHead ? "LEFT" : "RIGHT";
}

ListRange ResolveRange(int64_t start, int64_t stop, size_t size) {
  const auto length = static_cast<int64_t>(size);
  if (start < 0) start = std::max<int64_t>(start + length, 0);
  if (stop < 0) stop += length;
  stop = std::min(stop, length - 1);
  if (start > stop) return {};
  return {static_cast<size_t>(start), static_cast<size_t>(stop - start + 1)};
}

void PushToList(Call& call, const Key& key, EntryHolder& holder, ListEnd end,
                std::span<const std::string_view> values) {
  const types::ListOptions options = ListOptionsOf(call);
  if (holder.exists()) {
    List(holder, options).Push(end, values);
  } else {
    MakeList(call, key, holder, end, values, options);
  }
}

void FreeNodes(Call& call, types::NodeSequence&& nodes) {
  if (nodes.nodes() <= kManyNodes) return;
  call.services().control.Defer(
      [keep = std::make_shared<types::NodeSequence>(std::move(nodes))]() mutable { keep.reset(); });
}

void TakeFromList(Call& call, const Key& key, EntryHolder& holder, ListEnd end, size_t count) {
  List list(holder, ListOptionsOf(call));
  const size_t size = list.size();
  call.Changed(config::kNotifyList, end == ListEnd::kHead ? "lpop" : "rpop", key);
  call.MarkDirty(count - 1);
  if (count < size) return FreeNodes(call, list.Drop(end, count));
  DropCollection(call, key, holder);
}

}  // namespace cinnabar::commands
