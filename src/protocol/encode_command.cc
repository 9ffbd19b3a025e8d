#include "protocol/encode_command.h"

#include <cstring>

#include "base/numbers.h"
#include "base/unaligned.h"

namespace cinnabar::protocol {
namespace {

// '*' or '$', a number, "\r\n"
constexpr size_t kHeaderBytesMax = 1 + kInt64TextBytes + 2;

char* PutLineEnd(char* out) {
  out[0] = '\r';
  out[1] = '\n';
  return out + 2;
}

// Most numbers have one or two digits: one store for all of it. There is room for kHeaderBytesMax.
char* PutHeader(char type, size_t count, char* out) {
  constexpr uint64_t kLineEnd = '\r' | '\n' << 8;
  if (count < 10) {
    StoreAs<uint32_t>(
        out, static_cast<uint32_t>(static_cast<uint64_t>(type) | ('0' + count) << 8 | kLineEnd << 16));
    return out + 4;
  }
  if (count < 100) {
    const uint64_t digits = ('0' + count / 10) | ('0' + count % 10) << 8;
    StoreAs<uint64_t>(out, static_cast<uint64_t>(type) | digits << 8 | kLineEnd << 24);
    return out + 5;
  }
  *out++ = type;
  return PutLineEnd(out + FormatInt64(static_cast<int64_t>(count), out));
}

}  // namespace

void EncodeCommand(std::span<const std::string_view> argv, std::string& out) {
  size_t bytes_max = kHeaderBytesMax;
  for (std::string_view argument : argv) bytes_max += kHeaderBytesMax + argument.size() + 2;
  const size_t before = out.size();
  // Every change passes through here: one look at the room, and no byte is written twice.
  out.resize_and_overwrite(before + bytes_max, [&](char* text, size_t) {
    char* end = PutHeader('*', argv.size(), text + before);
    for (std::string_view argument : argv) {
      end = PutHeader('$', argument.size(), end);
      if (!argument.empty()) std::memcpy(end, argument.data(), argument.size());
      end = PutLineEnd(end + argument.size());
    }
    return static_cast<size_t>(end - text);
  });
}

}  // namespace cinnabar::protocol
