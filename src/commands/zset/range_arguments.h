// How commands name a part of a sorted set: by ranks, by scores or by members.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dispatch/args.h"
#include "types/sorted_set.h"

namespace cinnabar::commands {

// Ranks as clients write them: negative ones count from the end, both ends belong to it.
struct RankBounds {
  int64_t start = 0;
  int64_t stop = -1;

  // Counted from the end of `direction`.
  types::RankRange Within(size_t size, types::Direction direction) const;
};

// The next two arguments as bounds; errors are kept in `args`.
RankBounds TakeRankBounds(dispatch::Args& args);
types::ScoreRange ParseScoreRange(dispatch::Args& args, std::string_view min, std::string_view max);
types::MemberRange ParseMemberRange(dispatch::Args& args, std::string_view min, std::string_view max);

// Everything that the ZRANGE family takes behind the key.
struct RangeArguments {
  enum class By : uint8_t { kAny, kRank, kScore, kMember } by = By::kAny;
  std::optional<types::Direction> direction;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;  // negative: none
  RankBounds ranks;
  types::ScoreRange scores;
  types::MemberRange members;

  // Reads the rest of the arguments; errors are kept in `args`. What is set already (`by`, `direction`)
  // cannot be chosen by the client. `storing`: there is nothing to show, so no WITHSCORES.
  enum class Purpose : uint8_t { kShow, kStore };
  void Take(dispatch::Args& args, Purpose purpose);

  // The selected ranks, to be walked in `direction`.
  types::RankRange Select(const types::SortedSet& set) const;
};

}  // namespace cinnabar::commands
