#include "types/stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <map>
#include <random>
#include <vector>

#include "base/random.h"

namespace cinnabar::types {
namespace {

using Pairs = std::vector<std::string>;

// A stream as a map from ids to fields and values.
struct Model {
  std::map<StreamId, Pairs> entries;
  StreamId last_id;
  StreamId max_deleted_id;
  uint64_t added = 0;
};

std::vector<std::string_view> Views(const Pairs& pairs) {
  return {pairs.begin(), pairs.end()};
}

std::vector<std::pair<StreamId, Pairs>> Read(const Stream& stream, StreamId from, StreamId to,
                                             StreamCursor::Direction direction) {
  std::vector<std::pair<StreamId, Pairs>> all;
  StreamCursor cursor(stream, from, to, direction);
  StreamEntry entry;
  while (cursor.Next(entry)) {
    Pairs pairs;
    entry.ForEachPair([&](std::string_view field, std::string_view value) {
      pairs.emplace_back(field);
      pairs.emplace_back(value);
    });
    all.emplace_back(entry.id, pairs);
  }
  return all;
}

void ExpectRange(const Stream& stream, const Model& model, StreamId from, StreamId to) {
  std::vector<std::pair<StreamId, Pairs>> expected;
  for (auto at = model.entries.lower_bound(from); at != model.entries.end() && at->first <= to; ++at)
    expected.emplace_back(*at);
  ASSERT_EQ(Read(stream, from, to, StreamCursor::Direction::kForward), expected);
  std::reverse(expected.begin(), expected.end());
  ASSERT_EQ(Read(stream, from, to, StreamCursor::Direction::kBackward), expected);
}

void ExpectSame(const Stream& stream, const Model& model) {
  ASSERT_EQ(stream.length(), model.entries.size());
  EXPECT_EQ(stream.last_id, model.last_id);
  EXPECT_EQ(stream.max_deleted_id, model.max_deleted_id);
  EXPECT_EQ(stream.entries_added, model.added);
  EXPECT_EQ(stream.FirstId(), model.entries.empty() ? StreamId{} : model.entries.begin()->first);
  EXPECT_EQ(stream.LastId(), model.entries.empty() ? StreamId{} : model.entries.rbegin()->first);
  ExpectRange(stream, model, kStreamIdMin, kStreamIdMax);
}

class Player {
 public:
  explicit Player(uint64_t seed) : random_(seed) {
    limits_ = {.bytes = random_.OneIn(3) ? 0 : static_cast<int64_t>(20 + random_.Uniform(4000)),
               .entries = random_.OneIn(3) ? 0 : static_cast<int64_t>(1 + random_.Uniform(300))};
  }

  void Step() {
    switch (random_.Uniform(12)) {
      case 0:
      case 1:
        return Erase();
      case 2:
        if (random_.OneIn(4)) return Trim();
        return;
      case 3:
        return ExpectRange(stream_, model_, SomeId(), SomeId());
      default:
        return Add();
    }
  }
  void Check() {
    ExpectSame(stream_, model_);
    const auto copy = stream_.Clone();
    ExpectSame(static_cast<const Stream&>(*copy), model_);
    ExpectSame(*Reloaded(), model_);
  }

 private:
  StreamId SomeId() {
    if (random_.OneIn(20)) return kStreamIdMax;
    const uint64_t millis = random_.Uniform(model_.last_id.millis + 2);
    return {millis, random_.Uniform(4)};
  }
  std::string SomeText() {
    if (random_.OneIn(4)) return std::to_string(static_cast<int64_t>(random_.Next() >> random_.Uniform(64)));
    return std::string(random_.OneIn(20) ? random_.Uniform(5000) : random_.Uniform(20), 'x');
  }

  void Add() {
    StreamId id = model_.last_id;
    if (random_.OneIn(3)) {
      id = id.Next();
    } else {
      id = {id.millis + 1 + random_.Uniform(random_.OneIn(50) ? uint64_t{1} << 40 : 4), random_.Uniform(3)};
    }
    Pairs pairs;
    const uint64_t fields = random_.OneIn(3) ? 1 + random_.Uniform(5) : 2;
    for (uint64_t i = 0; i < fields; ++i) {
      pairs.push_back(random_.OneIn(5) ? SomeText() : "field" + std::to_string(i));
      pairs.push_back(SomeText());
    }
    stream_.Append(id, Views(pairs), limits_);
    model_.entries[id] = pairs;
    model_.last_id = id;
    ++model_.added;
  }

