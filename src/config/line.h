// Lines of a config file as words (base/words.h), and back. A zero byte ends the line.
//
// Redis knows no comment behind a directive: # is a character like any other. Where that makes a line an
// error, the loader takes the line without its comment, which begins at the first bare word "#":
//
//   maxmemory 4gb # our cap      -> an error with three words more; so maxmemory | 4gb
//   requirepass #secret          -> requirepass | #secret
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cinnabar::config {

// Nothing when quotes do not match.
std::optional<std::vector<std::string>> SplitLine(std::string_view line);

// What stands before the comment: before the first "#" outside quotes that is a word of its own. Nothing when
// there is none.
std::optional<std::string_view> TextBeforeComment(std::string_view line);

// The text in double quotes (Quoted), such that SplitLine gives it back whatever bytes it holds; bare when no
// quotes are needed.
std::string QuoteArgumentIfNeeded(std::string_view text);

}  // namespace cinnabar::config
