// Values as text: parsing and printing each kind of parameter. Error texts are the ones Redis answers.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/internal/param.h"

namespace cinnabar::config {

// Stores the arguments of a directive. On an error `settings` may be half changed: work on a copy.
Status ParseValue(const Param& param, std::span<const std::string> arguments, Write write,
                  Settings& settings);

// What CONFIG GET answers.
std::string FormatValue(const Param& param, const Settings& settings);

// The lines that describe the value in a config file, without the directive's name.
std::vector<RewriteLine> FormatLines(const Param& param, const Settings& now, const Settings& defaults);

// What the value may be, for people: "yes | no", "0 … 65535".
std::string DescribeSyntax(const Param& param);

// 67108864 -> "64mb"; amounts that are no multiple of a unit stay plain.
std::string FormatBytes(int64_t bytes);

// The parts between single separators, empty ones included; nothing for an empty text.
std::vector<std::string> SplitKeepEmpty(std::string_view text, char separator);

}  // namespace cinnabar::config
