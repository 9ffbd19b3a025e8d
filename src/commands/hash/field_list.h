// `FIELDS numfields field [field ...]`, the form in which the commands on expiring fields name them, always
// at the end of the arguments.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/args.h"
#include "dispatch/call.h"

namespace cinnabar::commands {

using FieldList = std::span<const std::string_view>;

// What is said about a number that is none or below 1; three texts are in use.
inline constexpr std::string_view kFieldsAboveZero = "ERR Parameter `numFields` should be greater than 0";
inline constexpr std::string_view kPositiveFields = "ERR Number of fields must be a positive integer";
inline constexpr std::string_view kValidFields = "ERR invalid number of fields";

// Takes the word FIELDS and all that is left. Errors are kept in `args`. With `words_per_field` 2 each field
// is followed by a value.
FieldList TakeFields(const dispatch::Call& call, dispatch::Args& args, std::string_view bad_number,
                     size_t words_per_field = 1);

inline void ReplyNulls(protocol::ReplyWriter& reply, size_t count) {
  reply.Array(count);
  for (size_t i = 0; i < count; ++i) reply.Null();
}

// Puts `HEAD... FIELDS n field...` into the journal.
void PropagateFields(dispatch::Call& call, std::initializer_list<std::string_view> head, FieldList fields);
// Puts `HDEL key field...` into the journal.
void PropagateDeletion(dispatch::Call& call, std::string_view key, FieldList fields);

}  // namespace cinnabar::commands
