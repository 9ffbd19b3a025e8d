// What the commands on sorted sets share: their settings, and how members and scores look in replies.
#pragma once

#include <string_view>

#include "commands/collection.h"
#include "types/sorted_set.h"

namespace cinnabar::commands {

inline types::PackLimits SortedSetLimits(const dispatch::Call& call) {
  const config::Encoding& encoding = call.settings().encoding;
  return {.entries = encoding.zset_max_listpack_entries,
          .value_bytes = encoding.zset_max_listpack_value_bytes};
}

// Opens the sorted set at a key; false when the key holds another type, which has been answered.
inline bool OpenSortedSetToRead(dispatch::Call& call, const keyspace::Key& key,
                                keyspace::EntryHolder& holder) {
  return OpenToRead(call, key, types::Type::kSortedSet, holder);
}
inline bool OpenSortedSetToWrite(dispatch::Call& call, const keyspace::Key& key,
                                 keyspace::EntryHolder& holder) {
  return OpenToWrite(call, key, types::Type::kSortedSet, holder);
}

enum class Scores : uint8_t { kWithout, kWith };

// An array of members, or of members with scores: pairs in RESP3, one flat array in RESP2.
class MembersReply {
 public:
  MembersReply(protocol::ReplyWriter& reply, size_t count, Scores scores)
      : reply_(reply),
        with_scores_(scores == Scores::kWith),
        in_pairs_(reply.version() == protocol::Resp::k3) {
    reply_.Array(with_scores_ && !in_pairs_ ? count * 2 : count);
  }
  void Add(std::string_view member, double score) {
    if (!with_scores_) return reply_.Bulk(member);
    if (in_pairs_) reply_.Array(2);
    reply_.Bulk(member);
    reply_.Double(score);
  }

 private:
  protocol::ReplyWriter& reply_;
  bool with_scores_;
  bool in_pairs_;
};

inline void ReplyEmptyArray(dispatch::Call& call) {
  call.reply().Array(0);
}

// Erases ranks of the sorted set at a key, says what happened, and removes the key with its last member.
// REQUIRES: range.count > 0.
void EraseMembers(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder,
                  const types::RankRange& range, std::string_view event);

// Puts the members in the place of what the key held, or removes that if there are none, and announces
// `event`. Returns their number.
size_t StoreSortedSet(dispatch::Call& call, const keyspace::Key& key, types::SortedSetBuilder& members,
                      std::string_view event);

}  // namespace cinnabar::commands
