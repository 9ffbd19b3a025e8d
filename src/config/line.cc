#include "config/line.h"

#include "base/ascii.h"
#include "base/quote.h"
#include "base/words.h"

namespace cinnabar::config {

std::optional<std::vector<std::string>> SplitLine(std::string_view line) {
  WordReader reader(line.substr(0, line.find('\0')));
  std::vector<std::string> words;
  while (!reader.AtEnd()) {
    if (!reader.ReadWord(words.emplace_back())) return std::nullopt;
  }
  return words;
}

std::optional<std::string_view> TextBeforeComment(std::string_view line) {
  line = line.substr(0, line.find('\0'));
  WordReader reader(line);
  while (!reader.AtEnd()) {
    const std::string_view rest = reader.rest();
    if (rest[0] == '#' && (rest.size() == 1 || IsSpace(rest[1])))
      return line.substr(0, line.size() - rest.size());
    std::string ignored;
    if (!reader.ReadWord(ignored)) return std::nullopt;
  }
  return std::nullopt;
}

std::string QuoteArgumentIfNeeded(std::string_view text) {
  if (text.empty()) return "\"\"";
  for (char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\') return Quoted(text);
  }
  return std::string(text);
}

}  // namespace cinnabar::config
