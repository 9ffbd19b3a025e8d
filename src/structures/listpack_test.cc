#include "structures/listpack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
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

// The only element of a listpack that holds `value`, in hexadecimal.
std::string HexOf(std::string_view value) {
  HeapBytes pack{listpack::kEmpty};
  listpack::Append(pack, value);
  EXPECT_TRUE(listpack::Valid(pack.view()));
  std::string hex;
  for (const char c : pack.view().substr(6, pack.size() - 7)) {
    for (const int nibble : {(c >> 4) & 15, c & 15}) hex += "0123456789abcdef"[nibble];
  }
  return hex;
}

// The elements are what DUMP of redis-server 7.0.15 holds.
TEST(Listpack, IntegersAreEncodedAsRedisDoes) {
  EXPECT_EQ(HexOf("0"), "0001");
  EXPECT_EQ(HexOf("127"), "7f01");
  EXPECT_EQ(HexOf("128"), "c08002");
  EXPECT_EQ(HexOf("-1"), "dfff02");
  EXPECT_EQ(HexOf("4095"), "cfff02");
  EXPECT_EQ(HexOf("4096"), "f1001003");
  EXPECT_EQ(HexOf("-4096"), "d00002");
  EXPECT_EQ(HexOf("-4097"), "f1ffef03");
  EXPECT_EQ(HexOf("32767"), "f1ff7f03");
  EXPECT_EQ(HexOf("32768"), "f200800004");
  EXPECT_EQ(HexOf("-32768"), "f1008003");
  EXPECT_EQ(HexOf("-32769"), "f2ff7fff04");
  EXPECT_EQ(HexOf("8388607"), "f2ffff7f04");
  EXPECT_EQ(HexOf("8388608"), "f30000800005");
  EXPECT_EQ(HexOf("-8388608"), "f200008004");
  EXPECT_EQ(HexOf("-8388609"), "f3ffff7fff05");
  EXPECT_EQ(HexOf("2147483647"), "f3ffffff7f05");
  EXPECT_EQ(HexOf("2147483648"), "f4000000800000000009");
  EXPECT_EQ(HexOf("-2147483649"), "f4ffffff7fffffffff09");
  EXPECT_EQ(HexOf("9223372036854775807"), "f4ffffffffffffff7f09");
  EXPECT_EQ(HexOf("-9223372036854775808"), "f4000000000000008009");
}

TEST(Listpack, StringsAreEncodedAsRedisDoes) {
  EXPECT_EQ(HexOf(""), "8001");
  EXPECT_EQ(HexOf("a"), "816102");
  EXPECT_EQ(HexOf("01"), "82303103");
  EXPECT_EQ(HexOf("-0"), "822d3003");
  EXPECT_EQ(HexOf("9223372036854775808"), "933932323333373230333638353437373538303814");
  struct Case {
    size_t length;
    std::string_view head;
    std::string_view back;
  };
  // Lengths around those where the head or the field behind change their width.
  for (const auto& [length, head, back] : {Case{63, "bf", "40"},
                                           {64, "e040", "42"},
                                           {125, "e07d", "7f"},
                                           {126, "e07e", "0180"},
                                           {4095, "efff", "2081"},
                                           {4096, "f000100000", "2085"},
                                           {16377, "f0f93f0000", "7ffe"},
                                           {16378, "f0fa3f0000", "00ffff"},
                                           {16379, "f0fb3f0000", "018080"},
                                           {2097145, "f0f9ff1f00", "7ffffe"},
                                           {2097146, "f0faff1f00", "00ffffff"},
                                           {2097147, "f0fbff1f00", "01808080"}}) {
    const std::string hex = HexOf(std::string(length, 'x'));
    EXPECT_EQ(hex.size(), head.size() + 2 * length + back.size());
    EXPECT_TRUE(hex.starts_with(head)) << length;
    EXPECT_TRUE(hex.ends_with("78" + std::string(back))) << length;
  }
}

TEST(Listpack, BytesOfAHashAreThoseOfRedis) {
  HeapBytes pack{listpack::kEmpty};
  listpack::InsertPair(pack, listpack::kEnd, "f", "-4096");
  EXPECT_EQ(pack.view(), std::string_view("\x0d\0\0\0\2\0\x81\x66\2\xd0\0\2\xff", 13));
}

