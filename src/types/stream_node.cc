#include "types/stream_node.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace cinnabar::types::stream_node {
namespace {

constexpr size_t kMinCapacity = 32;

// Lets the listpack functions change a node.
class NodeBytes final : public PackedBytes {
 public:
  explicit NodeBytes(StreamNode& node) : node_(node) {
    data_ = node.bytes;
    size_ = node.size;
  }
  ~NodeBytes() {
    node_.bytes = data_;
    node_.size = static_cast<uint32_t>(size_);
  }

  void Resize(size_t size) override {
    if (size > node_.capacity) Reserve(size);
    size_ = size;
  }
  void Reserve(size_t capacity) {
    data_ = static_cast<char*>(std::realloc(data_, capacity));
    CHECK(data_ != nullptr);
    node_.capacity = static_cast<uint32_t>(capacity);
  }

 private:
  StreamNode& node_;
};

int64_t Number(std::string_view pack, size_t position) {
  return listpack::Get(pack, position).integer;
}

Master ReadMaster(std::string_view pack) {
  size_t at = listpack::Next(pack, listpack::Next(pack, listpack::First(pack)));
  Master master{.fields = Number(pack, at)};
  master.first_field = at = listpack::Next(pack, at);
  for (int64_t i = 0; i <= master.fields; ++i) at = listpack::Next(pack, at);
  master.entries = at;
  return master;
}

bool SameFields(std::string_view pack, const Master& master, std::span<const std::string_view> pairs) {
  if (master.fields != static_cast<int64_t>(pairs.size() / 2)) return false;
  size_t at = master.first_field;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    if (!listpack::Equals(pack, at, pairs[i])) return false;
    at = listpack::Next(pack, at);
  }
  return true;
}

void AppendEntry(NodeBytes& bytes, StreamId base, StreamId id, std::span<const std::string_view> pairs,
                 EntryFlag same) {
  const auto fields = static_cast<int64_t>(pairs.size() / 2);
  listpack::AppendInteger(bytes, same);
  listpack::AppendInteger(bytes, static_cast<int64_t>(id.millis - base.millis));
  listpack::AppendInteger(bytes, static_cast<int64_t>(id.sequence - base.sequence));
  if (same == kSameFields) {
    for (size_t i = 1; i < pairs.size(); i += 2) listpack::Append(bytes, pairs[i]);
    listpack::AppendInteger(bytes, fields + 3);
  } else {
    listpack::AppendInteger(bytes, fields);
    for (std::string_view text : pairs) listpack::Append(bytes, text);
    listpack::AppendInteger(bytes, 2 * fields + 4);
  }
}

// Of an entry, or of master and entry: no element has more overhead than a string's 5 + 5 bytes.
size_t BytesAtMost(std::span<const std::string_view> pairs) {
  size_t bytes = 64;
  for (std::string_view text : pairs) bytes += text.size() + (text.size() < 64 ? 3 : 10);
  return bytes;
}

}  // namespace

StreamNode Create(StreamId id, std::span<const std::string_view> pairs) {
  StreamNode node{.id = id};
  {
    NodeBytes bytes(node);
    bytes.Reserve(BytesAtMost(pairs));
    bytes.Resize(listpack::kEmpty.size());
    std::memcpy(bytes.data(), listpack::kEmpty.data(), listpack::kEmpty.size());
    listpack::AppendInteger(bytes, 1);
    listpack::AppendInteger(bytes, 0);
    listpack::AppendInteger(bytes, static_cast<int64_t>(pairs.size() / 2));
    for (size_t i = 0; i < pairs.size(); i += 2) listpack::Append(bytes, pairs[i]);
    listpack::AppendInteger(bytes, 0);
    AppendEntry(bytes, id, id, pairs, kSameFields);
  }
  Close(node);
  return node;
}

StreamNode FromBytes(StreamId id, std::string_view bytes) {
  StreamNode node{.id = id};
  NodeBytes into(node);
  into.Resize(bytes.size());
  std::memcpy(into.data(), bytes.data(), bytes.size());
  return node;
}

