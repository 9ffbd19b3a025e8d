#include "protocol/encode_command.h"

#include <cstring>

#include "base/numbers.h"

namespace cinnabar::protocol {
namespace {

// '*' or '$', a number, "\r\n"
constexpr size_t kHeaderBytesMax = 1 + kInt64TextBytes + 2;

char* PutLineEnd(char* out) {
  out[0] = '\r';
  out[1] = '\n';
  return out + 2;
}

char* PutHeader(char type, size_t count, char* out) {
  *out++ = type;
  if (count < 100) {
    if (count >= 10) *out++ = static_cast<char>('0' + count / 10);
    *out++ = static_cast<char>('0' + count % 10);
  } else {
    out += FormatInt64(static_cast<int64_t>(count), out);
  }
  return PutLineEnd(out);
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
