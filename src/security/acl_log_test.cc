#include "security/acl_log.h"

#include <gtest/gtest.h>

namespace cinnabar::security {
namespace {

constexpr size_t kMany = 128;

Denial Of(std::string object, std::string client = "id=1") {
  return {DenialReason::kKey, DenialContext::kTopLevel, std::move(object), "u", std::move(client)};
}

std::string Show(const AclLog& log) {
  std::string shown;
  for (const DenialEntry& entry : log.Latest(kMany))
    shown += entry.denial.object + std::to_string(entry.count) + " ";
  return shown;
}

TEST(AclLogTest, EqualOnesAreCountedAndComeToTheFront) {
  AclLog log;
  for (std::string object : {"a", "b", "c"}) log.Add(Of(object), 1000, kMany);
  log.Add(Of("a", "id=2"), 1500, kMany);
  EXPECT_EQ(Show(log), "a2 c1 b1 ");
  const DenialEntry first = log.Latest(1)[0];
  EXPECT_EQ(first.denial.client_info, "id=2");
  EXPECT_EQ(first.id, 0);
  EXPECT_EQ(first.created, 1000);
  EXPECT_EQ(first.repeated, 1500);
  EXPECT_EQ(first.AgeSeconds(1750), 0.25);
}

TEST(AclLogTest, WhatMustBeEqual) {
  AclLog log;
  Denial denial = Of("a");
  log.Add(denial, 0, kMany);
  denial.context = DenialContext::kLua;
  log.Add(denial, 0, kMany);
  denial.reason = DenialReason::kCommand;
  log.Add(denial, 0, kMany);
  denial.username = "v";
  log.Add(denial, 0, kMany);
  EXPECT_EQ(log.size(), 4);
}

TEST(AclLogTest, AMinuteAtMost) {
  AclLog log;
  log.Add(Of("a"), 100'000, kMany);
  log.Add(Of("a"), 160'000, kMany);
  EXPECT_EQ(Show(log), "a2 ");
  log.Add(Of("a"), 220'001, kMany);  // counted from the last one
  EXPECT_EQ(Show(log), "a1 a2 ");
  log.Add(Of("a"), 90'000, kMany);  // the clock was set back
  EXPECT_EQ(Show(log), "a1 a1 a2 ");
}

TEST(AclLogTest, LooksBackTenEntries) {
  AclLog log;
  log.Add(Of("x"), 0, kMany);
  for (int i = 0; i < 9; ++i) log.Add(Of(std::string(1, static_cast<char>('a' + i))), 0, kMany);
  log.Add(Of("x"), 0, kMany);
  EXPECT_EQ(log.size(), 10);
  for (int i = 0; i < 10; ++i) log.Add(Of(std::string(1, static_cast<char>('A' + i))), 0, kMany);
  log.Add(Of("x"), 0, kMany);
  EXPECT_EQ(log.size(), 21);
}

TEST(AclLogTest, Limits) {
  AclLog log;
  for (int i = 0; i < 10; ++i) log.Add(Of(std::to_string(i) + "."), 0, 5);
  EXPECT_EQ(Show(log), "9.1 8.1 7.1 6.1 5.1 ");
  EXPECT_EQ(log.Latest(2).size(), 2);
  EXPECT_EQ(log.Latest(0).size(), 0);
  log.Add(Of("9."), 0, 3);  // only what is new trims
  EXPECT_EQ(log.size(), 5);
  log.Add(Of("new"), 0, 3);
  EXPECT_EQ(log.size(), 3);
  log.Add(Of("none"), 0, 0);
  EXPECT_EQ(log.size(), 0);
}

TEST(AclLogTest, Reset) {
  AclLog log;
  log.Add(Of("a"), 0, kMany);
  log.Reset();
  EXPECT_EQ(log.size(), 0);
  log.Add(Of("a"), 0, kMany);
  EXPECT_EQ(log.Latest(1)[0].id, 1);
}

TEST(AclLogTest, Names) {
  EXPECT_EQ(Name(DenialReason::kCommand), "command");
  EXPECT_EQ(Name(DenialReason::kKey), "key");
  EXPECT_EQ(Name(DenialReason::kChannel), "channel");
  EXPECT_EQ(Name(DenialReason::kAuth), "auth");
  EXPECT_EQ(Name(DenialContext::kTopLevel), "toplevel");
  EXPECT_EQ(Name(DenialContext::kMulti), "multi");
  EXPECT_EQ(Name(DenialContext::kLua), "lua");
  EXPECT_EQ(Name(DenialContext::kModule), "module");
}

}  // namespace
}  // namespace cinnabar::security