  void Erase() {
    StreamId id = SomeId();
    if (auto at = model_.entries.lower_bound(id); at != model_.entries.end() && !random_.OneIn(4))
      id = at->first;
    const bool there = model_.entries.erase(id) == 1;
    ASSERT_EQ(stream_.Contains(id), there);
    ASSERT_EQ(stream_.Erase(id), there);
    if (there) model_.max_deleted_id = std::max(model_.max_deleted_id, id);
  }

  void Trim() {
    StreamTrim trim;
    trim.by = random_.OneIn(2) ? StreamTrim::By::kLength : StreamTrim::By::kId;
    if (random_.OneIn(2)) trim.precision = StreamTrim::Precision::kNodes;
    trim.max_length = random_.Uniform(model_.entries.size() + 2);
    trim.min_id = SomeId();
    if (trim.precision == StreamTrim::Precision::kNodes)
      trim.limit = static_cast<int64_t>(random_.Uniform(200));
    const uint64_t removed = stream_.Trim(trim);
    uint64_t most = 0;
    for (const auto& [id, pairs] : model_.entries) {
      if (trim.by == StreamTrim::By::kLength ? model_.entries.size() - most <= trim.max_length
                                             : id >= trim.min_id)
        break;
      ++most;
    }
    if (trim.limit > 0) most = std::min(most, static_cast<uint64_t>(trim.limit));
    if (trim.precision == StreamTrim::Precision::kExact) {
      ASSERT_EQ(removed, most);
    } else {
      ASSERT_LE(removed, most);
    }
    auto end = model_.entries.begin();
    std::advance(end, removed);
    model_.entries.erase(model_.entries.begin(), end);
  }

  // As a file would bring it back: every node is valid, and holds what it says.
  std::unique_ptr<Stream> Reloaded() const {
    auto copy = std::make_unique<Stream>();
    stream_.ForEachNode([&](const StreamNode& node) {
      ASSERT_TRUE(stream_node::Valid(node.id, node.view()).has_value());
      copy->AppendNode(node.id, node.view());
    });
    copy->last_id = stream_.last_id;
    copy->max_deleted_id = stream_.max_deleted_id;
    copy->entries_added = stream_.entries_added;
    return copy;
  }