TEST(Listpack, MoreThanTheHeaderCanCount) {
  HeapBytes pack{listpack::kEmpty};
  for (int i = 0; i < 65534; ++i) listpack::AppendInteger(pack, i);
  const HeapBytes most{pack.view()};
  EXPECT_EQ(listpack::Count(pack.view()), 65534u);
  for (int i = 65534; i < 70000; ++i) listpack::AppendInteger(pack, i);
  EXPECT_TRUE(listpack::Valid(pack.view()));
  EXPECT_EQ(listpack::Count(pack.view()), 70000u);
  EXPECT_EQ(TextAt(pack.view(), listpack::At(pack.view(), 69998)), "69998");
  EXPECT_EQ(TextAt(pack.view(), listpack::At(pack.view(), -2)), "69998");
  EXPECT_EQ(listpack::At(pack.view(), 70000), listpack::kEnd);
  EXPECT_EQ(listpack::At(pack.view(), -70001), listpack::kEnd);
  listpack::Erase(pack, listpack::First(pack.view()), 69000);
  EXPECT_TRUE(listpack::Valid(pack.view()));
  EXPECT_EQ(listpack::Count(pack.view()), 1000u);

  HeapBytes joined{most.view()};
  listpack::AppendAll(joined, most.view());
  EXPECT_TRUE(listpack::Valid(joined.view()));
  EXPECT_EQ(listpack::Count(joined.view()), 2 * 65534u);
}

TEST(Listpack, AppendsAnother) {
  HeapBytes one{listpack::kEmpty};
  HeapBytes two{listpack::kEmpty};
  for (const auto* value : {"a", "7", ""}) listpack::Append(one, value);
  for (const auto* value : {"-5000", "b"}) listpack::Append(two, value);
  listpack::AppendAll(one, two.view());
  listpack::AppendAll(one, listpack::kEmpty);
  ExpectHolds(one.view(), {"a", "7", "", "-5000", "b"});
  listpack::AppendAll(two, HeapBytes{two.view()}.view());
  ExpectHolds(two.view(), {"-5000", "b", "-5000", "b"});
}

// Redis never writes this, but foreign bytes may hold it.
TEST(Listpack, DigitsKeptAsAString) {
  using namespace std::string_view_literals;
  constexpr auto kPack = "\x0b\0\0\0\1\0\x82\x31\x32\3\xff"sv;
  ASSERT_TRUE(listpack::Valid(kPack));
  EXPECT_EQ(listpack::Find(kPack, listpack::First(kPack), "12"), listpack::First(kPack));
}

// In heap memory of just that size, so that the sanitizer sees reads beyond it.
void ExpectRefused(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  EXPECT_FALSE(listpack::Valid({exact.data(), exact.size()})) << "of " << bytes.size() << " bytes";
}

TEST(Listpack, BrokenBytesAreRefused) {
  HeapBytes pack{listpack::kEmpty};
  for (const auto* value : {"field", "1000", "-100000", "10000000", "5000000000"})
    listpack::Append(pack, value);
  listpack::Append(pack, std::string(100, 'm'));
  listpack::Append(pack, std::string(5000, 'l'));
  const std::string good(pack.view());
  ASSERT_TRUE(listpack::Valid(good));
  ASSERT_TRUE(listpack::Valid(listpack::kEmpty));
  const auto with_true_total = [](std::string bytes) {
    const auto total = static_cast<uint32_t>(bytes.size());
    if (bytes.size() >= 4) std::memcpy(bytes.data(), &total, 4);
    return bytes;
  };
  for (size_t length = 0; length < good.size(); ++length) {
    ExpectRefused(good.substr(0, length));
    ExpectRefused(with_true_total(good.substr(0, length)));
  }
  EXPECT_FALSE(listpack::Valid(good + "x"));
  EXPECT_FALSE(listpack::Valid(with_true_total(good + '\xff')));
  const auto with_byte = [&good](size_t offset, int byte) {
    std::string changed = good;
    changed[offset] = static_cast<char>(byte);
    return changed;
  };
  EXPECT_FALSE(listpack::Valid(with_byte(4, 6))) << "count";
  EXPECT_FALSE(listpack::Valid(with_byte(12, 7))) << "length behind the element";
  EXPECT_FALSE(listpack::Valid(with_byte(12, 0x86))) << "length behind the element goes on";
  for (int first = 0xf5; first < 0xff; ++first) EXPECT_FALSE(listpack::Valid(with_byte(6, first)));
  std::string uncounted = with_byte(4, 0xff);
  uncounted[5] = '\xff';
  EXPECT_TRUE(listpack::Valid(uncounted));
  EXPECT_EQ(listpack::Count(uncounted), 7u);
}

}  // namespace
}  // namespace cinnabar
