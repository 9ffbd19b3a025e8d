#include "dispatch/keys.h"

#include <gtest/gtest.h>

#include <span>

#include "dispatch/call.h"
#include "dispatch/registry.h"

namespace cinnabar::dispatch {
namespace {

void Nothing(Call&) {}

// The arguments that are keys, joined with blanks; "!" when they do not fit.
std::string KeysOf(std::initializer_list<KeySpec> specs, const std::vector<std::string_view>& argv) {
  CommandSpec spec{
      .name = "x", .summary = "s", .since = "1", .group = "generic", .arity = -1, .run = Nothing};
  size_t count = 0;
  for (const KeySpec& key : specs) spec.keys[count++] = key;
  const CommandSpec table[] = {spec};
  const std::span<const CommandSpec> tables[] = {table};
  const Registry registry(tables);
  std::vector<KeyPosition> positions;
  std::string shown = FindKeys(*registry.Find("x"), argv, positions) ? "" : "!";
  for (const KeyPosition& position : positions)
    shown += (shown.empty() ? "" : " ") + std::string(argv[position.index]);
  return shown;
}

TEST(FindKeys, Ranges) {
  EXPECT_EQ(KeysOf({OneKey(KeyUse::kRo)}, {"x", "a", "b"}), "a");
  EXPECT_EQ(KeysOf({OneKey(KeyUse::kRo, 2)}, {"x", "a", "b"}), "b");
  EXPECT_EQ(KeysOf({KeyRange(KeyUse::kRo, 1, -1)}, {"x", "a", "b", "c"}), "a b c");
  EXPECT_EQ(KeysOf({KeyRange(KeyUse::kRo, 1, -2)}, {"x", "a", "b", "c"}), "a b");
  EXPECT_EQ(KeysOf({KeyRange(KeyUse::kOw, 1, -1, 2)}, {"x", "a", "1", "b", "2"}), "a b");
  EXPECT_EQ(KeysOf({OneKey(KeyUse::kRw), OneKey(KeyUse::kRo, 2)}, {"x", "a", "b"}), "a b");
}

TEST(FindKeys, OddPairsStayInside) {
  EXPECT_EQ(KeysOf({KeyRange(KeyUse::kOw, 1, -1, 2)}, {"x", "a", "1", "b"}), "a b");
}

TEST(FindKeys, Counted) {
  const KeySpec counted{.use = KeyUse::kRo, .first = 1, .find = KeySpec::Find::kKeyNumber, .first_key = 1};
  EXPECT_EQ(KeysOf({counted}, {"x", "2", "a", "b", "c"}), "a b");
  EXPECT_EQ(KeysOf({counted}, {"x", "0", "a"}), "");
  EXPECT_EQ(KeysOf({counted}, {"x", "3", "a", "b"}), "!");
  EXPECT_EQ(KeysOf({counted}, {"x", "-1", "a"}), "!");
  EXPECT_EQ(KeysOf({counted}, {"x", "two", "a"}), "!");
  EXPECT_EQ(KeysOf({counted}, {"x", "9223372036854775807", "a"}), "!");
}

TEST(FindKeys, BehindAKeyword) {
  const KeySpec behind{.use = KeyUse::kRo, .first = 2, .keyword = "STREAMS", .last = -1, .limit = 2};
  EXPECT_EQ(KeysOf({behind}, {"x", "y", "streams", "a", "b", "1", "2"}), "a b");
  EXPECT_EQ(KeysOf({behind}, {"x", "y", "z"}), "");
  const KeySpec from_the_end{.use = KeyUse::kRo, .first = -2, .keyword = "KEYS", .last = -1};
  EXPECT_EQ(KeysOf({from_the_end}, {"x", "keys", "a", "b"}), "a b");
}

TEST(FindKeys, TooFewArgumentsAreNoKeys) {
  EXPECT_EQ(KeysOf({OneKey(KeyUse::kRo)}, {"x"}), "!");
  EXPECT_EQ(KeysOf({KeyRange(KeyUse::kRo, 2, -1)}, {"x", "a"}), "!");
}

}  // namespace
}  // namespace cinnabar::dispatch
