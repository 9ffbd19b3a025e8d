// Lists in both forms against std::deque, under random operations.
#include "types/list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace cinnabar::types {
namespace {

using Model = std::deque<std::string>;

uint64_t Seed() {
  if (const char* text = std::getenv("CINNABAR_TEST_SEED")) return std::strtoull(text, nullptr, 10);
  return std::random_device()();
}

std::vector<std::string> Contents(Holder& holder, const ListOptions& options) {
  std::vector<std::string> all;
  List(holder, options).ForEach([&](const listpack::Element& element) {
    listpack::Digits digits;
    all.emplace_back(element.Text(digits));
  });
  return all;
}

LargeList& LargeOf(Holder& holder) {
  return static_cast<LargeList&>(*holder.object());
}

// One list and its model, changed by the same operations.
class Pair {
 public:
  Pair(const ListOptions& options, uint64_t seed)
      : options_(options), random_(seed), holder_(listpack::kEmpty) {}

  void Step() {
    if (model_.size() < 2) return Push();
    switch (Pick(growing_ ? 8 : 11)) {
      case 0:
      case 1:
      case 2:
        return Push();
      case 3:
        return Set();
      case 4:
      case 5:
        return Insert();
      case 6:
        return Remove();
      case 7:
        return Look();
      default:
        return Drop();
    }
  }

  void Check() {
    ASSERT_EQ(list().size(), model_.size());
    ASSERT_EQ(Contents(holder_, options_), std::vector<std::string>(model_.begin(), model_.end()));
    std::vector<std::string> backwards;
    list().VisitRange(model_.size() - 1, model_.size(), ListEnd::kHead,
                      [&](const listpack::Element& element) {
                        listpack::Digits digits;
                        backwards.emplace_back(element.Text(digits));
                      });
    ASSERT_EQ(backwards, std::vector<std::string>(model_.rbegin(), model_.rend()));
    if (holder_.packed()) {
      ASSERT_TRUE(listpack::Valid(holder_.view()));
    } else {
      CheckNodes();
    }
  }

  void set_growing(bool growing) { growing_ = growing; }
  void Fill(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      model_.push_back(PickValue());
      list().Push(ListEnd::kTail, model_.back());
    }
  }

