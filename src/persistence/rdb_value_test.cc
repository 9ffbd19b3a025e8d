// Random values of every type, written and read again: under the same limits they are the same, under others
// they hold the same.
#include <gtest/gtest.h>

#include <random>

#include "base/crc64.h"
#include "persistence/dump_payload.h"
#include "persistence/value_for_test.h"
#include "types/stream.h"

namespace cinnabar::persistence {
namespace {

using types::Type;

ValueLimits DefaultLimits() {
  return LimitsFrom(config::Settings{});
}
ValueLimits TinyLimits() {
  ValueLimits limits = DefaultLimits();
  limits.set = {.intset_entries = 3, .listpack = {.entries = 3, .value_bytes = 8}};
  limits.sorted_set = limits.hash = {.entries = 3, .value_bytes = 8};
  limits.list.node_size = 4;
  limits.list.compress_depth = 1;
  return limits;
}

class RdbValueTest : public testing::Test {
 protected:
  RdbValueTest() : seed_(std::random_device()()), random_(seed_) {}
  void SetUp() override { RecordProperty("seed", std::to_string(seed_)); }
  void TearDown() override {
    if (HasFailure()) std::printf("seed: %u\n", seed_);
  }

  size_t Below(size_t n) { return random_() % n; }
  std::string Text() {
    switch (Below(4)) {
      case 0:
        return std::to_string(static_cast<int64_t>(random_()) >> Below(64));
      case 1:
        return std::string(Below(200), static_cast<char>('a' + Below(26)));
      default:
        return "text " + std::to_string(Below(1000));
    }
  }
  size_t Size() { return 1 + Below(Below(4) == 0 ? 1500 : 12); }

  void MakeString(RdbValue& value) { value.bytes = value.room.bytes = Text(); }
  void MakeList(RdbValue& value, const ValueLimits& limits) {
    types::OwnHolder holder(listpack::kEmpty);
    types::List list(holder, limits.list);
    for (size_t left = Size(); left > 0; --left) list.Push(types::ListEnd::kTail, Text());
    value.Take(holder);
  }
  void MakeSet(RdbValue& value, const ValueLimits& limits) {
    types::OwnHolder holder(types::Set::EmptyFor("1", limits.set));
    types::Set set(holder);
    const bool numbers = Below(2) == 0;
    for (size_t left = Size(); left > 0; --left)
      set.Add(numbers ? std::to_string(Below(5000)) : Text(), limits.set);
    value.Take(holder);
  }
  void MakeSortedSet(RdbValue& value, const ValueLimits& limits) {
    types::OwnHolder holder(types::SortedSet::kEmptyPacked);
    types::SortedSet set(holder);
    for (size_t left = Size(); left > 0; --left) {
      const double score = static_cast<double>(static_cast<int64_t>(Below(200)) - 100) / 8;
      set.Add(Text(), score, {}, limits.sorted_set);
    }
    value.Take(holder);
  }
  void MakeHash(RdbValue& value, const ValueLimits& limits) {
    types::OwnHolder holder(types::Hash::kEmptyPacked);
    types::Hash hash(holder);
    const bool timed = Below(3) == 0;
    for (size_t left = Size(); left > 0; --left) {
      const std::string field = Text();
      hash.Set(field, Text(), limits.hash);
      if (timed && Below(2) == 0)
        hash.SetExpiry(hash.Find(field), field, static_cast<Millis>(1 + Below(1 << 30)));
    }
    value.Take(holder);
  }
  void MakeStream(RdbValue& value) {
    auto stream = std::make_unique<types::Stream>();
    types::StreamId id{1, 1};
    for (size_t left = Size(); left > 0; --left) {
      id = {id.millis + Below(3), id.sequence + 1};
      std::vector<std::string> texts;
      for (size_t i = 2 * (1 + Below(3)); i > 0; --i) texts.push_back(Text());
      stream->Append(id, std::vector<std::string_view>(texts.begin(), texts.end()), {});
      if (Below(10) == 0) stream->Erase(id);
    }
    for (int number = 0; number < 2; ++number) {
      types::StreamGroup& group = *stream->AddGroup("group " + std::to_string(number), id, number - 1);
      for (const char* name : {"alice", "bob"}) {
        types::StreamConsumer& consumer = group.AddConsumer(name, 1000);
        for (size_t left = Below(50); left > 0; --left) {
          const types::StreamId pending{Below(1000), Below(5)};
          if (group.FindPending(pending) == nullptr) group.AddPending(pending, consumer, 77, Below(9));
        }
      }
    }
    value.object = std::move(stream);
  }
  void Make(Type type, const ValueLimits& limits, RdbValue& value) {
    value.type = type;
    switch (type) {
      case Type::kString:
        return MakeString(value);
      case Type::kList:
        return MakeList(value, limits);
      case Type::kSet:
        return MakeSet(value, limits);
      case Type::kSortedSet:
        return MakeSortedSet(value, limits);
      case Type::kHash:
        return MakeHash(value, limits);
      case Type::kStream:
        return MakeStream(value);
    }
  }

