#include "security/acl_selector.h"

#include <algorithm>

#include "base/ascii.h"

namespace cinnabar::security {

Selector::Selector(const CommandCatalog& catalog, ChannelDefault channels)
    : catalog_(&catalog),
      allowed_(catalog.size()),
      runnable_(catalog.size()),
      all_channels_(channels == ChannelDefault::kAll) {
  SetAllCommands(Grant::kDeny);
}

void Selector::SetBit(CommandId id, Grant grant) {
  allowed_.Set(id, grant);
  runnable_.Set(id, catalog_->open(id) ? Grant::kAllow : grant);
  if (grant == Grant::kDeny) all_commands_ = false;
}

void Selector::SetAllCommands(Grant grant) {
  for (CommandId id = 0; id < catalog_->size(); ++id) SetBit(id, grant);
  first_arguments_.clear();
  all_commands_ = allows_future_ = grant == Grant::kAllow;
}

void Selector::SetCommand(CommandId id, Grant grant) {
  SetBit(id, grant);
  for (CommandId sub : catalog_->subcommands(id)) SetBit(sub, grant);
  first_arguments_.erase(id);
}

void Selector::SetCategory(uint64_t categories, Grant grant) {
  for (CommandId id = 0; id < catalog_->size(); ++id) {
    if ((catalog_->categories(id) & categories) != 0) SetCommand(id, grant);
  }
}

void Selector::AllowFirstArgument(CommandId id, std::string_view argument) {
  if (Allows(id)) return;
  std::vector<std::string>& known = first_arguments_[id];
  for (const std::string& other : known) {
    if (SameWord(other, argument)) return;
  }
  known.emplace_back(argument);
}

std::span<const std::string> Selector::first_arguments(CommandId id) const {
  const auto found = first_arguments_.find(id);
  if (found == first_arguments_.end()) return {};
  return found->second;
}

void Selector::AllowAllKeys() {
  keys_.clear();
  all_keys_ = true;
}

void Selector::ForgetKeys() {
  keys_.clear();
  all_keys_ = false;
}

void Selector::AddKeys(std::string_view pattern, uint8_t access) {
  all_keys_ = false;
  const auto known = std::ranges::find(
      keys_, pattern, [](const KeyRule& rule) -> std::string_view { return rule.pattern.text(); });
  if (known == keys_.end()) {
    keys_.push_back({NamePattern(pattern), access});
  } else {
    known->access |= access;
  }
}

void Selector::AllowAllChannels() {
  channels_.clear();
  all_channels_ = true;
}

void Selector::ForgetChannels() {
  channels_.clear();
  all_channels_ = false;
}

void Selector::AddChannels(std::string_view pattern) {
  all_channels_ = false;
  if (!MayUseChannel(pattern, ChannelUse::kPattern)) channels_.emplace_back(pattern);
}

bool Selector::MayRunBeginning(CommandId id, std::span<const std::string_view> argv) const {
  if (argv.size() < 2) return false;
  return std::ranges::any_of(first_arguments(id),
                             [&](const std::string& argument) { return SameWord(argument, argv[1]); });
}

bool Selector::MayTouchKey(std::string_view key, uint8_t access) const {
  if (all_keys_) return true;
  const PreparedName name(key);
  for (const KeyRule& rule : keys_) {
    if ((rule.access & access) == access && rule.pattern.Matches(name)) return true;
  }
  return false;
}

bool Selector::MayTouchAllKeys(uint8_t access) const {
  return all_keys_ || std::ranges::any_of(keys_, [&](const KeyRule& rule) {
           return (rule.access & access) == access && rule.pattern.MatchesAll();
         });
}

bool Selector::MayUseChannel(std::string_view channel, ChannelUse use) const {
  if (all_channels_) return true;
  const PreparedName name(channel);
  return std::ranges::any_of(channels_, [&](const NamePattern& pattern) {
    return use == ChannelUse::kPattern ? pattern.text() == channel : pattern.Matches(name);
  });
}

}  // namespace cinnabar::security
