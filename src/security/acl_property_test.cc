// Random users and random requests: the verdict is that of a model which goes through the whole history of
// rules for each question, and a user survives being printed and read.
#include <gtest/gtest.h>

#include <set>

#include "base/ascii.h"
#include "base/random.h"
#include "security/acl_check.h"
#include "security/acl_describe.h"
#include "security/acl_rules.h"

namespace cinnabar::security {
namespace {

using Reason = Verdict::Reason;

constexpr uint64_t kRead = 1, kWrite = 2, kSlow = 4;
constexpr CategoryName kCategories[] = {{kRead, "read"}, {kWrite, "write"}, {kSlow, "slow"}};
constexpr CommandFacts kCommands[] = {
    {.name = "get", .categories = kRead},
    {.name = "set", .categories = kWrite},
    {.name = "sort", .categories = kWrite | kSlow},
    {.name = "select", .categories = 0},
    {.name = "auth", .categories = kSlow, .gate = CommandFacts::Gate::kOpen},
    {.name = "box", .categories = kSlow},
    {.name = "box|a", .categories = kRead},
    {.name = "box|b", .categories = kWrite},
    {.name = "box|help", .categories = kSlow},
    {.name = "dusty", .categories = kRead | kWrite},
};

// A glob with `*` and `?` alone.
bool MatchesSome(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return MatchesSome(pattern.substr(1), text) || (!text.empty() && MatchesSome(pattern, text.substr(1)));
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         MatchesSome(pattern.substr(1), text.substr(1));
}

// No star describes an empty name.
bool Matches(std::string_view pattern, std::string_view text) {
  return text.empty() ? pattern.empty() : MatchesSome(pattern, text);
}

uint64_t BitOf(std::string_view category) {
  for (const CategoryName& row : kCategories) {
    if (row.name == category) return row.bit;
  }
  return 0;
}

// What one selector allows: its rules in the order in which they came.
struct ModelSelector {
  std::vector<std::string> rules;

  // Whether a rule about commands says something about this one.
  static bool Concerns(std::string_view rule, const CommandFacts& command) {
    const std::string_view container = command.name.substr(0, command.name.find('|'));
    const std::string_view what = rule.substr(1);
    if (what == "@all") return true;
    if (!what.starts_with('@')) return what == command.name || what == container;
    const uint64_t bit = BitOf(what.substr(1));
    uint64_t container_categories = 0;
    for (const CommandFacts& row : kCommands) {
      if (row.name == container) container_categories = row.categories;
    }
    return ((command.categories | container_categories) & bit) != 0;
  }

  bool MayRun(const CommandFacts& command, std::string_view argument) const {
    bool allowed = false;
    std::set<std::string> arguments;
    for (const std::string& rule : rules) {
      if (rule[0] != '+' && rule[0] != '-') continue;
      const std::string first = std::string("+") + std::string(command.name) + "|";
      if (rule.starts_with(first) && command.name != "box") {
        if (!allowed) arguments.insert(LowerCase(rule.substr(first.size())));
      } else if (Concerns(rule, command)) {
        allowed = rule[0] == '+';
        arguments.clear();
      }
    }
    return allowed || command.gate == CommandFacts::Gate::kOpen || arguments.contains(LowerCase(argument));
  }

  bool MayTouchKey(std::string_view key, uint8_t access) const {
    bool all = false;
    std::vector<std::pair<std::string, uint8_t>> patterns;
    for (const std::string& rule : rules) {
      if (rule == "resetkeys" || rule == "~*") {
        patterns.clear();
        all = rule == "~*";
      } else if (rule[0] == '~') {
        patterns.emplace_back(rule.substr(1), Access::kReadWrite);
      } else if (rule[0] == '%') {
        patterns.emplace_back(rule.substr(3), rule[1] == 'R' ? Access::kRead : Access::kWrite);
      }
    }
    for (const auto& [pattern, bits] : patterns) {
      // Rights on the same pattern add up.
      uint8_t together = 0;
      for (const auto& [other, other_bits] : patterns) together |= other == pattern ? other_bits : uint8_t{0};
      if ((together & access) == access && Matches(pattern, key)) return true;
    }
    return all;
  }

  bool MayUseChannel(std::string_view channel, ChannelUse use) const {
    bool may = false;
    for (const std::string& rule : rules) {
      if (rule == "resetchannels" || rule == "&*") may = rule == "&*";
      const std::string_view pattern = std::string_view(rule).substr(1);
      if (rule[0] == '&') may |= use == ChannelUse::kPattern ? pattern == channel : Matches(pattern, channel);
    }
    return may;
  }

  Verdict Check(const Attempt& attempt) const {
    const std::string_view argument = attempt.argv.size() < 2 ? "\xff" : attempt.argv[1];
    if (!MayRun(kCommands[attempt.command], argument)) return {Reason::kCommand, 0};
    for (const KeyArgument& key : attempt.keys) {
      if (!MayTouchKey(attempt.argv[key.index], key.access)) return {Reason::kKey, key.index};
    }
    for (const ChannelArgument& channel : attempt.channels) {
      if (!MayUseChannel(attempt.argv[channel.index], channel.use)) return {Reason::kChannel, channel.index};
    }
    return {};
  }
};

class AclPropertyTest : public testing::TestWithParam<uint64_t> {
 protected:
  template <size_t kSize>
  std::string Pick(const std::string_view (&texts)[kSize]) {
    return std::string(texts[random_.Uniform(kSize)]);
  }