StreamNode Clone(const StreamNode& node) {
  return FromBytes(node.id, node.view());
}

StreamNode WithoutDeleted(const StreamNode& node) {
  StreamNode made;
  const Reader reader(node);
  StreamEntry entry = reader.First();
  do {
    if (entry.deleted) continue;
    std::vector<std::string> texts;
    entry.ForEachPair([&](std::string_view field, std::string_view value) {
      texts.emplace_back(field);
      texts.emplace_back(value);
    });
    const std::vector<std::string_view> pairs(texts.begin(), texts.end());
    if (made.bytes == nullptr) {
      made = Create(entry.id, pairs);
    } else {
      Append(made, entry.id, pairs, {.bytes = 0, .entries = 0});
    }
  } while (reader.Next(entry));
  CHECK(made.bytes != nullptr);
  return made;
}

void Destroy(StreamNode& node) {
  std::free(node.bytes);
  node.bytes = nullptr;
}

bool HasRoom(const StreamNode& node, size_t bytes, const Limits& limits) {
  if (node.size + bytes >= kEntryBytesMax) return false;
  if (limits.bytes > 0 && node.size + bytes >= static_cast<size_t>(limits.bytes)) return false;
  if (limits.entries == 0) return true;
  const Counts counts = CountsOf(node.view());
  return counts.live + counts.deleted < limits.entries;
}

void Append(StreamNode& node, StreamId id, std::span<const std::string_view> pairs, const Limits& limits) {
  const Master master = ReadMaster(node.view());
  const EntryFlag same = SameFields(node.view(), master, pairs) ? kSameFields : EntryFlag{};
  const int64_t live = CountsOf(node.view()).live + 1;
  NodeBytes bytes(node);
  const size_t need = node.size + BytesAtMost(pairs);
  if (need > node.capacity) {
    // Doubling, but not beyond what the node may take.
    const auto most = limits.bytes > 0 ? static_cast<size_t>(limits.bytes) : need * 2;
    bytes.Reserve(std::max(need, std::min<size_t>(size_t{node.capacity} * 2, most)));
  }
  listpack::ReplaceInteger(bytes, listpack::First(bytes.view()), live);
  AppendEntry(bytes, node.id, id, pairs, same);
}

void Close(StreamNode& node) {
  if (node.capacity - node.size < kMinCapacity / 2) return;
  NodeBytes(node).Reserve(node.size);
}

Counts CountsOf(std::string_view pack) {
  const size_t live = listpack::First(pack);
  return {Number(pack, live), Number(pack, listpack::Next(pack, live))};
}

Reader::Reader(const StreamNode& node)
    : pack_(node.view()), base_(node.id), master_(ReadMaster(node.view())) {}

StreamEntry Reader::EntryAt(size_t begin) const {
  StreamEntry entry{.pack = pack_, .begin = begin};
  const int64_t flags = Number(pack_, begin);
  size_t at = listpack::Next(pack_, begin);
  entry.id.millis = base_.millis + static_cast<uint64_t>(Number(pack_, at));
  at = listpack::Next(pack_, at);
  entry.id.sequence = base_.sequence + static_cast<uint64_t>(Number(pack_, at));
  at = listpack::Next(pack_, at);
  entry.deleted = (flags & kDeleted) != 0;
  int64_t elements;
  if ((flags & kSameFields) != 0) {
    elements = entry.fields = master_.fields;
    entry.master_field = master_.first_field;
  } else {
    entry.fields = Number(pack_, at);
    elements = 2 * entry.fields;
    at = listpack::Next(pack_, at);
  }
  entry.first = at;
  while (elements-- > 0) at = listpack::Next(pack_, at);
  entry.after = listpack::Next(pack_, at);
  return entry;
}

