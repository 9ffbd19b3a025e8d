#include "protocol/reply_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace cinnabar::protocol {
namespace {

std::string Drain(OutputBuffer& output) {
  std::string text;
  iovec parts[16];
  while (int count = output.Gather(parts, 16)) {
    size_t sum = 0;
    for (int i = 0; i < count; ++i) {
      text.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
      sum += parts[i].iov_len;
    }
    output.Consume(sum);
  }
  return text;
}

void ExpectReply(const std::function<void(ReplyWriter&)>& write, const std::string& resp2,
                 const std::string& resp3) {
  for (Resp version : {Resp::k2, Resp::k3}) {
    OutputBuffer output(OutputBuffer::kFixedBytesMin);
    ReplyWriter writer(output, version);
    write(writer);
    EXPECT_EQ(Drain(output), version == Resp::k2 ? resp2 : resp3);
  }
}

void ExpectBoth(const std::function<void(ReplyWriter&)>& write, const std::string& reply) {
  ExpectReply(write, reply, reply);
}

TEST(ReplyWriter, SameInBothVersions) {
  ExpectBoth([](ReplyWriter& w) { w.Ok(); }, "+OK\r\n");
  ExpectBoth([](ReplyWriter& w) { w.Simple("PONG"); }, "+PONG\r\n");
  ExpectBoth([](ReplyWriter& w) { w.Integer(std::numeric_limits<int64_t>::min()); },
             ":-9223372036854775808\r\n");
  ExpectBoth([](ReplyWriter& w) { w.Bulk(std::string_view()); }, "$0\r\n\r\n");
  ExpectBoth([](ReplyWriter& w) { w.Bulk(std::string_view("a\r\nb", 4)); }, "$4\r\na\r\nb\r\n");
  ExpectBoth([](ReplyWriter& w) { w.Bulk(SharedBytes::Copy("linked")); }, "$6\r\nlinked\r\n");
  ExpectBoth([](ReplyWriter& w) { w.BulkInteger(-12); }, "$3\r\n-12\r\n");
  ExpectBoth([](ReplyWriter& w) { w.BulkArray({"a", ""}); }, "*2\r\n$1\r\na\r\n$0\r\n\r\n");
}

TEST(ReplyWriter, Fallbacks) {
  ExpectReply([](ReplyWriter& w) { w.Null(); }, "$-1\r\n", "_\r\n");
  ExpectReply([](ReplyWriter& w) { w.NullArray(); }, "*-1\r\n", "_\r\n");
  ExpectReply([](ReplyWriter& w) { w.Boolean(true); }, ":1\r\n", "#t\r\n");
  ExpectReply([](ReplyWriter& w) { w.Boolean(false); }, ":0\r\n", "#f\r\n");
  ExpectReply([](ReplyWriter& w) { w.Double(3.5); }, "$3\r\n3.5\r\n", ",3.5\r\n");
  ExpectReply([](ReplyWriter& w) { w.Double(0.1); }, "$3\r\n0.1\r\n", ",0.1\r\n");
  const auto in_full = [](double value) {
    return [value](ReplyWriter& w) {
      w.set_digits(Digits::kSeventeen);
      w.Double(value);
    };
  };
  ExpectReply(in_full(0.1), "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n");
  ExpectReply(in_full(3), "$1\r\n3\r\n", ",3\r\n");
  ExpectReply(in_full(INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
  ExpectReply([](ReplyWriter& w) { w.Double(-INFINITY); }, "$4\r\n-inf\r\n", ",-inf\r\n");
  ExpectReply([](ReplyWriter& w) { w.BigNumber("123456789012345678901"); },
              "$21\r\n123456789012345678901\r\n", "(123456789012345678901\r\n");
  ExpectReply([](ReplyWriter& w) { w.Verbatim("txt", "hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
  ExpectReply([](ReplyWriter& w) { w.Map(2); }, "*4\r\n", "%2\r\n");
  ExpectReply([](ReplyWriter& w) { w.Set(3); }, "*3\r\n", "~3\r\n");
  ExpectReply([](ReplyWriter& w) { w.Push(1); }, "*1\r\n", ">1\r\n");
}

TEST(ReplyWriter, ErrorsAreOneLineAndCounted) {
  OutputBuffer output(OutputBuffer::kFixedBytesMin);
  ReplyWriter writer(output, Resp::k2);
  writer.Error("ERR a\r\nb");
  EXPECT_EQ(Drain(output), "-ERR a  b\r\n");
  EXPECT_EQ(writer.errors(), 1u);
  EXPECT_EQ(writer.last_error(), "ERR a  b");
}

TEST(ReplyWriter, SizesKnownLater) {
  ExpectReply(
      [](ReplyWriter& w) {
        w.Begin(ReplyWriter::Aggregate::kMap);
        w.Simple("inner");
        w.Begin(ReplyWriter::Aggregate::kSet);
        w.Integer(1);
        w.Bulk(std::string(5000, 'x'));
        w.End(2);
        w.End(1);
        w.Ok();
      },
      "*2\r\n+inner\r\n*2\r\n:1\r\n$5000\r\n" + std::string(5000, 'x') + "\r\n+OK\r\n",
      "%1\r\n+inner\r\n~2\r\n:1\r\n$5000\r\n" + std::string(5000, 'x') + "\r\n+OK\r\n");
}

TEST(ReplyWriter, Redirects) {
  OutputBuffer first(OutputBuffer::kFixedBytesMin), second(OutputBuffer::kFixedBytesMin);
  ReplyWriter writer(first, Resp::k2);
  EXPECT_EQ(&writer.Redirect(second), &first);
  writer.Ok();
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(Drain(second), "+OK\r\n");
}

}  // namespace
}  // namespace cinnabar::protocol
