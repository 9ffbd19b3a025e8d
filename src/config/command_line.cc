#include "config/command_line.h"

#include <algorithm>

#include "base/quote.h"
#include "config/line.h"

namespace cinnabar::config {

namespace {

bool IsOption(const std::string& word) {
  return word.starts_with("--");
}

// "maxmemory 1gb": nothing may follow but the next option. A word whose quotes do not match is left for the
// config loader to complain about.
bool HoldsValue(const std::string& option) {
  auto words = SplitLine(option);
  return !words || words->size() > 1;
}

std::string OptionLines(std::span<const std::string> words, CommandLine& line) {
  std::string text;
  bool option_may_follow = true;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!option_may_follow || !IsOption(word)) {
      if (!text.empty() && text.back() != '\n') text += ' ';
      text += Quoted(word);
      option_may_follow = true;
      continue;
    }
    std::string option = word.substr(2);
    if (!text.empty()) text += '\n';
    text += option;
    bool alone = i + 1 == words.size() || IsOption(words[i + 1]);
    bool empty_save = option == "save" && alone;
    if (empty_save) text += " \"\"";
    if (option == "sentinel") line.sentinel = true;
    option_may_follow = empty_save || option == "sentinel" || HoldsValue(option);
  }
  return text;
}

CommandLine::Action ActionOf(std::span<const std::string> arguments) {
  using Action = CommandLine::Action;
  if (arguments.empty()) return Action::kRun;
  const std::string& word = arguments[0];
  if (word == "-v" || word == "--version") return Action::kVersion;
  if (word == "-h" || word == "--help") return Action::kHelp;
  if (word == "--test-memory") return Action::kTestMemory;
  if (word == "--check-system") return Action::kCheckSystem;
  return Action::kRun;
}

}  // namespace

CommandLine ParseCommandLine(std::span<const std::string> arguments) {
  CommandLine line;
  line.action = ActionOf(arguments);
  if (line.action != CommandLine::Action::kRun || arguments.empty()) return line;
  std::vector<std::string> words(arguments.begin(), arguments.end());
  if (!words.front().starts_with('-')) {
    line.config_path = words.front();
    words.erase(words.begin());
  } else if (words.front() == "-") {
    line.reads_stdin = true;
    words.erase(words.begin());
  }
  if (!words.empty() && words.back() == "-") {
    line.reads_stdin = true;
    words.pop_back();
  }
  line.has_options = !words.empty();
  line.options = OptionLines(words, line);
  return line;
}

}  // namespace cinnabar::config