  Random random_;
  stream_node::Limits limits_;
  Stream stream_;
  Model model_;
};

TEST(StreamTest, AgreesWithAMap) {
  std::random_device device;
  for (int run = 0; run < 40; ++run) {
    const uint64_t seed = device();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Player player(seed);
    for (int step = 0; step < 1000; ++step) {
      player.Step();
      if (step % 100 == 99) player.Check();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(StreamTest, ASmallStreamIsSmall) {
  Stream stream;
  EXPECT_LE(sizeof stream, 128u);
  stream.Append({1, 0}, std::vector<std::string_view>{"field", "value"}, {});
  EXPECT_EQ(stream.free_effort(), 2u);
  EXPECT_LE(stream.memory(0), 128u + 64u);
}

TEST(StreamTest, WhatTrimmingManyOneByOneLeaves) {
  // The counts in the header of a node change their width on the way.
  Stream stream;
  const std::vector<std::string_view> pairs = {"f", "v"};
  for (uint64_t i = 1; i <= 10000; ++i) stream.Append({i, 0}, pairs, {.bytes = 0, .entries = 0});
  EXPECT_EQ(stream.nodes(), 1u);
  EXPECT_EQ(stream.Trim({.max_length = 100}), 9900u);
  EXPECT_EQ(stream.FirstId(), (StreamId{9901, 0}));
  EXPECT_EQ(stream.Trim({.by = StreamTrim::By::kId, .min_id = {10000, 0}}), 99u);
  EXPECT_EQ(stream.length(), 1u);
  EXPECT_TRUE(stream.Erase({10000, 0}));
  EXPECT_EQ(stream.nodes(), 0u);
  EXPECT_TRUE(stream.empty());
}

TEST(StreamTest, LagIsKnownUntilSomethingIsDeletedInTheMiddle) {
  Stream stream;
  const std::vector<std::string_view> pairs = {"f", "v"};
  for (uint64_t i = 1; i <= 5; ++i) stream.Append({i, 0}, pairs, {});
  StreamGroup& group = *stream.AddGroup("g", {}, StreamGroup::kReadUnknown);
  EXPECT_EQ(stream.LagOf(group), 5);
  group.last_id = {5, 0};
  EXPECT_EQ(stream.LagOf(group), 0);
  group.last_id = {9, 0};  // no entry has been there
  EXPECT_EQ(stream.LagOf(group), std::nullopt);
  group.entries_read = 4;
  EXPECT_EQ(stream.LagOf(group), 1);
  group.entries_read = StreamGroup::kReadUnknown;
  group.last_id = {3, 0};
  EXPECT_EQ(stream.LagOf(group), std::nullopt);
  group.entries_read = 3;
  EXPECT_EQ(stream.LagOf(group), 2);
  stream.Erase({4, 0});
  EXPECT_EQ(stream.LagOf(group), std::nullopt);
  stream.Trim({.max_length = 1});
  EXPECT_EQ(stream.LagOf(group), 1);
}

TEST(StreamNodeTest, RefusesWhatIsNotANode) {
  const std::vector<std::string_view> pairs = {"field", "value", "n", "12345"};
  StreamNode node = stream_node::Create({5, 1}, pairs);
  stream_node::Append(node, {7, 0}, pairs, {});
  const std::string bytes(node.view());
  stream_node::Destroy(node);
  ASSERT_TRUE(stream_node::Valid({5, 1}, bytes).has_value());
  EXPECT_FALSE(stream_node::Valid({5, 1}, {}).has_value());
  EXPECT_FALSE(stream_node::Valid({5, 1}, listpack::kEmpty).has_value());
  EXPECT_FALSE(stream_node::Valid(kStreamIdMax, bytes).has_value());  // the ids would overflow
  for (size_t cut = 1; cut < bytes.size(); ++cut)
    EXPECT_FALSE(stream_node::Valid({5, 1}, std::string_view(bytes).substr(0, cut)).has_value());
}

// XADD 1-0 .. 3-0, XDEL 3-0, XSETID 2-0, XADD 2-5.
TEST(StreamTest, IdsMayGoBackBehindDeletedEntries) {
  const std::string_view pairs[] = {"f", "v"};
  Stream stream;
  for (uint64_t millis : {1, 2, 3}) stream.Append({millis, 0}, pairs, {});
  ASSERT_TRUE(stream.Erase({3, 0}));
  stream.ForgetDeletedAtEnd();
  stream.Append({2, 5}, pairs, {});
  EXPECT_TRUE(stream.Contains({2, 5}));
  EXPECT_TRUE(stream.Contains({1, 0}));
  EXPECT_EQ(stream.LastId(), (StreamId{2, 5}));
  EXPECT_EQ(stream.length(), 3u);
}

TEST(StreamNodeTest, DeletedEntriesMayBeOutOfOrder) {
  const std::string_view pairs[] = {"f", "v"};
  StreamNode node = stream_node::Create({1, 0}, pairs);
  stream_node::Append(node, {3, 0}, pairs, {});
  stream_node::Append(node, {2, 5}, pairs, {});
  EXPECT_FALSE(stream_node::Valid({1, 0}, node.view()).has_value());
  const stream_node::Reader reader(node);
  StreamEntry entry = reader.First();
  ASSERT_TRUE(reader.Next(entry));
  stream_node::MarkDeleted(node, entry);
  const auto contents = stream_node::Valid({1, 0}, node.view());
  ASSERT_TRUE(contents.has_value());
  EXPECT_FALSE(contents->ordered);
  EXPECT_EQ(contents->last_live, (StreamId{2, 5}));
  StreamNode live = stream_node::WithoutDeleted(node);
  const auto rest = stream_node::Valid(live.id, live.view());
  ASSERT_TRUE(rest.has_value());
  EXPECT_TRUE(rest->ordered);
  EXPECT_EQ(rest->counts.live, 2);
  EXPECT_EQ(rest->counts.deleted, 0);
  stream_node::Destroy(node);
  stream_node::Destroy(live);
}

TEST(StreamIdTest, IsReadAsRedisReadsIt) {
  EXPECT_EQ(ParseStreamId("5", 7), (StreamId{5, 7}));
  EXPECT_EQ(ParseStreamId("5-6", 7), (StreamId{5, 6}));
  EXPECT_EQ(ParseStreamId(" 05-+6", 7), (StreamId{5, 6}));
  EXPECT_EQ(ParseStreamId("18446744073709551615-18446744073709551615", 0), kStreamIdMax);
  for (std::string_view bad :
       {"", "-", "+", "a", "5-", "-5", "5-6-7", "5 -6", "18446744073709551616", "5--6"})
    EXPECT_FALSE(ParseStreamId(bad, 0).has_value()) << bad;
}

}  // namespace
}  // namespace cinnabar::types
