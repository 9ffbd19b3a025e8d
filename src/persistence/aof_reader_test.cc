#include "persistence/aof_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace cinnabar::persistence {
namespace {

using Outcome = AofReader::Outcome;

TEST(AofReader, CommandsAndAnnotations) {
  const std::string_view file = "#TS:1628217473\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n";
  AofReader reader;
  ASSERT_EQ(reader.Next(file), Outcome::kAnnotation);
  EXPECT_EQ(TimestampOf(reader.annotation()), 1628217473);
  size_t at = reader.size();
  ASSERT_EQ(reader.Next(file.substr(at)), Outcome::kCommand);
  ASSERT_EQ(reader.argv().size(), 2u);
  EXPECT_EQ(reader.argv()[1], "0");
  at += reader.size();
  ASSERT_EQ(reader.Next(file.substr(at)), Outcome::kCommand);
  EXPECT_EQ(reader.argv()[0], "PING");
  EXPECT_EQ(at + reader.size(), file.size());
}

TEST(AofReader, EveryCutIsIncomplete) {
  const std::string file("*2\r\n$3\r\nGET\r\n$5\r\na\r\nbc\r\n");
  AofReader reader;
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(reader.Next(std::string_view(file).substr(0, size)), Outcome::kIncomplete) << size;
    EXPECT_LE(reader.size(), file.size());
  }
  EXPECT_EQ(reader.Next(file), Outcome::kCommand);
}

TEST(AofReader, WhatIsNoCommand) {
  AofReader reader;
  for (std::string_view bytes :
       {"hello\r\n", "*0\r\n", "*-1\r\n", "*x\r\n", "*1\n", "*1\r\n#3\r\nGET\r\n", "*1\r\n$-1\r\n",
        "*1\r\n$3\r\nGETxx", "*99999999999\r\n", "*1\r\n$99999999999999\r\n"}) {
    EXPECT_EQ(reader.Next(bytes), Outcome::kBadFormat) << bytes;
  }
  EXPECT_EQ(reader.Next("*" + std::string(200, '1')), Outcome::kBadFormat);
}

}  // namespace
}  // namespace cinnabar::persistence