StreamEntry Reader::EntryEndingAt(size_t back) const {
  size_t begin = back;
  for (int64_t i = Number(pack_, back); i > 0; --i) begin = listpack::Previous(pack_, begin);
  return EntryAt(begin);
}

void MarkDeleted(StreamNode& node, const StreamEntry& entry) {
  const Counts counts = CountsOf(node.view());
  NodeBytes bytes(node);
  listpack::ReplaceInteger(bytes, entry.begin, Number(bytes.view(), entry.begin) | kDeleted);
  const size_t live = listpack::ReplaceInteger(bytes, listpack::First(bytes.view()), counts.live - 1);
  listpack::ReplaceInteger(bytes, listpack::Next(bytes.view(), live), counts.deleted + 1);
}

namespace {

// Reads a listpack element by element, and stops at the first that is not what it should be.
class Checker {
 public:
  explicit Checker(std::string_view pack) : pack_(pack), at_(listpack::First(pack)) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == listpack::kEnd; }
  void Skip() {
    if (at_end()) ok_ = false;
    if (ok_) Advance();
  }
  int64_t Integer() {
    if (at_end()) ok_ = false;
    if (!ok_) return 0;
    const listpack::Element element = listpack::Get(pack_, at_);
    if (!element.is_integer) ok_ = false;
    Advance();
    return ok_ ? element.integer : 0;
  }
  int64_t IntegerFrom(int64_t least, int64_t most) {
    const int64_t number = Integer();
    if (number < least || number > most) ok_ = false;
    return ok_ ? number : 0;
  }
  size_t read() const { return read_; }

 private:
  void Advance() {
    at_ = listpack::Next(pack_, at_);
    ++read_;
  }

  std::string_view pack_;
  size_t at_;
  size_t read_ = 0;
  bool ok_ = true;
};

// Reads an entry. If it is live its id must follow that of the last live one. `newest` is the greatest id so
// far.
bool CheckEntry(Checker& in, StreamId base, int64_t master_fields, int64_t most,
                std::optional<StreamId>& newest, Contents& found) {
  const size_t begin = in.read();
  const int64_t flags = in.IntegerFrom(0, kDeleted | kSameFields);
  StreamId id;
  id.millis = base.millis + static_cast<uint64_t>(in.Integer());
  id.sequence = base.sequence + static_cast<uint64_t>(in.Integer());
  int64_t elements = master_fields;
  if ((flags & kSameFields) == 0) elements = 2 * in.IntegerFrom(0, most);
  for (; elements > 0 && in.ok(); --elements) in.Skip();
  const auto length = static_cast<int64_t>(in.read() - begin);
  in.IntegerFrom(length, length);
  if (!in.ok() || id < base) return false;
  if (newest && id <= *newest) found.ordered = false;
  newest = newest ? std::max(*newest, id) : id;
  if ((flags & kDeleted) != 0) {
    ++found.counts.deleted;
    return true;
  }
  if (found.counts.live > 0 && id <= found.last_live) return false;
  if (found.counts.live++ == 0) found.first_live = id;
  found.last_live = id;
  return true;
}

}  // namespace

std::optional<Contents> Valid(StreamId id, std::string_view bytes) {
  if (!listpack::Valid(bytes)) return std::nullopt;
  const auto most = static_cast<int64_t>(bytes.size());  // no count of anything is greater
  Checker in(bytes);
  Counts said;
  said.live = in.IntegerFrom(0, most);
  said.deleted = in.IntegerFrom(0, most);
  const int64_t fields = in.IntegerFrom(0, most);
  for (int64_t i = 0; i < fields && in.ok(); ++i) in.Skip();
  in.IntegerFrom(0, 0);
  if (!in.ok()) return std::nullopt;
  Contents found;
  std::optional<StreamId> newest;
  while (!in.at_end()) {
    if (!CheckEntry(in, id, fields, most, newest, found)) return std::nullopt;
  }
  if (found.counts.live != said.live || found.counts.deleted != said.deleted) return std::nullopt;
  return found;
}

}  // namespace cinnabar::types::stream_node
