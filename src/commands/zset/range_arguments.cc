#include "commands/zset/range_arguments.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/numbers.h"

namespace cinnabar::commands {

using dispatch::Args;
using types::Direction;
using types::MemberBound;
using types::RankRange;

namespace {

constexpr std::string_view kBadScoreRange = "ERR min or max is not a float";
constexpr std::string_view kBadMemberRange = "ERR min or max not valid string range item";

bool ParseScoreBound(std::string_view text, double& score, bool& excluded) {
  excluded = !text.empty() && text[0] == '(';
  if (excluded) text.remove_prefix(1);
  if (const auto number = ParseDouble(text)) [[likely]] {
    score = *number;
    return true;
  }
  // As strtod, for which nothing is zero and too much is infinite.
  const std::string copy(text);
  char* end = nullptr;
  score = std::strtod(copy.c_str(), &end);
  return end == copy.c_str() + copy.size() && !std::isnan(score);
}

bool ParseMemberBound(std::string_view text, MemberBound& bound) {
  if (text == "-") {
    bound = {.kind = MemberBound::Kind::kLowest};
  } else if (text == "+") {
    bound = {.kind = MemberBound::Kind::kHighest};
  } else if (!text.empty() && (text[0] == '(' || text[0] == '[')) {
    bound = {.excluded = text[0] == '(', .member = text.substr(1)};
  } else {
    return false;
  }
  return true;
}

// Cuts LIMIT out of a range that is walked in `direction`.
RankRange Limit(RankRange range, Direction direction, int64_t offset, int64_t limit) {
  if (offset < 0 || static_cast<uint64_t>(offset) >= range.count) return {};
  const auto skipped = static_cast<size_t>(offset);
  size_t count = range.count - skipped;
  if (limit >= 0) count = std::min(count, static_cast<size_t>(limit));
  const size_t first =
      direction == Direction::kUp ? range.first + skipped : range.first + range.count - skipped - count;
  return {first, count};
}

}  // namespace

RankRange RankBounds::Within(size_t size, Direction direction) const {
  const auto end = static_cast<int64_t>(size);
  const int64_t first = std::max<int64_t>(start < 0 ? start + end : start, 0);
  const int64_t last = std::min(stop < 0 ? stop + end : stop, end - 1);
  if (first > last) return {};
  const auto count = static_cast<size_t>(last - first + 1);
  return {static_cast<size_t>(direction == Direction::kUp ? first : end - 1 - last), count};
}

RankBounds TakeRankBounds(Args& args) {
  const int64_t start = args.Int();
  return {start, args.Int()};
}

types::ScoreRange ParseScoreRange(Args& args, std::string_view min, std::string_view max) {
  types::ScoreRange range;
  if (!ParseScoreBound(min, range.min, range.min_excluded) ||
      !ParseScoreBound(max, range.max, range.max_excluded)) {
    args.Fail(kBadScoreRange);
  }
  return range;
}

types::MemberRange ParseMemberRange(Args& args, std::string_view min, std::string_view max) {
  types::MemberRange range;
  if (!ParseMemberBound(min, range.min) || !ParseMemberBound(max, range.max)) args.Fail(kBadMemberRange);
  return range;
}

void RangeArguments::Take(Args& args, Purpose purpose) {
  std::string_view first = args.Next();
  std::string_view second = args.Next();
  while (args.more() && !args.failed()) {
    if (purpose == Purpose::kShow && args.Take("WITHSCORES")) {
      with_scores = true;
    } else if (args.TakeWith("LIMIT", 2)) {
      offset = args.Int();
      limit = args.Int();
    } else if (!direction && args.Take("REV")) {
      direction = Direction::kDown;
    } else if (by == By::kAny && args.Take("BYLEX")) {
      by = By::kMember;
    } else if (by == By::kAny && args.Take("BYSCORE")) {
      by = By::kScore;
    } else {
      args.FailSyntax();
    }
  }
  if (!direction) direction = Direction::kUp;
  if (by == By::kAny) by = By::kRank;
  if (limit != -1 && by == By::kRank) {
    args.Fail("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
  }
  if (with_scores && by == By::kMember) {
    args.Fail("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
  }
  if (args.failed()) return;
  if (by == By::kRank) {
    const auto start = ParseInt64(first), stop = ParseInt64(second);
    if (!start || !stop) return args.Fail("ERR value is not an integer or out of range");
    ranks = {*start, *stop};
    return;
  }
  if (direction == Direction::kDown) std::swap(first, second);
  if (by == By::kScore) {
    scores = ParseScoreRange(args, first, second);
  } else {
    members = ParseMemberRange(args, first, second);
  }
}

RankRange RangeArguments::Select(const types::SortedSet& set) const {
  switch (by) {
    case By::kScore:
      return Limit(set.RanksOf(scores), *direction, offset, limit);
    case By::kMember:
      return Limit(set.RanksOf(members), *direction, offset, limit);
    default:
      return ranks.Within(set.size(), *direction);
  }
}

}  // namespace cinnabar::commands
