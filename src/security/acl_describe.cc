#include "security/acl_describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/quote.h"

namespace cinnabar::security {
namespace {

struct Tally {
  size_t allowed = 0;
  size_t denied = 0;
};

Tally Count(const Selector& selector, uint64_t category) {
  Tally tally;
  const CommandCatalog& catalog = selector.catalog();
  for (CommandId id = 0; id < catalog.size(); ++id) {
    if ((catalog.categories(id) & category) == 0) continue;
    ++(selector.Allows(id) ? tally.allowed : tally.denied);
  }
  return tally;
}

char Sign(Grant grant) {
  return grant == Grant::kAllow ? '+' : '-';
}

// Finds rules for what one selector allows. `built_` is what the rules so far allow; in `left_` the
// categories that they name are undone, so that no command counts for two categories.
class RuleWriter {
 public:
  explicit RuleWriter(const Selector& wanted)
      : wanted_(wanted),
        left_(wanted),
        built_(wanted.catalog(), ChannelDefault::kNone),
        grant_(wanted.allows_future_commands() ? Grant::kDeny : Grant::kAllow) {
    built_.SetAllCommands(grant_ == Grant::kAllow ? Grant::kDeny : Grant::kAllow);
    rules_.emplace_back(grant_ == Grant::kAllow ? "-@all" : "+@all");
  }

  std::vector<std::string> Write() && {
    std::vector<CategoryName> open(wanted_.catalog().category_names().begin(),
                                   wanted_.catalog().category_names().end());
    while (const std::optional<size_t> best = BestCategory(open)) {
      rules_.push_back(fmt::format("{}@{}", Sign(grant_), open[*best].name));
      built_.SetCategory(open[*best].bit, grant_);
      left_.SetCategory(open[*best].bit, grant_ == Grant::kAllow ? Grant::kDeny : Grant::kAllow);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(*best));
    }
    for (CommandId id : wanted_.catalog().by_name()) WriteCommand(id);
    return std::move(rules_);
  }

 private:
  // The category with the fewest commands that would have to be taken back one by one, and of those the one
  // that says most. Nothing when every category would say more wrong than right.
  std::optional<size_t> BestCategory(std::span<const CategoryName> categories) const {
    std::optional<size_t> best;
    size_t best_right = 0;
    size_t best_wrong = 0;
    for (size_t i = 0; i < categories.size(); ++i) {
      const Tally tally = Count(left_, categories[i].bit);
      const size_t right = grant_ == Grant::kAllow ? tally.allowed : tally.denied;
      const size_t wrong = grant_ == Grant::kAllow ? tally.denied : tally.allowed;
      if (right <= wrong) continue;
      if (best && (wrong > best_wrong || (wrong == best_wrong && right <= best_right))) continue;
      best = i;
      best_right = right;
      best_wrong = wrong;
    }
    return best;
  }

  void WriteCommand(CommandId id) {
    const std::string_view name = wanted_.catalog().name(id);
    if (wanted_.Allows(id) != built_.Allows(id)) {
      const Grant grant = wanted_.Allows(id) ? Grant::kAllow : Grant::kDeny;
      rules_.push_back(fmt::format("{}{}", Sign(grant), name));
      built_.SetCommand(id, grant);
    }
    for (const std::string& argument : wanted_.first_arguments(id))
      rules_.push_back(fmt::format("+{}|{}", name, argument));
  }

  const Selector& wanted_;
  Selector left_;
  Selector built_;
  const Grant grant_;  // what the rules do beyond the first
  std::vector<std::string> rules_;
};

std::string_view AccessPrefix(uint8_t access) {
  return access == Access::kReadWrite ? "%RW~" : access == Access::kRead ? "%R~" : "%W~";
}

std::vector<std::string> KeyRules(const Selector& selector) {
  if (selector.all_keys()) return {"~*"};
  std::vector<std::string> rules;
  for (const KeyRule& rule : selector.keys()) {
    // "~*" would let no other pattern follow.
    const bool last = &rule == &selector.keys().back();
    const bool plain = rule.access == Access::kReadWrite && (last || !rule.pattern.MatchesAll());
    rules.push_back(fmt::format("{}{}", plain ? "~" : AccessPrefix(rule.access), rule.pattern.text()));
  }
  return rules;
}

std::vector<std::string> ChannelRules(const Selector& selector) {
  if (selector.all_channels()) return {"&*"};
  std::vector<std::string> rules;
  for (const NamePattern& pattern : selector.channels()) rules.push_back("&" + pattern.text());
  return rules;
}

SelectorDetails DescribeSelector(const Selector& selector) {
  return {.commands = fmt::format("{}", fmt::join(CommandRules(selector), " ")),
          .keys = fmt::format("{}", fmt::join(KeyRules(selector), " ")),
          .channels = fmt::format("{}", fmt::join(ChannelRules(selector), " "))};
}

std::vector<std::string> SelectorRules(const Selector& selector) {
  std::vector<std::string> rules = KeyRules(selector);
  if (!selector.all_channels()) rules.emplace_back("resetchannels");
  std::ranges::move(ChannelRules(selector), std::back_inserter(rules));
  std::ranges::move(CommandRules(selector), std::back_inserter(rules));
  return rules;
}

// A selector in parentheses. Its words are split with regard to quotes, and a parenthesis at the end of a
// word would close it.
std::string Parenthesized(const Selector& selector) {
  std::vector<std::string> rules = SelectorRules(selector);
  for (std::string& rule : rules) {
    if (rule.find_first_of("\"'") != std::string::npos || rule.ends_with(')')) rule = Quoted(rule);
  }
  return fmt::format("({})", fmt::join(rules, " "));
}

std::vector<std::string> Flags(const User& user) {
  std::vector<std::string> flags{user.enabled() ? "on" : "off"};
  if (user.needs_no_password()) flags.emplace_back("nopass");
  if (user.payloads() == Payloads::kSkip) flags.emplace_back("skip-sanitize-payload");
  if (user.payloads() == Payloads::kSanitize) flags.emplace_back("sanitize-payload");
  return flags;
}

}  // namespace

std::vector<std::string> CommandRules(const Selector& selector) {
  return RuleWriter(selector).Write();
}

UserDetails DescribeUser(const User& user) {
  UserDetails details;
  details.flags = Flags(user);
  details.passwords.assign(user.password_hashes().begin(), user.password_hashes().end());
  details.root = DescribeSelector(user.root());
  for (const Selector& selector : user.selectors().subspan(1))
    details.selectors.push_back(DescribeSelector(selector));
  return details;
}

std::vector<std::string> UserRules(const User& user) {
  std::vector<std::string> rules = Flags(user);
  for (const std::string& hash : user.password_hashes()) rules.push_back("#" + hash);
  std::ranges::move(SelectorRules(user.root()), std::back_inserter(rules));
  for (const Selector& selector : user.selectors().subspan(1)) rules.push_back(Parenthesized(selector));
  return rules;
}

std::string UserLine(const User& user) {
  return fmt::format("user {} {}", user.name(), fmt::join(UserRules(user), " "));
}

}  // namespace cinnabar::security