  const unsigned seed_;
  std::mt19937_64 random_;
};

constexpr Type kTypes[] = {Type::kString,    Type::kList, Type::kSet,
                           Type::kSortedSet, Type::kHash, Type::kStream};

void ExpectReadsAs(const std::vector<std::string>& texts, std::string_view bytes, const ValueLimits& limits) {
  RdbReader in(bytes.substr(1));
  RdbValue value;
  ASSERT_TRUE(ReadValue(in, static_cast<uint8_t>(bytes[0]), limits, value)) << in.reason();
  EXPECT_EQ(in.left(), 0u);
  EXPECT_TRUE(EntryForTest(value).Texts() == texts);
}

TEST_F(RdbValueTest, ComesBackUnderAnyLimits) {
  const ValueLimits all[] = {DefaultLimits(), TinyLimits()};
  for (int round = 0; round < 150; ++round) {
    for (Type type : kTypes) {
      RdbValue value;
      Make(type, all[round % 2], value);
      const EntryForTest entry(value);
      for (uint16_t version : {kRdbVersion70, kRdbVersion72}) {
        const std::string bytes = entry.Written(version);
        for (const ValueLimits& limits : all) ExpectReadsAs(entry.Texts(), bytes, limits);
      }
    }
  }
}

TEST_F(RdbValueTest, CutShortItIsRefused) {
  for (int round = 0; round < 30; ++round) {
    for (Type type : kTypes) {
      RdbValue value;
      Make(type, DefaultLimits(), value);
      const std::string bytes = EntryForTest(value).Written();
      for (size_t cut = 1; cut < bytes.size(); cut += 1 + bytes.size() / 200) {
        RdbReader in(std::string_view(bytes).substr(1, cut - 1));
        RdbValue broken;
        EXPECT_FALSE(ReadValue(in, static_cast<uint8_t>(bytes[0]), DefaultLimits(), broken));
        EXPECT_NE(in.fault(), RdbFault::kNone);
        EXPECT_EQ(broken.object, nullptr);
      }
    }
  }
}

TEST_F(RdbValueTest, PackedBytesAreCopied) {
  for (int round = 0; round < 100; ++round) {
    for (Type type : {Type::kList, Type::kSet, Type::kSortedSet, Type::kHash}) {
      RdbValue value;
      Make(type, DefaultLimits(), value);
      if (value.object != nullptr) continue;
      const std::string packed(value.bytes);
      const std::string bytes = EntryForTest(value).Written(kRdbVersion72);
      RdbReader in(std::string_view(bytes).substr(1));
      RdbValue again;
      ASSERT_TRUE(ReadValue(in, static_cast<uint8_t>(bytes[0]), DefaultLimits(), again));
      EXPECT_TRUE(again.bytes == packed);
    }
  }
}

TEST_F(RdbValueTest, PayloadsKnowWhetherTheyAreWhole) {
  for (Type type : kTypes) {
    RdbValue value;
    Make(type, DefaultLimits(), value);
    const EntryForTest entry(value);
    std::string payload = DumpPayload(*entry, Compression::kLzf);
    EXPECT_TRUE(IntactPayload(payload));
    RdbValue again;
    ASSERT_TRUE(ReadPayload(payload, DefaultLimits(), again));
    EXPECT_TRUE(EntryForTest(again).Texts() == entry.Texts());
    const size_t at = Below(payload.size());
    payload[at] ^= static_cast<char>(1 << Below(8));
    EXPECT_FALSE(IntactPayload(payload));
  }
  EXPECT_FALSE(IntactPayload(""));
  EXPECT_FALSE(IntactPayload("123456789"));
}

TEST(RdbValue, OldestFormThatHoldsIt) {
  EXPECT_EQ(VersionFor(RdbType::kSet), kRdbVersion70);
  EXPECT_EQ(VersionFor(RdbType::kSetListpack), kRdbVersion72);
  EXPECT_EQ(VersionFor(RdbType::kHashMetadata), kRdbVersion74);
  types::OwnHolder holder(types::Hash::kEmptyPacked);
  types::Hash hash(holder);
  hash.Set("f", "v", {});
  hash.SetExpiry(hash.Find("f"), "f", 1000);
  RdbValue value;
  value.type = Type::kHash;
  value.Take(holder);
  const EntryForTest entry(value);
  EXPECT_EQ(TypeFor(*entry), RdbType::kHashListpackEx);
}

TEST(RdbValue, FaultsHaveNames) {
  const struct {
    uint8_t type;
    std::string_view bytes;
    RdbFault fault;
  } cases[] = {
      {7, {"\1\0", 2}, RdbFault::kUnsupported}, {6, "", RdbFault::kUnsupported},
      {200, "", RdbFault::kUnsupported},        {2, {"\0", 1}, RdbFault::kEmpty},
      {0, "\5abc", RdbFault::kTruncated},       {2, "\2\1a\1a", RdbFault::kCorrupt},
  };
  for (const auto& one : cases) {
    RdbReader in(one.bytes);
    RdbValue value;
    EXPECT_FALSE(ReadValue(in, one.type, DefaultLimits(), value));
    EXPECT_EQ(in.fault(), one.fault) << in.reason();
  }
}

}  // namespace
}  // namespace cinnabar::persistence
