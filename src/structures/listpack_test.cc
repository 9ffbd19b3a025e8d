#include "structures/listpack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/numbers.h"

namespace cinnabar {
namespace {

using Model = std::vector<std::string>;

std::string TextAt(std::string_view pack, size_t position) {
  listpack::Digits digits;
  return std::string(listpack::Get(pack, position).Text(digits));
}

// Both ways, and the header.
void ExpectHolds(std::string_view pack, const Model& model) {
  ASSERT_TRUE(listpack::Valid(pack));
  ASSERT_EQ(listpack::Count(pack), model.size());
  size_t index = 0;
  for (size_t p = listpack::First(pack); p != listpack::kEnd; p = listpack::Next(pack, p)) {
    ASSERT_LT(index, model.size());
    ASSERT_EQ(TextAt(pack, p), model[index]);
    ++index;
  }
  ASSERT_EQ(index, model.size());
  for (size_t p = listpack::Last(pack); p != listpack::kEnd; p = listpack::Previous(pack, p)) {
    ASSERT_GT(index, 0u);
    ASSERT_EQ(TextAt(pack, p), model[--index]);
  }
  ASSERT_EQ(index, 0u);
}

uint64_t SeedOfRun() {
  const char* given = std::getenv("CINNABAR_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// Numbers around the limits of the encodings, near-numbers, and strings around the limits of lengths.
std::string SomeValue(std::mt19937_64& random) {
  static const char* const kOdd[] = {"",
                                     "-",
                                     "-0",
                                     "00",
                                     "+1",
                                     " 1",
                                     "1 ",
                                     "01",
                                     "1.0",
                                     "-9223372036854775808",
                                     "-9223372036854775809",
                                     "9223372036854775807",
                                     "9223372036854775808",
                                     "18446744073709551615"};
  static const int kSizes[] = {61, 62, 63, 64, 122, 125, 126, 127, 128, 4095, 4096, 16377, 16378, 16379};
  switch (random() % 8) {
    case 0:
      return kOdd[random() % std::size(kOdd)];
    case 1:
      return Int64ToString(static_cast<int64_t>(random()) >> (random() % 64));
    case 2: {
      const auto limit = static_cast<int64_t>(uint64_t{1} << (random() % 63));
      return Int64ToString((random() % 2 == 0 ? limit : -limit) + static_cast<int64_t>(random() % 3) - 1);
    }
    case 3:
      if (random() % 16 != 0) return std::string(1, static_cast<char>(random()));
      return std::string(kSizes[random() % std::size(kSizes)], static_cast<char>('a' + random() % 26));
    default: {
      std::string text(random() % 20, 'x');
      for (char& c : text) c = static_cast<char>('a' + random() % 3);
      return text;
    }
  }
}

class Pair {
 public:
  explicit Pair(uint64_t seed) : random_(seed) {}

  void Step() {
    switch (random_() % 8) {
      case 0:
      case 1:
        Insert();
        break;
      case 2:
        InsertTwo();
        break;
      case 3:
        Replace();
        break;
      case 4:
      case 5:
        if (random_() % 4 == 0 || model_.size() > 60) Erase();
        break;
      case 6:
        Find();
        break;
      default:
        At();
    }
  }
  void Check() const { ExpectHolds(pack_.view(), model_); }

 private:
  // An index and its position; one behind the last is kEnd.
  size_t SomeIndex() { return random_() % (model_.size() + 1); }
  size_t PositionOf(size_t index) const { return listpack::At(pack_.view(), static_cast<int64_t>(index)); }
  auto Place(size_t index) { return model_.begin() + static_cast<ptrdiff_t>(index); }

  void Insert() {
    const size_t index = SomeIndex();
    const std::string value = SomeValue(random_);
    const size_t bytes = pack_.size();
    size_t position;
    if (const auto number = ParseInt64(value); number && random_() % 2 == 0) {
      position = listpack::InsertInteger(pack_, PositionOf(index), *number);
    } else {
      position = listpack::Insert(pack_, PositionOf(index), value);
    }
    model_.insert(Place(index), value);
    EXPECT_EQ(position, PositionOf(index));
    EXPECT_EQ(pack_.size() - bytes, listpack::EncodedSize(value));
  }
  void InsertTwo() {
    const size_t index = SomeIndex();
    const std::string one = SomeValue(random_);
    const std::string two = SomeValue(random_);
    const size_t position = listpack::InsertPair(pack_, PositionOf(index), one, two);
    EXPECT_EQ(position, PositionOf(index));
    model_.insert(Place(index), {one, two});
  }
  void Replace() {
    if (model_.empty()) return;
    const size_t index = random_() % model_.size();
    const size_t place = PositionOf(index);
    const std::string value = SomeValue(random_);
    if (const auto number = ParseInt64(value); number && random_() % 2 == 0) {
      EXPECT_EQ(listpack::ReplaceInteger(pack_, place, *number), place);
    } else {
      EXPECT_EQ(listpack::Replace(pack_, place, value), place);
    }
    model_[index] = value;
  }
  void Erase() {
    if (model_.empty()) return;
    const size_t index = random_() % model_.size();
    const size_t count = random_() % 12;
    const size_t position = listpack::Erase(pack_, PositionOf(index), count);
    model_.erase(Place(index), Place(std::min(index + count, model_.size())));
    EXPECT_EQ(position, PositionOf(index));
  }
  void Find() {
    const size_t from = SomeIndex();
    const size_t skip = random_() % 3;
    const std::string value =
        model_.empty() || random_() % 2 == 0 ? SomeValue(random_) : model_[random_() % model_.size()];
    size_t index = from;
    while (index < model_.size() && model_[index] != value) index += skip + 1;
    const size_t found = listpack::Find(pack_.view(), PositionOf(from), value, skip);
    EXPECT_EQ(found, index < model_.size() ? PositionOf(index) : listpack::kEnd);
    if (from < model_.size()) {
      EXPECT_EQ(listpack::Equals(pack_.view(), PositionOf(from), value), model_[from] == value);
    }
  }
  void At() {
    const auto count = static_cast<int64_t>(model_.size());
    const int64_t index = static_cast<int64_t>(random_() % (2 * model_.size() + 4)) - count - 2;
    const size_t position = listpack::At(pack_.view(), index);
    const int64_t place = index < 0 ? index + count : index;
    ASSERT_EQ(position != listpack::kEnd, place >= 0 && place < count);
    if (position == listpack::kEnd) return;
    EXPECT_EQ(TextAt(pack_.view(), position), *Place(static_cast<size_t>(place)));
  }

  std::mt19937_64 random_;
  HeapBytes pack_{listpack::kEmpty};
  Model model_;
};

TEST(Listpack, DoesWhatAVectorDoes) {
  const uint64_t seed = SeedOfRun();
  SCOPED_TRACE("CINNABAR_TEST_SEED=" + std::to_string(seed));
  for (uint64_t round = 0; round < 20; ++round) {
    Pair pair(seed + round);
    for (int step = 0; step < 1000; ++step) {
      pair.Step();
      if (step % 8 == 0) pair.Check();
      if (testing::Test::HasFailure()) return;
    }
    pair.Check();
  }
}

}  // namespace
}  // namespace cinnabar
