#include "structures/packed_pairs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace cinnabar {
namespace {

using listpack::Element;

// In the order in which the fields came.
using Model = std::vector<std::pair<std::string, std::string>>;

std::string Text(const Element& element) {
  listpack::Digits digits;
  return std::string(element.Text(digits));
}

Model Walk(std::string_view pairs) {
  Model found;
  for (size_t at = packed_pairs::First(pairs); at != packed_pairs::kEnd;) {
    const packed_pairs::Pair pair = packed_pairs::Get(pairs, at);
    found.emplace_back(Text(pair.field), Text(pair.value));
    at = pair.next;
  }
  return found;
}

// The listpack that redis-server would have of it.
std::string ListpackOf(const Model& model) {
  HeapBytes pack{listpack::kEmpty};
  for (const auto& [field, value] : model) listpack::InsertPair(pack, listpack::kEnd, field, value);
  return std::string(pack.view());
}

void ExpectHolds(std::string_view pairs, const Model& model) {
  ASSERT_EQ(packed_pairs::Count(pairs), model.size());
  ASSERT_EQ(Walk(pairs), model);
  const std::string listpack = ListpackOf(model);
  ASSERT_EQ(packed_pairs::AsListpack(pairs).view(), listpack);
  std::string back = listpack;
  packed_pairs::FromListpack(back);
  ASSERT_EQ(back, pairs);
  ASSERT_LE(pairs.size() + 6 + model.size(), listpack.size());
}

uint64_t SeedOfRun() {
  const char* given = std::getenv("CINNABAR_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

class PackedPairsModel {
 public:
  PackedPairsModel(uint64_t seed, size_t fields) : random_(seed), fields_(fields) {}

  void Step() {
    const std::string field = AnyField();
    const auto known =
        std::find_if(model_.begin(), model_.end(), [&](const auto& pair) { return pair.first == field; });
    const packed_pairs::Found found = packed_pairs::Find(pairs_.view(), field);
    ASSERT_EQ(found.position != packed_pairs::kEnd, known != model_.end());
    if (known == model_.end()) {
      const std::string value = AnyText();
      const size_t before = pairs_.size();
      packed_pairs::Append(pairs_, field, value);
      ASSERT_LE(pairs_.size(), before + packed_pairs::SizeMost(field.size(), value.size()));
      model_.emplace_back(field, value);
      return;
    }
    ASSERT_EQ(Text(found.value), known->second);
    const packed_pairs::Pair pair =
        packed_pairs::At(pairs_.view(), static_cast<size_t>(known - model_.begin()));
    ASSERT_EQ(Text(pair.field), field);
    ASSERT_EQ(Text(pair.value), known->second);
    if (Below(5) == 0) {
      packed_pairs::Erase(pairs_, found.position);
      model_.erase(known);
    } else {
      known->second = AnyText();
      packed_pairs::SetValue(pairs_, found.position, known->second);
    }
  }
  void Check() const { ExpectHolds(pairs_.view(), model_); }

 private:
  size_t Below(size_t n) { return random_() % n; }
  // Lengths around those where the form changes, and integers of every width.
  std::string AnyText() {
    constexpr size_t kLengths[] = {0, 1, 2, 7, 13, 14, 15, 16, 17, 63, 64, 65, 127, 128, 4095, 4096, 4097};
    switch (Below(4)) {
      case 0:
        return std::to_string(static_cast<int64_t>(random_()) >> Below(64));
      case 1:
        return std::to_string(Below(300));
      default:
        return std::string(kLengths[Below(Below(20) == 0 ? std::size(kLengths) : 12)],
                           static_cast<char>('a' + Below(26)));
    }
  }
  std::string AnyField() {
    const size_t number = Below(fields_);
    const std::string digits = std::to_string(number);
    if (number % 4 == 0) return digits;
    if (number % 4 == 1) return std::to_string(-static_cast<int64_t>(number * number * number * number));
    return std::string(number % 70, 'f') + digits;
  }

  std::mt19937_64 random_;
  const size_t fields_;
  HeapBytes pairs_{packed_pairs::kEmpty};
  Model model_;
};

TEST(PackedPairs, DoWhatAListOfPairsDoes) {
  const uint64_t seed = SeedOfRun();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  for (size_t fields : {3, 20, 150}) {
    PackedPairsModel model(seed, fields);
    for (int step = 0; step < 3000; ++step) {
      ASSERT_NO_FATAL_FAILURE(model.Step());
      ASSERT_NO_FATAL_FAILURE(model.Check());
    }
  }
}

// Around the number from which they are counted by a walk.
TEST(PackedPairs, CountManyPairs) {
  const uint64_t seed = SeedOfRun();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  PackedPairsModel model(seed, 330);
  for (int step = 0; step < 6000; ++step) {
    ASSERT_NO_FATAL_FAILURE(model.Step());
    if (step % 20 == 0) {
      ASSERT_NO_FATAL_FAILURE(model.Check());
    }
  }
}

TEST(PackedPairs, TakeOneByteMoreThanShortStrings) {
  HeapBytes pairs{packed_pairs::kEmpty};
  packed_pairs::Append(pairs, "field1", "value of 14 by");
  EXPECT_EQ(pairs.size(), 1u + 1 + 6 + 14);
  packed_pairs::SetValue(pairs, packed_pairs::First(pairs.view()), "");
  EXPECT_EQ(pairs.size(), 1u + 1 + 6);
  packed_pairs::SetValue(pairs, packed_pairs::First(pairs.view()), "100");
  EXPECT_EQ(pairs.size(), 1u + 1 + 6 + 1);
  packed_pairs::Erase(pairs, packed_pairs::First(pairs.view()));
  EXPECT_EQ(pairs.view(), packed_pairs::kEmpty);
  EXPECT_EQ(packed_pairs::First(pairs.view()), packed_pairs::kEnd);
}

// Others may write the text of a number as a string, and numbers wider than they need be.
TEST(PackedPairs, FromAListpackThatWritesNumbersOtherwise) {
  constexpr std::string_view kElements(
      "\x82"
      "17\x03"
      "\xf1\x05\x00\x03"
      "\x01\x01"
      "\xe0\x01x\x03",
      14);
  std::string bytes("\0\0\0\0\x04\0", 6);
  bytes += kElements;
  bytes += '\xff';
  bytes[0] = static_cast<char>(bytes.size());
  ASSERT_TRUE(listpack::Valid(bytes));
  packed_pairs::FromListpack(bytes);
  EXPECT_EQ(Walk(bytes), (Model{{"17", "5"}, {"1", "x"}}));
  EXPECT_NE(packed_pairs::Find(bytes, "17").position, packed_pairs::kEnd);
  EXPECT_EQ(packed_pairs::AsListpack(bytes).view(), ListpackOf({{"17", "5"}, {"1", "x"}}));
}

}  // namespace
}  // namespace cinnabar
