// What the commands of lists share: the settings of the server as the type wants them, elements as replies,
// and the taking of elements from one end, with all that is announced.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/collection.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "types/list.h"

namespace cinnabar::commands {

inline types::ListOptions ListOptionsOf(const dispatch::Call& call) {
  const config::Encoding& settings = call.settings().encoding;
  return {.node_size = settings.list_max_listpack_size,
          .compress_depth = static_cast<size_t>(settings.list_compress_depth),
          .plain_from = call.services().debug.list_plain_from};
}

inline void ReplyElement(protocol::ReplyWriter& reply, const listpack::Element& element) {
  if (element.is_integer) {
    reply.BulkInteger(element.integer);
  } else {
    reply.Bulk(element.bytes);
  }
}

// A number of at least `least`; the error stands for everything else.
inline size_t TakeCount(dispatch::Args& args, int64_t least, std::string_view error) {
  const auto count = ParseInt64(args.Next());
  if (!args.failed() && (!count || *count < least)) args.Fail(error);
  return args.failed() ? 0 : static_cast<size_t>(*count);
}

// "LEFT" and "RIGHT"; a syntax error for anything else.
types::ListEnd TakeListEnd(dispatch::Args& args);
std::string_view NameOf(types::ListEnd end);  // as TakeListEnd reads it

// Counts from the end if negative. Nothing when it is outside.
inline std::optional<size_t> ResolveIndex(int64_t index, size_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || static_cast<size_t>(index) >= size) return std::nullopt;
  return static_cast<size_t>(index);
}

// A range as LRANGE and LTRIM name it: both ends included, negative ones counted from the end, and what lies
// outside cut off.
struct ListRange {
  size_t first = 0;
  size_t count = 0;
};
ListRange ResolveRange(int64_t start, int64_t stop, size_t size);

// Pushes to the list at the key, or to a new one. `holder` is what the key holds. The caller says what
// changed.
void PushToList(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder,
                types::ListEnd end, std::span<const std::string_view> values);

// Takes `count` elements from one end (1 <= count <= size) and says so; the key goes with the last. The
// caller has visited them.
void TakeFromList(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder,
                  types::ListEnd end, size_t count);

// Frees nodes that were cut off: many of them on a worker thread.
void FreeNodes(dispatch::Call& call, types::NodeSequence&& nodes);

inline std::string_view PushEvent(types::ListEnd end) {
  return end == types::ListEnd::kHead ? "lpush" : "rpush";
}

// The command that pops from this end: what others that do so propagate as.
inline std::string_view PopName(types::ListEnd end) {
  return end == types::ListEnd::kHead ? "LPOP" : "RPOP";
}

}  // namespace cinnabar::commands
