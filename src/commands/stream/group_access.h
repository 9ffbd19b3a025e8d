// What the commands of consumer groups share: finding group and consumer, handing entries out, and the
// effects of that in the journal.
//
// A reader leaves no trace that its own command could repeat: the journal gets, for every entry, an XCLAIM
// with the time and the number of deliveries, and at last the position of the group.
#pragma once

#include <string>
#include <string_view>

#include "commands/stream/stream_key.h"

namespace cinnabar::commands {

// A group with its names, as effects need them.
struct NamedGroup {
  keyspace::Key key;
  std::string_view name;
  types::Stream* stream = nullptr;
  types::StreamGroup* group = nullptr;
};

// "NOGROUP No such key ... or consumer group ...", with `suffix` behind it.
std::string NoGroupError(std::string_view key, std::string_view group, std::string_view suffix = {});

// Opens the group named by the arguments 1 (the key) and 2. False when there is none; the error has been
// answered then.
enum class GroupUse : uint8_t { kRead, kWrite };
bool OpenGroup(dispatch::Call& call, GroupUse use, NamedGroup& group);

// The consumer of that name, made if there is none. Notes that it was seen.
types::StreamConsumer& SeeConsumer(dispatch::Call& call, const NamedGroup& group, std::string_view name);

// The state of a pending entry, for the journal.
void PropagateClaim(dispatch::Call& call, const NamedGroup& group, const types::PendingEntry& entry);
// The position of the group, for the journal.
void PropagatePosition(dispatch::Call& call, const NamedGroup& group);

// What XREADGROUP asks of one stream.
struct GroupRead {
  std::string_view consumer;
  uint64_t limit = 0;                                                      // 0: no limit
  enum class Pending : uint8_t { kKept, kNone } pending = Pending::kKept;  // kNone: NOACK
};

// Whether there is an entry that the group has not handed out.
bool HasNew(const types::Stream& stream, const types::StreamGroup& group);
// Hands out entries that nobody in the group has got yet, and answers with them. REQUIRES: HasNew.
void DeliverNew(dispatch::Call& call, const NamedGroup& group, const GroupRead& read);
// Hands out again what the consumer has pending after an id.
void DeliverPending(dispatch::Call& call, const NamedGroup& group, const GroupRead& read,
                    types::StreamId after);

}  // namespace cinnabar::commands
