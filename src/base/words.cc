#include "base/words.h"

#include "base/ascii.h"

namespace cinnabar {

namespace {

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

}  // namespace

bool WordReader::AtEnd() {
  while (!rest_.empty() && IsSpace(rest_[0])) rest_.remove_prefix(1);
  return rest_.empty();
}

bool WordReader::ReadWord(std::string& word) {
  while (!AtWordEnd()) {
    const char c = Take();
    if (c == '"') return ReadDoubleQuoted(word);
    if (c == '\'') return ReadSingleQuoted(word);
    word += c;
  }
  return true;
}

char WordReader::Take() {
  const char c = rest_[0];
  rest_.remove_prefix(1);
  return c;
}

bool WordReader::AtWordEnd() const {
  return rest_.empty() || IsSpace(rest_[0]);
}

bool WordReader::ReadDoubleQuoted(std::string& word) {
  while (!rest_.empty()) {
    char c = Take();
    if (c == '"') return AtWordEnd();
    if (c == '\\' && !rest_.empty()) c = ReadEscape();
    word += c;
  }
  return false;
}

bool WordReader::ReadSingleQuoted(std::string& word) {
  while (!rest_.empty()) {
    char c = Take();
    if (c == '\'') return AtWordEnd();
    if (c == '\\' && !rest_.empty() && rest_[0] == '\'') c = Take();
    word += c;
  }
  return false;
}

char WordReader::ReadEscape() {
  const bool hex = rest_.size() >= 3 && rest_[0] == 'x' && HexDigit(rest_[1]) >= 0 && HexDigit(rest_[2]) >= 0;
  if (!hex) return Unescape(Take());
  const char byte = static_cast<char>(HexDigit(rest_[1]) * 16 + HexDigit(rest_[2]));
  rest_.remove_prefix(3);
  return byte;
}

}  // namespace cinnabar
