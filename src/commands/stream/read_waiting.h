// XREAD and XREADGROUP while they wait, and what they share with those that do not.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "commands/stream/group_access.h"
#include "dispatch/blocking.h"

namespace cinnabar::commands {

bool HasEntriesAfter(const types::Stream& stream, types::StreamId after);
void ReplyEntriesAfter(protocol::ReplyWriter& reply, const types::Stream& stream, types::StreamId after,
                       uint64_t limit);

// Streams with their entries: a map from names, which was a list of pairs before RESP3.
class StreamsReply {
 public:
  enum class Size : uint8_t { kExact, kAtMost };
  // `streams`: how many there will be.
  StreamsReply(protocol::ReplyWriter& reply, size_t streams, Size size = Size::kExact);
  // Before the entries of each stream.
  static void Name(protocol::ReplyWriter& reply, std::string_view name);
  void End(size_t count);

 private:
  protocol::ReplyWriter& reply_;
  bool open_;
};

class ReadWaiting final : public dispatch::Waiting {
 public:
  explicit ReadWaiting(uint64_t limit) : limit_(limit) {}
  void ForGroup(std::string_view group, std::string_view consumer, GroupRead::Pending pending);
  // `after` does not matter to a group, which knows its own position.
  void Add(std::string_view key, types::StreamId after) { after_.try_emplace(std::string(key), after); }

  bool Serve(dispatch::Call& call, const keyspace::Key& key) override;
  bool wants_removals() const override { return for_group_; }

 private:
  bool ServeGroup(dispatch::Call& call, const keyspace::Key& key, types::Stream* stream,
                  const keyspace::EntryRef& entry);
  std::string GoneError(dispatch::Call& call, const keyspace::Key& key,
                        const keyspace::EntryRef& entry) const;

  uint64_t limit_;
  bool for_group_ = false;
  std::string group_;
  std::string consumer_;
  GroupRead::Pending pending_ = GroupRead::Pending::kKept;
  std::map<std::string, types::StreamId, std::less<>> after_;
};

}  // namespace cinnabar::commands
