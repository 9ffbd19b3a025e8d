#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"

namespace cinnabar::persistence {
namespace {

constexpr uint64_t kLengths[] = {0, 1, 63, 64, 16383, 16384, 0xffffffff, 0x100000000, ~uint64_t{0}};

TEST(RdbPrimitives, LengthsTakeTheLeastBytes) {
  constexpr size_t kBytes[] = {1, 1, 1, 2, 2, 5, 5, 9, 9};
  for (size_t i = 0; i < std::size(kLengths); ++i) {
    std::string bytes;
    RdbWriter(bytes, Compression::kNone).Length(kLengths[i]);
    EXPECT_EQ(bytes.size(), kBytes[i]);
    RdbReader in(bytes);
    EXPECT_EQ(in.Length(), kLengths[i]);
    EXPECT_FALSE(in.failed());
    EXPECT_EQ(in.left(), 0u);
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      RdbReader broken(std::string_view(bytes).substr(0, cut));
      EXPECT_EQ(broken.Length(), 0u);
      EXPECT_EQ(broken.fault(), RdbFault::kTruncated);
    }
  }
}

std::string Written(std::string_view text, Compression compression) {
  std::string bytes;
  RdbWriter(bytes, compression).String(text);
  return bytes;
}

TEST(RdbPrimitives, StringsComeBack) {
  const std::string texts[] = {"",
                               "a",
                               "0",
                               "-128",
                               "128",
                               "32768",
                               "-2147483648",
                               "2147483648",
                               "012",
                               "-0",
                               "9223372036854775807",
                               std::string(20, 'a'),
                               std::string(21, 'a'),
                               std::string(100000, 'b'),
                               std::string("a\0b", 3)};
  for (const std::string& text : texts) {
    for (Compression compression : {Compression::kNone, Compression::kLzf}) {
      const std::string bytes = Written(text, compression);
      RdbReader in(bytes);
      RdbRoom room;
      EXPECT_EQ(in.String(room), text);
      EXPECT_FALSE(in.failed());
      EXPECT_EQ(in.left(), 0u);
      for (size_t cut = 0; cut < std::min<size_t>(bytes.size(), 64); ++cut) {
        RdbReader broken(std::string_view(bytes).substr(0, cut));
        EXPECT_EQ(broken.String(room), "");
        EXPECT_TRUE(broken.failed());
      }
    }
  }
}

TEST(RdbPrimitives, StringsAreShort) {
  EXPECT_EQ(Written("127", Compression::kNone), std::string("\xc0\x7f"));
  EXPECT_EQ(Written("-129", Compression::kNone), std::string("\xc1\x7f\xff"));
  EXPECT_EQ(Written("65536", Compression::kNone), std::string("\xc2\0\0\1\0", 5));
  EXPECT_EQ(Written("2147483648", Compression::kNone).size(), 11u);
  EXPECT_EQ(Written(std::string(20, 'a'), Compression::kLzf).size(), 21u);
  EXPECT_LT(Written(std::string(21, 'a'), Compression::kLzf).size(), 12u);
  std::string same;
  RdbWriter(same, Compression::kNone).Integer(-129);
  EXPECT_EQ(same, Written("-129", Compression::kNone));
}

TEST(RdbPrimitives, WhatIsNoStringIsRefused) {
  const std::string_view broken[] = {
      {"\xc4", 1},                          // an unknown encoding
      {"\xbf", 1},                          // an unknown form of length
      {"\xc3\3\x40\x64\xff\xff\xff", 7},    // LZF bytes that point before their beginning
      {"\xc3\0\0", 3},                      // nothing, compressed
      {"\xc3\1\x80\x7f\xff\xff\xff\0", 8},  // one byte that claims to become two gigabytes
  };
  for (std::string_view bytes : broken) {
    RdbReader in(bytes);
    RdbRoom room;
    EXPECT_EQ(in.String(room), "");
    EXPECT_EQ(in.fault(), RdbFault::kCorrupt);
    EXPECT_LT(room.bytes.capacity(), 1000u);
  }
  RdbReader in(std::string_view("\xc0\1", 2));
  EXPECT_EQ(in.Length(), 0u);
  EXPECT_EQ(in.fault(), RdbFault::kCorrupt);
}

TEST(RdbPrimitives, TheFirstFaultStays) {
  RdbReader in("");
  in.FailCorrupt("one");
  in.Fail(RdbFault::kEmpty, "two");
  EXPECT_EQ(in.reason(), "one");
  EXPECT_EQ(in.fault(), RdbFault::kCorrupt);
  EXPECT_EQ(in.Double(), 0);
  EXPECT_EQ(in.Moment(), 0);
}

TEST(RdbPrimitives, CountsAreNotBelieved) {
  RdbReader in(
      std::string_view("\x3f"
                       "abc",
                       4));
  EXPECT_EQ(in.Count(1), 0u);
  EXPECT_EQ(in.fault(), RdbFault::kTruncated);
}

TEST(RdbPrimitives, Scores) {
  std::string bytes;
  RdbWriter out(bytes, Compression::kNone);
  for (double score : {0.0, -1.5, 1e300, std::numeric_limits<double>::infinity()}) out.Double(score);
  out.Moment(1234567890123);
  RdbReader in(bytes);
  EXPECT_EQ(in.Double(), 0.0);
  EXPECT_EQ(in.Double(), -1.5);
  EXPECT_EQ(in.Double(), 1e300);
  EXPECT_TRUE(std::isinf(in.Double()));
  EXPECT_EQ(in.Moment(), 1234567890123);
  EXPECT_FALSE(in.failed());
  RdbReader texts(
      std::string_view("\3"
                       "1.5\xfe\xff",
                       6));
  EXPECT_EQ(texts.TextDouble(), 1.5);
  EXPECT_GT(texts.TextDouble(), 1e308);
  EXPECT_LT(texts.TextDouble(), -1e308);
  EXPECT_FALSE(texts.failed());
  for (std::string_view broken : {std::string_view("\xfd", 1),
                                  std::string_view("\3"
                                                   "nan",
                                                   4),
                                  std::string_view("\2"
                                                   "1x",
                                                   3),
                                  std::string_view("\0", 1)}) {
    RdbReader refused(broken);
    EXPECT_EQ(refused.TextDouble(), 0);
    EXPECT_EQ(refused.fault(), RdbFault::kCorrupt);
  }
}

TEST(RdbPrimitives, ASinkGetsLargePieces) {
  class Collector final : public ByteSink {
   public:
    void Take(std::string_view bytes) override {
      all.append(bytes);
      largest = std::max(largest, bytes.size());
    }
    std::string all;
    size_t largest = 0;
  };
  Collector collector;
  std::string bytes, whole;
  RdbWriter out(bytes, Compression::kNone, &collector);
  RdbWriter reference(whole, Compression::kNone);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = "text number " + std::to_string(i);
    out.String(text);
    reference.String(text);
  }
  EXPECT_EQ(collector.all + bytes, whole);
  EXPECT_LT(collector.largest, 128u * 1024);
}

}  // namespace
}  // namespace cinnabar::persistence
