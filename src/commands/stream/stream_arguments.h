// Arguments that several stream commands take: ids, the ends of ranges, and how to trim.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "config/settings.h"
#include "dispatch/args.h"
#include "types/stream.h"

namespace cinnabar::commands {

// The next argument as an id. "-" and "+" are none.
types::StreamId TakeStreamId(dispatch::Args& args, uint64_t missing_sequence = 0);

// The ends of a range: an id, "(" and an id, "-" or "+".
types::StreamId TakeRangeStart(dispatch::Args& args);
types::StreamId TakeRangeEnd(dispatch::Args& args);

// All arguments from `first` on as ids. The error, if any, has been answered, and there is nothing then.
std::optional<std::vector<types::StreamId>> AllStreamIds(dispatch::Call& call, size_t first);

// MAXLEN or MINID with their = or ~, and LIMIT.
class TrimOption {
 public:
  // Consumes one of these options with its values. False when something else is next.
  bool Take(dispatch::Args& args);
  // Once all options were read: refuses what does not go together, and decides how much work is too much.
  void Check(dispatch::Args& args, const config::Encoding& settings);

  bool given() const { return given_; }
  bool approximate() const { return trim_.precision == types::StreamTrim::Precision::kNodes; }
  const types::StreamTrim& trim() const { return trim_; }

 private:
  void TakePrecision(dispatch::Args& args);
  void TakeStrategy(types::StreamTrim::By by, dispatch::Args& args);

  types::StreamTrim trim_;
  bool given_ = false;
  bool limit_given_ = false;
};

// What a trim that was only approximate has come to, as exact options (two words) for the journal.
struct ExactTrim {
  std::string_view option;
  std::string threshold;
};
ExactTrim ExactTrimOf(const types::Stream& stream, const types::StreamTrim& trim);

}  // namespace cinnabar::commands
