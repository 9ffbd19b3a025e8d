// What access rules need to know of the commands: their names, which category holds which, and which belong
// to one container. The dispatcher states the facts once at start-up; security looks them up here and never
// upwards.
//
//   id        0    1       2           3           4
//   name      get  config  config|get  config|set  select        as many ids as the registry has
//   category  read slow    admin       admin       fast          bits, named by CategoryName
//
// A command without subcommands may be allowed by its first argument (`+select|0`); of a container the same
// form means the subcommand.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cinnabar::security {

using CommandId = uint32_t;
inline constexpr CommandId kNoCommand = std::numeric_limits<CommandId>::max();

struct CommandFacts {
  std::string_view name;    // in full and in lower case: "get", "config|get"
  uint64_t categories = 0;  // bits as in CategoryName
  // Open commands are everybody's, whatever the rules say: AUTH, HELLO, QUIT, RESET.
  enum class Gate : uint8_t { kRules, kOpen } gate = Gate::kRules;
};

struct CategoryName {
  uint64_t bit = 0;
  std::string_view name;  // lower case, without the @
};

// Immutable; may be read on any thread.
class CommandCatalog {
 public:
  // A command's id is its place in `commands`. The names must outlive the catalog. REQUIRES: every "x|y" has
  // an "x".
  CommandCatalog(std::span<const CommandFacts> commands, std::span<const CategoryName> categories);

  size_t size() const { return facts_.size(); }
  // By full name in any case; kNoCommand when there is none.
  CommandId Find(std::string_view name) const;
  // 0 when there is no such category. The name may have any case.
  uint64_t FindCategory(std::string_view name) const;

  std::string_view name(CommandId id) const { return facts_[id].name; }
  uint64_t categories(CommandId id) const { return facts_[id].categories; }
  bool open(CommandId id) const { return facts_[id].gate == CommandFacts::Gate::kOpen; }
  bool is_subcommand(CommandId id) const { return is_subcommand_[id]; }
  std::span<const CommandId> subcommands(CommandId id) const { return subcommands_[id]; }
  // All ids in the order of their names: a container stands before its subcommands.
  std::span<const CommandId> by_name() const { return by_name_; }
  std::span<const CategoryName> category_names() const { return categories_; }

 private:
  std::vector<CommandFacts> facts_;
  std::vector<CategoryName> categories_;
  std::vector<bool> is_subcommand_;
  std::vector<std::vector<CommandId>> subcommands_;
  std::vector<CommandId> by_name_;
  std::unordered_map<std::string_view, CommandId> ids_;
};

}  // namespace cinnabar::security
