#include "simulator/data_set.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "protocol/encode_command.h"
#include "simulator/truth.h"

namespace cinnabar::simulator {
namespace {

std::string Encoded(std::initializer_list<std::string_view> words) {
  std::string text;
  protocol::EncodeCommand(std::span<const std::string_view>(words.begin(), words.size()), text);
  return text;
}

TEST(DataSet, ComesBackFromItsBytes) {
  DataSet data;
  StreamApplier applier;
  applier.Feed(Encoded({"SET", "a", "1 2"}) + Encoded({"SELECT", "1"}) + Encoded({"INCR", "n"}) +
               Encoded({"APPEND", "s", ""}));
  EXPECT_FALSE(applier.ApplyTo(data, 100).damaged);
  const auto back = DataSet::Parse(data.Serialize());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->mark(), data.mark());
  EXPECT_EQ(back->entries(), data.entries());
  EXPECT_EQ(back->database(), 1);
  const std::string bytes = data.Serialize();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(DataSet::Parse(bytes.substr(0, size)).has_value());
}

TEST(StreamApplier, AppliesWholeTransactionsOnly) {
  DataSet data;
  StreamApplier applier;
  const std::string before = Encoded({"SET", "a", "1"});
  const std::string transaction =
      Encoded({"MULTI"}) + Encoded({"SET", "a", "2"}) + Encoded({"SET", "b", "2"}) + Encoded({"EXEC"});
  const std::string text = before + transaction;
  std::string applied;
  for (size_t i = 0; i < text.size(); ++i) {
    applier.Feed(text.substr(i, 1));
    applied += applier.ApplyTo(data, 5).bytes;
    EXPECT_EQ(data.entries().contains({0, "b"}), i + 1 == text.size());
    EXPECT_EQ(applied.size(), i + 1 < before.size() ? 0 : i + 1 < text.size() ? before.size() : text.size());
  }
  EXPECT_TRUE(applier.empty());
}

TEST(StreamApplier, NoticesWhatIsNoStream) {
  for (const std::string& text : {std::string("nonsense\r\n"), Encoded({"GET", "a"}), std::string("\r\n"),
                                  std::string("*1\r\n:1\r\n"), Encoded({"SELECT", "7"})}) {
    DataSet data;
    StreamApplier applier;
    applier.Feed(text);
    EXPECT_TRUE(applier.ApplyTo(data, 5).damaged) << text;
  }
}

TEST(Truth, KnowsWhichStateBelongsToWhichHistory) {
  cinnabar::Random random(1);
  const ReplicationId a = ReplicationId::New(random), b = ReplicationId::New(random),
                      c = ReplicationId::New(random);
  Truth truth;
  truth.AddRoot(a, 0, {1, 1}, {});
  truth.AddBorder(a, 10, {2, 2});
  truth.AddBranch(b, a, 10);
  truth.AddBorder(a, 20, {3, 3});
  truth.AddBorder(b, 20, {4, 4});
  EXPECT_EQ(truth.At(b, 10), truth.At(a, 10));
  EXPECT_EQ(truth.At(b, 20), (StateMark{4, 4}));
  EXPECT_EQ(truth.At(b, 15), std::nullopt);
  EXPECT_EQ(truth.At(c, 0), std::nullopt);
  EXPECT_TRUE(truth.Contains(b, a, 10));
  EXPECT_FALSE(truth.Contains(b, a, 11));
  EXPECT_TRUE(truth.Includes({b, 20}, {a, 10}));
  EXPECT_FALSE(truth.Includes({b, 10}, {b, 20}));
  truth.AddRoot(c, 20, {5, 5}, Position{b, 20});
  EXPECT_FALSE(truth.Contains(c, b, 20));
  EXPECT_TRUE(truth.Includes({c, 20}, {b, 20}));
  EXPECT_FALSE(truth.Includes({c, 20}, {a, 20}));
}

}  // namespace
}  // namespace cinnabar::simulator
