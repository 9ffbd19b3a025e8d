#include "replies.h"

#include <gtest/gtest.h>

#include <string>

namespace cinnabar::bench {
namespace {

TEST(ReplyCounter, CountsEveryKindOfReplyHoweverItIsCut) {
  const std::string stream =
      "+OK\r\n:12\r\n$5\r\nhe\r\nl\r\n$-1\r\n$0\r\n\r\n*-1\r\n*0\r\n*3\r\n$1\r\na\r\n*1\r\n:1\r\n$-1\r\n"
      "%1\r\n+k\r\n$2\r\n\n\n\r\n_\r\n,1.5\r\n#t\r\n~2\r\n:1\r\n:2\r\n=7\r\ntxt:abc\r\n-ERR no\r\n";
  constexpr int64_t kReplies = 15;
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    ReplyCounter counter;
    int64_t replies = 0;
    for (size_t at = 0; at < stream.size(); at += piece) {
      replies += counter.Feed(std::string_view(stream).substr(at, piece));
    }
    EXPECT_EQ(replies, kReplies) << "pieces of " << piece;
    EXPECT_EQ(counter.errors(), 1);
    EXPECT_EQ(counter.first_error(), "-ERR no\r\n");
  }
}

TEST(ReplyCounter, CountsAReplyWhenItsLastByteCame) {
  ReplyCounter counter;
  EXPECT_EQ(counter.Feed("*2\r\n$3\r\nabc\r\n$3\r\nabc\r"), 0);
  EXPECT_EQ(counter.Feed("\n"), 1);
}

}  // namespace
}  // namespace cinnabar::bench
