#include "persistence/aof_check.h"

#include <gtest/gtest.h>

#include <string>

namespace cinnabar::persistence {
namespace {

using Outcome = AofCheck::Result::Outcome;

const std::string kPing = "*1\r\n$4\r\nPING\r\n";
const std::string kMulti = "*1\r\n$5\r\nMULTI\r\n";
const std::string kExec = "*1\r\n$4\r\nEXEC\r\n";

AofCheck::Result Check(std::string_view bytes, std::optional<int64_t> until = std::nullopt) {
  AofCheck check;
  return check.Check(bytes, 0, until, "a.aof");
}

TEST(AofCheck, WholeCommandsAndTransactions) {
  const std::string file = "#TS:1\r\n" + kPing + kMulti + kPing + kExec;
  AofCheck check;
  const auto result = check.Check(file, 0, std::nullopt, "a.aof");
  EXPECT_EQ(result.whole, file.size());
  EXPECT_EQ(result.commands, 4u);
  EXPECT_EQ(result.fault, "");
  EXPECT_EQ(check.line(), 13);
}

TEST(AofCheck, EveryCutIsFoundAtTheLastWholeCommand) {
  const std::string file = kPing + kMulti + kPing + kExec + kPing;
  const size_t transaction_end = file.size() - kPing.size();
  for (size_t size = 1; size < file.size(); ++size) {
    const auto result = Check(std::string_view(file).substr(0, size));
    const size_t want = size < kPing.size() ? 0 : size < transaction_end ? kPing.size() : transaction_end;
    EXPECT_EQ(result.whole, want) << size;
  }
}

TEST(AofCheck, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(Check(kPing + "*1\r\n$4\r\nPI").fault,
            "0x              16: Expected to read 6 bytes, got 2 bytes");
  EXPECT_EQ(Check("*1\r\n+4\r\n").fault, "0x               4: Expected prefix '$', got: '+'");
  EXPECT_EQ(Check("*x\r\n").fault, "0x               0: Expected \\r\\n, got: 780d");
  EXPECT_EQ(Check(kMulti).fault, "0x               8: Reached EOF before reading EXEC for MULTI");
  EXPECT_EQ(Check(kExec).fault, "0x               8: Unexpected EXEC in AOF a.aof");
  EXPECT_TRUE(Check(kPing + "garbage").bad_record);
}

TEST(AofCheck, EndsBeforeALaterMomentAndNeverWithinATransaction) {
  const std::string file = "#TS:10\r\n" + kPing + kMulti + "#TS:20\r\n" + kExec;
  const auto result = Check(file, 15);
  EXPECT_EQ(result.outcome, Outcome::kLater);
  EXPECT_EQ(result.whole, 8 + kPing.size());
  EXPECT_EQ(Check(file, 20).outcome, Outcome::kRead);
  EXPECT_EQ(Check("#TS:x\r\n", 20).outcome, Outcome::kBadAnnotation);
}

}  // namespace
}  // namespace cinnabar::persistence
