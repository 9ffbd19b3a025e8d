#include "protocol/encode_command.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cinnabar::protocol {
namespace {

std::string Encoded(const std::vector<std::string_view>& words, std::string before = {}) {
  EncodeCommand(words, before);
  return before;
}

TEST(EncodeCommand, WritesAnArrayOfBulkStrings) {
  EXPECT_EQ(Encoded({"SET", "key", "value"}), "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n");
  EXPECT_EQ(Encoded({"PING"}), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(Encoded({}), "*0\r\n");
}

TEST(EncodeCommand, KeepsEmptyAndBinaryArguments) {
  EXPECT_EQ(Encoded({"GET", ""}), "*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
  EXPECT_EQ(Encoded({"GET", std::string_view()}), "*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
  EXPECT_EQ(Encoded({"GET", std::string_view("\0\r\n$", 4)}),
            std::string("*2\r\n$3\r\nGET\r\n$4\r\n\0\r\n$\r\n", 23));
}

TEST(EncodeCommand, AppendsToWhatIsThere) {
  EXPECT_EQ(Encoded({"PING"}, "*1\r\n$4\r\nPING\r\n"), "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
}

TEST(EncodeCommand, WritesEveryNumberOfDigits) {
  for (size_t size : {size_t{9}, size_t{10}, size_t{99}, size_t{100}, size_t{123'456}, size_t{1'000'000}}) {
    const std::string value(size, 'v');
    EXPECT_EQ(Encoded({value}), "*1\r\n$" + std::to_string(size) + "\r\n" + value + "\r\n");
  }
  const std::vector<std::string_view> many(1234, "x");
  std::string wanted = "*1234\r\n";
  for (size_t i = 0; i < many.size(); ++i) wanted += "$1\r\nx\r\n";
  EXPECT_EQ(Encoded(many), wanted);
}

}  // namespace
}  // namespace cinnabar::protocol
