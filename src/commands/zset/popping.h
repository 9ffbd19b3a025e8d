// What the popping commands share, whether they block or not.
#pragma once

#include <string_view>

#include "commands/zset/sorted_sets.h"
#include "dispatch/args.h"

namespace cinnabar::commands {

enum class End : uint8_t { kLowest, kHighest };

// How the popped members are answered.
enum class PopShape : uint8_t {
  kFlat,         // member, score, member, score ...
  kPairs,        // arrays of member and score in RESP3, flat in RESP2
  kKeyAndOne,    // the key, the member, its score
  kKeyAndPairs,  // the key, an array of arrays of member and score
};

// Pops up to `count` members, answers them, announces the change and states the effect. REQUIRES: count > 0,
// and the holder has a sorted set.
void PopMembers(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder, End end,
                size_t count, PopShape shape);

// The arguments `numkeys key... MIN|MAX [COUNT count]` of ZMPOP and BZMPOP.
struct MultiPop {
  size_t first_key = 0;  // position of the first key
  size_t keys = 0;
  End end = End::kLowest;
  size_t count = 1;

  // Errors are kept in `args`.
  static MultiPop Take(dispatch::Args& args);
};

}  // namespace cinnabar::commands
