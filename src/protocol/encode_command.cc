#include "protocol/encode_command.h"

#include "base/numbers.h"

namespace cinnabar::protocol {
namespace {

void AppendHeader(char type, size_t count, std::string& out) {
  char digits[kInt64TextBytes];
  out += type;
  out.append(digits, FormatInt64(static_cast<int64_t>(count), digits));
  out += "\r\n";
}

}  // namespace

void EncodeCommand(std::span<const std::string_view> argv, std::string& out) {
  AppendHeader('*', argv.size(), out);
  for (std::string_view argument : argv) {
    AppendHeader('$', argument.size(), out);
    out += argument;
    out += "\r\n";
  }
}

}  // namespace cinnabar::protocol