  std::string RandomRule() {
    constexpr std::string_view kPatterns[] = {"a", "a*", "*b", "?", "x?y*", "", "*", "ab"};
    constexpr std::string_view kWords[] = {"+@all", "-@all", "~*", "resetkeys", "&*", "resetchannels"};
    constexpr std::string_view kNamed[] = {"@read", "@write", "@slow"};
    constexpr std::string_view kBeginnings[] = {"+get|a", "+select|0", "+select|A", "+sort|b", "+set|ab"};
    const std::string sign = random_.OneIn(2) ? "+" : "-";
    switch (random_.Uniform(7)) {
      case 0:
        return Pick(kWords);
      case 1:
        return sign + Pick(kNamed);
      case 2:
        return Pick(kBeginnings);
      case 3:
        return (random_.OneIn(2) ? "%R~" : "%W~") + Pick(kPatterns);
      case 4:
        return "~" + Pick(kPatterns);
      case 5:
        return "&" + Pick(kPatterns);
      default:
        return sign + std::string(kCommands[random_.Uniform(std::size(kCommands))].name);
    }
  }

  // Extends the user and the model. Rules that are refused go into neither.
  void Grow(User& user, std::vector<ModelSelector>& model) {
    if (random_.OneIn(5)) {
      std::string selector = "(";
      ModelSelector added;
      for (uint64_t i = random_.Uniform(4); i > 0; --i) {
        added.rules.push_back(RandomRule());
        selector += added.rules.back() + " ";
      }
      if (ApplyRule(user, selector + ")", context_) == RuleError::kNone) model.push_back(added);
      return;
    }
    const std::string rule = RandomRule();
    if (ApplyRule(user, rule, context_) == RuleError::kNone) model[0].rules.push_back(rule);
  }

  enum class Names : uint8_t { kAny, kNotEmpty };

  void Compare(const User& user, const std::vector<ModelSelector>& model, Names which) {
    constexpr std::string_view kNames[] = {"a", "ab", "b", "x1y", "", "zz", "*", "A", "0"};
    std::vector<std::string> names;
    for (int i = 0; i < 3; ++i) {
      names.push_back(Pick(kNames));
      if (which == Names::kNotEmpty && names.back().empty()) names.back() = "a";
    }
    std::vector<std::string_view> argv{"CMD"};
    for (uint64_t i = random_.Uniform(4); i > 0; --i) argv.push_back(names[i - 1]);
    std::vector<KeyArgument> keys;
    std::vector<ChannelArgument> channels;
    for (uint32_t i = 1; i < argv.size(); ++i) {
      if (random_.OneIn(2)) keys.push_back({i, static_cast<uint8_t>(random_.Uniform(4))});
      if (random_.OneIn(3))
        channels.push_back({i, random_.OneIn(2) ? ChannelUse::kName : ChannelUse::kPattern});
    }
    const Attempt attempt{static_cast<CommandId>(random_.Uniform(std::size(kCommands))), argv, keys,
                          channels};
    Verdict expected{Reason::kCommand, 0};
    for (const ModelSelector& selector : model) {
      const Verdict verdict = selector.Check(attempt);
      if (verdict.allowed()) {
        expected = verdict;
        break;
      }
      if (std::pair(verdict.reason, verdict.index) > std::pair(expected.reason, expected.index))
        expected = verdict;
    }
    EXPECT_EQ(Check(user, attempt), expected) << "seed " << GetParam() << ": " << UserLine(user);
  }

  Random random_{GetParam()};
  const CommandCatalog catalog_{kCommands, kCategories};
  const RuleContext context_{catalog_, ChannelDefault::kNone};
};

TEST_P(AclPropertyTest, AgreesWithTheModel) {
  for (int round = 0; round < 60; ++round) {
    User user("u", catalog_, ChannelDefault::kNone);
    std::vector<ModelSelector> model(1);
    for (uint64_t step = random_.Uniform(14); step > 0; --step) Grow(user, model);
    user.Seal();
    for (int check = 0; check < 20; ++check) Compare(user, model, Names::kAny);

    const std::vector<std::string> rules = UserRules(user);
    const std::vector<std::string_view> views(rules.begin(), rules.end());
    const auto again = ApplyRules(User("u", catalog_, ChannelDefault::kNone), views, context_);
    ASSERT_TRUE(again) << "seed " << GetParam() << ": " << again.error().reply;
    // %RW~* is written as ~*, as Redis writes it, and that gives the key "" too.
    for (int check = 0; check < 20; ++check) Compare(**again, model, Names::kNotEmpty);
    for (CommandId id = 0; id < catalog_.size(); ++id)
      EXPECT_EQ((*again)->root().Allows(id), user.root().Allows(id)) << UserLine(user);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AclPropertyTest, testing::Range(uint64_t{1}, uint64_t{41}));

}  // namespace
}  // namespace cinnabar::security
