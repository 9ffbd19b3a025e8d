#include "structures/ziplist.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "structures/zipmap.h"

namespace cinnabar {
namespace {

using namespace std::string_literals;

std::vector<std::string> Texts(std::string_view pack) {
  std::vector<std::string> texts;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    listpack::Digits digits;
    texts.emplace_back(listpack::Get(pack, at).Text(digits));
  }
  return texts;
}

// What a ziplist holds; "broken" when it is none.
std::vector<std::string> InZiplist(const std::string& bytes) {
  HeapBytes pack(listpack::kEmpty);
  if (!ziplist::AppendTo(pack, bytes)) return {"broken"};
  return Texts(pack.view());
}
std::vector<std::string> InZipmap(const std::string& bytes) {
  HeapBytes pack(listpack::kEmpty);
  if (!zipmap::AppendTo(pack, bytes)) return {"broken"};
  return Texts(pack.view());
}

using Expected = std::vector<std::string>;
const Expected kBroken{"broken"};

// Header, elements, end.
std::string Ziplist(const std::string& elements, uint32_t last, uint16_t count) {
  const auto size = static_cast<uint32_t>(11 + elements.size());
  std::string bytes(10, '\0');
  std::memcpy(bytes.data(), &size, 4);
  std::memcpy(bytes.data() + 4, &last, 4);
  std::memcpy(bytes.data() + 8, &count, 2);
  return bytes + elements + '\xff';
}

TEST(Ziplist, EveryKindOfElement) {
  EXPECT_EQ(InZiplist(Ziplist("", 10, 0)), Expected{});
  EXPECT_EQ(InZiplist(Ziplist("\0\2hi"s, 10, 1)), Expected{"hi"});
  const std::string numbers = "\0\xf1"s + "\2\xfd"s + "\2\xfe\x80"s + "\3\xc0\0\x80"s + "\4\xf0\0\0\x80"s +
                              "\5\xd0\xff\xff\xff\x7f"s + "\6\xe0\0\0\0\0\0\0\0\x80"s;
  EXPECT_EQ(InZiplist(Ziplist(numbers, static_cast<uint32_t>(10 + numbers.size() - 10), 7)),
            (Expected{"0", "12", "-128", "-32768", "-8388608", "2147483647", "-9223372036854775808"}));
  const std::string middle(300, 'm'), large(20000, 'l');
  const std::string strings = "\0\x41\x2c"s + middle + "\xfe\x2f\1\0\0\x80\0\0\x4e\x20"s + large;
  EXPECT_EQ(InZiplist(Ziplist(strings, 10 + 303, 2)), (Expected{middle, large}));
}

TEST(Ziplist, UncountedAndWideLengthsAreFine) {
  EXPECT_EQ(InZiplist(Ziplist("\0\1a\3\1b"s, 13, 65535)), (Expected{"a", "b"}));
  EXPECT_EQ(InZiplist(Ziplist("\0\1a\xfe\3\0\0\0\1b"s, 13, 2)), (Expected{"a", "b"}));
}

TEST(Ziplist, LiesAreFound) {
  const std::string good = Ziplist("\0\1a\3\1b"s, 13, 2);
  ASSERT_EQ(InZiplist(good), (Expected{"a", "b"}));
  for (size_t cut = 0; cut < good.size(); ++cut) EXPECT_EQ(InZiplist(good.substr(0, cut)), kBroken) << cut;
  EXPECT_EQ(InZiplist(good + "x"), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\0\1a\3\1b"s, 12, 2)), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\0\1a\3\1b"s, 13, 3)), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\1\1a\3\1b"s, 13, 2)), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\0\1a\4\1b"s, 13, 2)), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\0\1a\3\7b"s, 13, 2)), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\0\xef"s, 10, 1)), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\0\x81\0\0\0\1a"s, 10, 1)), kBroken);
  EXPECT_EQ(InZiplist(Ziplist("\0\x80\xff\xff\xff\xff"s, 10, 1)), kBroken);
}

TEST(Zipmap, PairsWithUnusedBytes) {
  EXPECT_EQ(InZipmap("\0\xff"s), Expected{});
  EXPECT_EQ(InZipmap("\2\1f\1\0v\0\2\2"
                     "12??\xff"s),
            (Expected{"f", "v", "", "12"}));
  const std::string value(300, 'v');
  EXPECT_EQ(InZipmap("\xfe\1f\xfe\x2c\1\0\0\0"s + value + "\xff"), (Expected{"f", value}));
}

TEST(Zipmap, LiesAreFound) {
  const std::string good = "\1\1f\1\1v?\xff"s;
  ASSERT_EQ(InZipmap(good), (Expected{"f", "v"}));
  for (size_t cut = 0; cut < good.size(); ++cut) EXPECT_EQ(InZipmap(good.substr(0, cut)), kBroken) << cut;
  EXPECT_EQ(InZipmap(good + "x"), kBroken);
  EXPECT_EQ(InZipmap("\2\1f\1\1v?\xff"s), kBroken);
  EXPECT_EQ(InZipmap("\1\xfe\xff\xff\xff\xff\1\1v?\xff"s), kBroken);
}

}  // namespace
}  // namespace cinnabar
