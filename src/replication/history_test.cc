#include "replication/history.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace cinnabar::replication {
namespace {

TEST(ReplicationId, IsFortyHexadecimalDigits) {
  Random random(1);
  const ReplicationId id = ReplicationId::New(random);
  EXPECT_EQ(id.text().size(), 40u);
  EXPECT_EQ(id.text().find_first_not_of("0123456789abcdef"), std::string_view::npos);
  EXPECT_FALSE(id.none());
  EXPECT_NE(id, ReplicationId::New(random));
  EXPECT_EQ(ReplicationId::Parse(id.text()), id);
  EXPECT_TRUE(ReplicationId().none());
}

TEST(ReplicationId, ParsesAnyCaseAndNothingElse) {
  const std::string lower(40, 'a'), upper(40, 'A');
  EXPECT_EQ(ReplicationId::Parse(upper), ReplicationId::Parse(lower));
  EXPECT_TRUE(ReplicationId::Parse(lower)->Matches(upper));
  EXPECT_FALSE(ReplicationId::Parse(lower)->Matches(upper.substr(1)));
  EXPECT_FALSE(ReplicationId::Parse(std::string(39, 'a')).has_value());
  EXPECT_FALSE(ReplicationId::Parse(std::string(41, 'a')).has_value());
  EXPECT_FALSE(ReplicationId::Parse(std::string(39, 'a') + "g").has_value());
  EXPECT_FALSE(ReplicationId::Parse("").has_value());
}

class HistoryTest : public ::testing::Test {
 protected:
  Random random_{7};
  ReplicationId a_ = ReplicationId::New(random_), b_ = ReplicationId::New(random_),
                c_ = ReplicationId::New(random_);
};

TEST_F(HistoryTest, ContinuesItsOwnIdAtAnyOffset) {
  const History history(a_);
  EXPECT_TRUE(history.CanContinue(a_.text(), 0));
  EXPECT_TRUE(history.CanContinue(a_.text(), 1'000'000));
  EXPECT_FALSE(history.CanContinue(b_.text(), 0));
  EXPECT_FALSE(history.CanContinue("?", 0));
  EXPECT_EQ(history.second_offset_for_info(), -1);
  // 40 zeros are what INFO shows for no id: nobody may continue them.
  EXPECT_FALSE(history.CanContinue(ReplicationId().text(), 0));
}

TEST_F(HistoryTest, ContinuesTheOldIdAsFarAsBothAgree) {
  History history(a_);
  history.Shift(b_, 100);
  EXPECT_EQ(history.id(), b_);
  EXPECT_EQ(history.second_id(), a_);
  EXPECT_EQ(history.second_offset(), 100u);
  EXPECT_EQ(history.second_offset_for_info(), 101);
  EXPECT_TRUE(history.CanContinue(a_.text(), 0));
  EXPECT_TRUE(history.CanContinue(a_.text(), 100));
  EXPECT_FALSE(history.CanContinue(a_.text(), 101));
  EXPECT_TRUE(history.CanContinue(b_.text(), 101));
  // Only one id back is known.
  history.Shift(c_, 150);
  EXPECT_FALSE(history.CanContinue(a_.text(), 50));
  EXPECT_TRUE(history.CanContinue(b_.text(), 150));
  EXPECT_FALSE(history.CanContinue(b_.text(), 151));
}

TEST_F(HistoryTest, ReplacingItForgetsThePast) {
  History history(a_);
  history.Shift(b_, 100);
  history.Replace(c_);
  EXPECT_FALSE(history.CanContinue(a_.text(), 1));
  EXPECT_FALSE(history.CanContinue(b_.text(), 1));
  EXPECT_EQ(history.second_offset(), std::nullopt);
  EXPECT_EQ(history, History(c_));
}

}  // namespace
}  // namespace cinnabar::replication
