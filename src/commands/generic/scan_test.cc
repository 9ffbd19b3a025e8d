// SCAN, KEYS, DBSIZE and RANDOMKEY over the tables of both layouts.
#include <gtest/gtest.h>

#include <set>

#include "commands/command_tables.h"
#include "dispatch/services_for_test.h"

namespace cinnabar::commands {
namespace {

std::vector<dispatch::CommandSpec> AllCommands() {
  std::vector<dispatch::CommandSpec> specs;
  for (std::span<const dispatch::CommandSpec> table : CommandTables())
    specs.insert(specs.end(), table.begin(), table.end());
  return specs;
}

class ScanTest : public dispatch::DispatchTest, public testing::WithParamInterface<keyspace::Layout> {
 protected:
  ScanTest() : DispatchTest(Specs(), GetParam()) {}

  static std::span<const dispatch::CommandSpec> Specs() {
    static const std::vector<dispatch::CommandSpec> all = AllCommands();
    return all;
  }

  void Put(const std::string& name) { EXPECT_EQ(Run({"SET", name, "v"}), "+OK\r\n"); }
  // The bulk strings of a reply.
  std::vector<std::string> Strings(const std::vector<std::string>& words) {
    const std::string reply = Run(words);
    std::vector<std::string> strings;
    for (size_t at = 0; at < reply.size();) {
      const size_t end = reply.find("\r\n", at);
      const size_t length = reply[at] == '$' ? std::stoul(reply.substr(at + 1, end - at - 1)) : 0;
      if (reply[at] == '$') strings.push_back(reply.substr(end + 2, length));
      at = reply[at] == '$' ? end + 2 + length + 2 : end + 2;
    }
    return strings;
  }
  // One step; the names that it gives go to `names`.
  std::string Scan(const std::string& cursor, std::multiset<std::string>& names) {
    std::vector<std::string> strings = Strings({"SCAN", cursor, "COUNT", "7"});
    names.insert(strings.begin() + 1, strings.end());
    return strings[0];
  }
};
INSTANTIATE_TEST_SUITE_P(Layouts, ScanTest,
                         testing::Values(keyspace::Layout::kByHash, keyspace::Layout::kBySlot));

TEST_P(ScanTest, WhatStaysIsFoundWhileTablesGrowAndShrink) {
  constexpr int kStay = 600, kPass = 4000;
  Random random(11);
  // A few full slots, and many with a key or none.
  const auto name = [&](std::string_view kind, int i) {
    const std::string tag = i % 2 == 0 ? "{t" + std::to_string(i % 6) + "}" : "";
    return tag + std::string(kind) + std::to_string(i);
  };
  for (int i = 0; i < kStay; ++i) Put(name("stay", i));
  std::multiset<std::string> seen;
  std::string cursor = "0";
  int passing = 0;
  bool growing = true;
  do {
    cursor = Scan(cursor, seen);
    for (int i = 0; i < 40; ++i) {
      if (growing) {
        Put(name("pass", passing++));
      } else if (passing > 0) {
        Run({"DEL", name("pass", --passing)});
      }
    }
    if (passing > kPass || random.OneIn(20)) growing = !growing;
    if (passing == 0) growing = true;
  } while (cursor != "0");
  for (int i = 0; i < kStay; ++i) EXPECT_TRUE(seen.contains(name("stay", i))) << i;
}

TEST_P(ScanTest, AQuietKeyspaceGivesEachKeyOnce) {
  std::multiset<std::string> expected, seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = (i % 3 == 0 ? "{tag}" : "") + std::to_string(i);
    Put(name);
    expected.insert(name);
  }
  std::string cursor = "0";
  do {
    cursor = Scan(cursor, seen);
  } while (cursor != "0");
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(Run({"DBSIZE"}), ":2000\r\n");
  const std::vector<std::string> drawn = Strings({"RANDOMKEY"});
  ASSERT_EQ(drawn.size(), 1u);
  EXPECT_TRUE(expected.contains(drawn[0]));
  Run({"MULTI"});
  Run({"KEYS", "*"});
  const std::vector<std::string> names = Strings({"EXEC"});
  EXPECT_EQ(std::multiset<std::string>(names.begin(), names.end()), expected);
}

TEST_P(ScanTest, AnEmptyKeyspaceIsScannedInOneStep) {
  std::multiset<std::string> seen;
  EXPECT_EQ(Scan("0", seen), "0");
  Put("k");
  Run({"DEL", "k"});
  EXPECT_EQ(Scan("0", seen), "0");
  EXPECT_EQ(Run({"RANDOMKEY"}), "$-1\r\n");
  EXPECT_TRUE(seen.empty());
}

}  // namespace
}  // namespace cinnabar::commands
