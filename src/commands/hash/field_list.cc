#include "commands/hash/field_list.h"

#include <fmt/format.h>

#include "base/numbers.h"

namespace cinnabar::commands {

using dispatch::Args;
using dispatch::Call;

FieldList TakeFields(const Call& call, Args& args, std::string_view bad_number, size_t words_per_field) {
  if (args.failed()) return {};
  if (!args.Take("FIELDS")) {
    args.Fail("ERR Mandatory argument FIELDS is missing or not at the right position");
    return {};
  }
  const auto number = ParseInt64(args.Next());
  if (!args.failed() && (!number || *number < 1)) args.Fail(bad_number);
  if (args.failed()) return {};
  const size_t words = args.left();
  if (words % words_per_field != 0 || static_cast<uint64_t>(*number) != words / words_per_field) {
    args.Fail(words_per_field == 1
                  ? "ERR The `numfields` parameter must match the number of arguments"
                  : fmt::format("ERR wrong number of arguments for '{}' command", args.command_name()));
    return {};
  }
  const FieldList fields = call.argv().subspan(args.position());
  args.Skip(words);
  return fields;
}

void PropagateFields(Call& call, std::initializer_list<std::string_view> head, FieldList fields) {
  const std::string number = Int64ToString(static_cast<int64_t>(fields.size()));
  std::vector<std::string_view> argv(head);
  argv.reserve(head.size() + 2 + fields.size());
  argv.insert(argv.end(), {"FIELDS", number});
  argv.insert(argv.end(), fields.begin(), fields.end());
  call.Propagate(argv);
}

void PropagateDeletion(Call& call, std::string_view key, FieldList fields) {
  std::vector<std::string_view> argv = {"HDEL", key};
  argv.insert(argv.end(), fields.begin(), fields.end());
  call.Propagate(argv);
}

}  // namespace cinnabar::commands
