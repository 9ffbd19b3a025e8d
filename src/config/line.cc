#include "config/line.h"

#include <fmt/format.h>

namespace cinnabar::config {

namespace {

bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads words from one line. The methods return false when the line is malformed.
class WordReader {
 public:
  explicit WordReader(std::string_view line) : rest_(line) {}

  bool AtEnd() {
    while (!rest_.empty() && IsSpace(rest_[0])) rest_.remove_prefix(1);
    return rest_.empty();
  }

  // REQUIRES: not AtEnd().
  bool AtComment() const { return rest_[0] == '#' && (rest_.size() == 1 || IsSpace(rest_[1])); }

  size_t rest_size() const { return rest_.size(); }

  bool ReadWord(std::string& word) {
    while (!rest_.empty() && !IsSpace(rest_[0])) {
      char c = Take();
      if (c == '"' || c == '\'') return c == '"' ? ReadDoubleQuoted(word) : ReadSingleQuoted(word);
      word += c;
    }
    return true;
  }

 private:
  char Take() {
    char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  bool AtWordEnd() const { return rest_.empty() || IsSpace(rest_[0]); }

  bool ReadDoubleQuoted(std::string& word) {
    while (!rest_.empty()) {
      char c = Take();
      if (c == '"') return AtWordEnd();
      if (c == '\\' && !rest_.empty()) c = ReadEscape();
      word += c;
    }
    return false;
  }

  char ReadEscape() {
    bool hex = rest_.size() >= 3 && rest_[0] == 'x' && HexDigit(rest_[1]) >= 0 && HexDigit(rest_[2]) >= 0;
    if (!hex) return Unescape(Take());
    char byte = static_cast<char>(HexDigit(rest_[1]) * 16 + HexDigit(rest_[2]));
    rest_.remove_prefix(3);
    return byte;
  }

  bool ReadSingleQuoted(std::string& word) {
    while (!rest_.empty()) {
      char c = Take();
      if (c == '\'') return AtWordEnd();
      if (c == '\\' && !rest_.empty() && rest_[0] == '\'') c = Take();
      word += c;
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

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
    if (reader.AtComment()) return line.substr(0, line.size() - reader.rest_size());
    std::string ignored;
    if (!reader.ReadWord(ignored)) return std::nullopt;
  }
  return std::nullopt;
}

std::string QuoteArgument(std::string_view text) {
  constexpr std::string_view kEscaped = "\n\r\t\a\b\\\"";
  constexpr std::string_view kLetters = "nrtab\\\"";
  std::string quoted = "\"";
  for (char c : text) {
    if (size_t at = kEscaped.find(c); at != std::string_view::npos) {
      quoted += '\\';
      quoted += kLetters[at];
    } else if (c >= ' ' && c <= '~') {
      quoted += c;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return quoted + '"';
}

std::string QuoteArgumentIfNeeded(std::string_view text) {
  if (text.empty()) return "\"\"";
  for (char c : text) {
    if (c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\') return QuoteArgument(text);
  }
  return std::string(text);
}

}  // namespace cinnabar::config
