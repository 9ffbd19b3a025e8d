// LCS: the longest common subsequence of two strings.
#include <algorithm>

#include "dispatch/args.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"
#include "structures/longest_common_subsequence.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::Entry;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

struct LcsOptions {
  bool length = false;
  bool ranges = false;
  bool with_lengths = false;
  int64_t least_length = 0;
};

LcsOptions ParseOptions(Args& args) {
  LcsOptions options;
  while (args.more() && !args.failed()) {
    if (args.Take("IDX")) {
      options.ranges = true;
    } else if (args.Take("LEN")) {
      options.length = true;
    } else if (args.Take("WITHMATCHLEN")) {
      options.with_lengths = true;
    } else if (args.TakeWith("MINMATCHLEN")) {
      options.least_length = std::max<int64_t>(args.Int(), 0);
    } else {
      args.FailSyntax();
    }
  }
  if (options.ranges && options.length) {
    args.Fail("ERR If you want both the length and indexes, please just use IDX.");
  }
  return options;
}

void ReplyPair(Call& call, uint32_t first, uint32_t last) {
  call.reply().Array(2);
  call.reply().Integer(first);
  call.reply().Integer(last);
}

void ReplyRanges(Call& call, const CommonSubsequence& common, const LcsOptions& options) {
  const auto shown = [&](const CommonRange& range) { return range.length() >= options.least_length; };
  call.reply().Map(2);
  call.reply().Bulk("matches");
  call.reply().Array(static_cast<size_t>(std::ranges::count_if(common.ranges, shown)));
  for (const CommonRange& range : common.ranges) {
    if (!shown(range)) continue;
    call.reply().Array(options.with_lengths ? 3 : 2);
    ReplyPair(call, range.a_first, range.a_last);
    ReplyPair(call, range.b_first, range.b_last);
    if (options.with_lengths) call.reply().Integer(range.length());
  }
  call.reply().Bulk("len");
  call.reply().Integer(common.length);
}

void Lcs(Call& call) {
  // Entries, not EntryRefs: a look-up that meets an expired key changes the table.
  const Entry* a = call.db().FindRead(call.key(1)).get();
  const Entry* b = call.db().FindRead(call.key(2)).get();
  for (const Entry* entry : {a, b}) {
    if (entry != nullptr && entry->type() != types::Type::kString) {
      return call.reply().Error("ERR The specified keys must contain string values");
    }
  }
  Args args(call, 3);
  const LcsOptions options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  keyspace::DigitScratch scratch_a, scratch_b;
  const std::string_view bytes_a = a != nullptr ? keyspace::StringBytes(*a, scratch_a) : std::string_view();
  const std::string_view bytes_b = b != nullptr ? keyspace::StringBytes(*b, scratch_b) : std::string_view();
  const auto detail = options.ranges   ? CommonSubsequenceDetail::kRanges
                      : options.length ? CommonSubsequenceDetail::kLength
                                       : CommonSubsequenceDetail::kText;
  const auto common = LongestCommonSubsequence(
      bytes_a, bytes_b, detail, static_cast<uint64_t>(call.settings().clients.proto_max_bulk_len_bytes));
  if (!common) {
    return call.reply().Error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  if (options.ranges) return ReplyRanges(call, *common, options);
  if (options.length) return call.reply().Integer(common->length);
  call.reply().Bulk(common->text);
}

constexpr CommandSpec kTable[] = {{
    .name = "lcs",
    .synopsis = "key1:key key2:key [LEN] [IDX] [MINMATCHLEN:integer len] [WITHMATCHLEN]",
    .summary = "Returns the longest common subsequence of two strings, its length, or where in both it lies.",
    .since = "7.0.0",
    .group = "string",
    .complexity = "O(N*M) where N and M are the lengths of the two strings",
    .arity = -3,
    .flags = Flag::kReadOnly,
    .keys = {dispatch::KeyRange(KeyUse::kRo | KeyUse::kAccess, 1, 1)},
    .run = Lcs,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kStringLcsCommands{kTable};

}  // namespace cinnabar::commands
