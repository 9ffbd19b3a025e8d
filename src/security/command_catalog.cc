#include "security/command_catalog.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/check.h"

namespace cinnabar::security {

CommandCatalog::CommandCatalog(std::span<const CommandFacts> commands,
                               std::span<const CategoryName> categories)
    : facts_(commands.begin(), commands.end()),
      categories_(categories.begin(), categories.end()),
      is_subcommand_(commands.size()),
      subcommands_(commands.size()) {
  for (CommandId id = 0; id < facts_.size(); ++id) {
    CHECK(ids_.emplace(facts_[id].name, id).second);
    by_name_.push_back(id);
  }
  std::ranges::sort(by_name_, {}, [&](CommandId id) { return facts_[id].name; });
  for (CommandId id : by_name_) {
    const size_t bar = facts_[id].name.find('|');
    if (bar == std::string_view::npos) continue;
    const auto container = ids_.find(facts_[id].name.substr(0, bar));
    CHECK(container != ids_.end());
    subcommands_[container->second].push_back(id);
    is_subcommand_[id] = true;
  }
}

CommandId CommandCatalog::Find(std::string_view name) const {
  const std::string lower = LowerCase(name);
  const auto found = ids_.find(lower);
  return found == ids_.end() ? kNoCommand : found->second;
}

uint64_t CommandCatalog::FindCategory(std::string_view name) const {
  for (const CategoryName& category : categories_) {
    if (SameWord(category.name, name)) return category.bit;
  }
  return 0;
}

}  // namespace cinnabar::security
