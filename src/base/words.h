// The words of a line, as Redis splits its config files, its inline requests and its manifests:
//
//   maxmemory 100mb              -> maxmemory | 100mb
//   requirepass "a b\x01"        -> requirepass | a b\1
//   logfile ''                   -> logfile | (empty)
//
// Words are separated by white space. Inside double quotes \n \r \t \a \b, \xHH and \<any character> are
// understood; inside single quotes only \'. A closing quote must end its word.
#pragma once

#include <string>
#include <string_view>

namespace cinnabar {

// Reads one word after the other. The line must outlive it.
class WordReader {
 public:
  explicit WordReader(std::string_view line) : rest_(line) {}

  // Skips white space.
  bool AtEnd();
  // Appends the next word to `word`. False when its quotes do not match. REQUIRES: not AtEnd().
  bool ReadWord(std::string& word);
  // What is not read yet.
  std::string_view rest() const { return rest_; }

 private:
  char Take();
  bool AtWordEnd() const;
  bool ReadDoubleQuoted(std::string& word);
  bool ReadSingleQuoted(std::string& word);
  char ReadEscape();

  std::string_view rest_;
};

}  // namespace cinnabar