 private:
  List list() { return List(holder_, options_); }
  size_t Pick(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  ListEnd PickEnd() { return Pick(2) == 0 ? ListEnd::kHead : ListEnd::kTail; }

  std::string PickValue() {
    switch (Pick(20)) {
      case 0:
        return std::to_string(random_());
      case 1:
        return std::string(Pick(3000), 'l');
      case 2:
        return Pick(20) == 0 ? std::string(5000 + Pick(9000), 'p') : std::string();
      case 3:
      case 4:
      case 5:
      case 6:
        return std::to_string(Pick(20));
      default:
        return std::string(Pick(40), static_cast<char>('a' + Pick(26)));
    }
  }

  void Push() {
    const ListEnd end = PickEnd();
    std::vector<std::string> values(1 + Pick(4));
    std::vector<std::string_view> views;
    for (std::string& value : values) {
      value = PickValue();
      views.push_back(value);
      end == ListEnd::kHead ? model_.push_front(value) : model_.push_back(value);
    }
    list().Push(end, views);
  }

  void Set() {
    const size_t index = Pick(model_.size());
    const std::string value = PickValue();
    model_[index] = value;
    list().Set(index, value);
  }

  void Insert() {
    const std::string pivot = Pick(10) == 0 ? "not there" : model_[Pick(model_.size())];
    const std::string value = PickValue();
    const bool before = Pick(2) == 0;
    const auto found = std::find(model_.begin(), model_.end(), pivot);
    const bool there = found != model_.end();
    if (there) model_.insert(before ? found : found + 1, value);
    ASSERT_EQ(list().Insert(before ? ListSide::kBefore : ListSide::kAfter, pivot, value), there);
  }

  void Remove() {
    const std::string value = Pick(4) == 0 ? std::to_string(Pick(20)) : model_[Pick(model_.size())];
    const ListEnd from = PickEnd();
    size_t most = Pick(3) == 0 ? model_.size() : 1 + Pick(3);
    size_t expected = 0;
    if (from == ListEnd::kTail) std::reverse(model_.begin(), model_.end());
    for (auto at = model_.begin(); at != model_.end() && expected < most;) {
      if (*at == value) {
        at = model_.erase(at);
        ++expected;
      } else {
        ++at;
      }
    }
    if (from == ListEnd::kTail) std::reverse(model_.begin(), model_.end());
    ASSERT_EQ(list().Remove(from, most, value), expected);
    if (model_.empty()) holder_.BecomePacked(listpack::kEmpty);
  }

  void Look() {
    const size_t index = Pick(model_.size());
    const size_t count = 1 + Pick(std::min<size_t>(20, model_.size() - index));
    size_t at = index;
    list().VisitRange(index, count, ListEnd::kTail, [&](const listpack::Element& element) {
      EXPECT_TRUE(SoughtElement(model_[at++]).Is(element));
    });
    ASSERT_EQ(at, index + count);
  }

  void Drop() {
    const ListEnd end = PickEnd();
    const size_t most = Pick(30) == 0 ? model_.size() - 1 : std::min<size_t>(model_.size() - 1, 4);
    const size_t count = Pick(most + 1);
    list().Drop(end, count);
    for (size_t i = 0; i < count; ++i) end == ListEnd::kHead ? model_.pop_front() : model_.pop_back();
  }

  // Listpacks are sound and within the limit, and compressed where they have to be.
  void CheckNodes() {
    const LargeList& large = LargeOf(holder_);
    const NodeLimit limit = options_.limit();
    size_t elements = 0, nodes = 0;
    large.ForEachNode([&](LargeList::Form form, std::string_view bytes) {
      ++nodes;
      if (form == LargeList::Form::kPlain) {
        ++elements;
        return;
      }
      ASSERT_TRUE(listpack::Valid(bytes));
      const size_t count = listpack::Count(bytes);
      ASSERT_GT(count, 0u);
      elements += count;
      ASSERT_TRUE(count == 1 || limit.Allows(bytes.size(), count)) << bytes.size() << ' ' << count;
    });
    ASSERT_EQ(elements, large.size());
    ASSERT_EQ(nodes, large.nodes());
    const size_t ends = 2 * options_.compress_depth;
    ASSERT_LE(large.compressed_nodes(), nodes > ends && ends > 0 ? nodes - ends : 0);
    const std::unique_ptr<Value> copy = large.Clone();
    ASSERT_EQ(static_cast<const LargeList&>(*copy).size(), large.size());
  }

  ListOptions options_;
  std::mt19937_64 random_;
  OwnHolder holder_;
  Model model_;
  bool growing_ = true;
};

void RunModel(const ListOptions& options, int steps) {
  const uint64_t seed = Seed();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  Pair pair(options, seed);
  for (int i = 0; i < steps; ++i) {
    pair.set_growing(i / 400 % 2 == 0);
    pair.Step();
    if (i % 20 == 0) pair.Check();
    if (testing::Test::HasFatalFailure()) FAIL() << "step " << i;
  }
}

TEST(ListTest, BehavesLikeADequeWithEveryNodeSize) {
  for (int64_t size : {-1, -2, -5, 0, 1, 2, 7, 128}) {
    for (size_t depth : {0, 1, 2}) {
      SCOPED_TRACE(testing::Message() << "size " << size << " depth " << depth);
      RunModel({.node_size = size, .compress_depth = depth}, 3000);
      if (HasFatalFailure()) return;
    }
  }
}

// Thousands of nodes, so that chunks of them are split, emptied and joined by new ones.
TEST(ListTest, BehavesLikeADequeWithManyNodes) {
  for (size_t depth : {0, 3}) {
    const uint64_t seed = Seed();
    SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
    Pair pair({.node_size = 2, .compress_depth = depth}, seed);
    pair.Fill(4000);
    for (int i = 0; i < 3000; ++i) {
      pair.set_growing(i / 500 % 2 == 0);
      pair.Step();
      if (i % 100 == 0) pair.Check();
      if (HasFatalFailure()) FAIL() << "step " << i;
    }
  }
}

TEST(ListTest, BehavesLikeADequeWithPlainNodes) {
  for (size_t from : {1, 5, 30}) {
    for (size_t depth : {0, 1, 2}) {
      SCOPED_TRACE(testing::Message() << "plain from " << from << " depth " << depth);
      RunModel({.node_size = -1, .compress_depth = depth, .plain_from = from}, 2000);
      if (HasFatalFailure()) return;
    }
  }
}

void Fill(Holder& holder, const ListOptions& options, size_t count, std::string_view value) {
  for (size_t i = 0; i < count; ++i) List(holder, options).Push(ListEnd::kTail, value);
}

TEST(ListTest, IsPackedByTheRuleOfTheSetting) {
  const ListOptions options{.node_size = 16};
  OwnHolder holder(listpack::kEmpty);
  Fill(holder, options, 16, "value");
  EXPECT_TRUE(holder.packed());
  Fill(holder, options, 1, "value");
  EXPECT_FALSE(holder.packed());
  List(holder, options).Drop(ListEnd::kTail, 1);
  List(holder, options).Drop(ListEnd::kHead, 7);
  EXPECT_FALSE(holder.packed());
  List(holder, options).Drop(ListEnd::kHead, 1);
  EXPECT_TRUE(holder.packed());
  EXPECT_EQ(List(holder, options).size(), 8u);
}

TEST(ListTest, IsCalledListpackBeyondWhatItsOwnerKeeps) {
  const ListOptions options{.node_size = -5};
  OwnHolder holder(listpack::kEmpty);
  Fill(holder, options, 40, std::string(1000, 'x'));
  ASSERT_FALSE(holder.packed());
  EXPECT_EQ(LargeOf(holder).encoding(), "listpack");
  Fill(holder, options, 40, std::string(1000, 'x'));
  EXPECT_EQ(LargeOf(holder).encoding(), "quicklist");
}

TEST(ListTest, CompressesWhatIsFarFromTheEnds) {
  const ListOptions options{.node_size = -1, .compress_depth = 1};
  OwnHolder holder(listpack::kEmpty);
  Fill(holder, options, 2000, "a compressible text that is repeated");
  const size_t nodes = LargeOf(holder).nodes();
  ASSERT_GT(nodes, 10u);
  EXPECT_EQ(LargeOf(holder).compressed_nodes(), nodes - 2);
  EXPECT_LT(LargeOf(holder).memory(0), 2000u * 20);
  List(holder, options).Drop(ListEnd::kTail, 1000);
  EXPECT_EQ(LargeOf(holder).compressed_nodes(), LargeOf(holder).nodes() - 2);
}

TEST(ListTest, TrimHandsNodesOut) {
  const ListOptions options;
  OwnHolder holder(listpack::kEmpty);
  Fill(holder, options, 100'000, "sixteen bytes ..");
  const size_t nodes = LargeOf(holder).nodes();
  const NodeSequence dropped = List(holder, options).Drop(ListEnd::kHead, 60'000);
  EXPECT_GT(dropped.nodes(), nodes / 2);
  EXPECT_EQ(List(holder, options).size(), 40'000u);
  EXPECT_LT(LargeOf(holder).memory(0), 40'000u * 19);
}

TEST(ListTest, IsPutTogetherFromNodes) {
  HeapBytes pack(listpack::kEmpty);
  for (int i = 0; i < 10; ++i) listpack::AppendInteger(pack, i);
  auto large = std::make_unique<LargeList>(ListOptions());
  large->AddNode(LargeList::Form::kPacked, pack.view());
  large->AddNode(LargeList::Form::kPlain, "plain");
  large->AddNode(LargeList::Form::kPacked, pack.view());
  OwnHolder holder(std::move(large));
  EXPECT_EQ(List(holder, {}).size(), 21u);
  EXPECT_EQ(Contents(holder, {})[10], "plain");
}

}  // namespace
}  // namespace cinnabar::types
