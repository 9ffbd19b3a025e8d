// A command as RESP, as clients send it and journals keep it: an array of bulk strings.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace cinnabar::protocol {

// Appends to `out`.
void EncodeCommand(std::span<const std::string_view> argv, std::string& out);

}  // namespace cinnabar::protocol
