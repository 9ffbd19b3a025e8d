#include "scripting/shebang.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/words.h"
#include "dispatch/scripts.h"
#include "scripting/libraries.h"

namespace cinnabar::scripting {
namespace {

namespace ScriptFlag = dispatch::ScriptFlag;

// Also the empty parts; nothing of an empty text.
std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  if (text.empty()) return parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// The words of the first line, or nothing when its quotes do not match.
std::optional<std::vector<std::string>> WordsOfFirstLine(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.find('\0') != std::string_view::npos) return std::nullopt;
  WordReader reader(line);
  std::vector<std::string> words;
  while (!reader.AtEnd()) {
    if (!reader.ReadWord(words.emplace_back())) return std::nullopt;
  }
  return words;
}

}  // namespace

bool GoodFunctionName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

uint32_t FlagOfName(std::string_view name) {
  if (name == "no-writes") return ScriptFlag::kNoWrites;
  if (name == "allow-oom") return ScriptFlag::kAllowOom;
  if (name == "allow-stale") return ScriptFlag::kAllowStale;
  if (name == "no-cluster") return ScriptFlag::kNoCluster;
  if (name == "allow-cross-slot-keys") return ScriptFlag::kAllowCrossSlotKeys;
  return 0;
}

Result<ScriptHead> ReadScriptHead(std::string_view text) {
  if (!text.starts_with("#!")) return ScriptHead{.flags = ScriptFlag::kSaysNothing, .body = text};
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return Fail("Invalid script shebang");
  ScriptHead head{.flags = 0, .body = text.substr(end)};
  const auto words = WordsOfFirstLine(text);
  if (!words || words->empty()) return Fail("Invalid script shebang");
  if ((*words)[0] != "#!lua")
    return Fail(fmt::format("Unexpected engine in script shebang: {}", (*words)[0]));
  for (size_t i = 1; i < words->size(); ++i) {
    const std::string_view word = (*words)[i];
    if (!word.starts_with("flags=")) return Fail(fmt::format("Unknown lua shebang option: {}", word));
    for (std::string_view name : Split(word.substr(6), ',')) {
      const uint32_t flag = FlagOfName(name);
      if (flag == 0) return Fail(fmt::format("Unexpected flag in script shebang: {}", name));
      head.flags |= flag;
    }
  }
  return head;
}

Result<LibraryHead> ReadLibraryHead(std::string_view code) {
  if (!code.starts_with("#!")) return Fail("Missing library metadata");
  const size_t end = code.find('\n');
  if (end == std::string_view::npos) return Fail("Invalid library metadata");
  const auto words = WordsOfFirstLine(code);
  if (!words || words->empty()) return Fail("Invalid library metadata");
  const std::string engine = (*words)[0].substr(2);
  LibraryHead head{.name = {}, .body = code.substr(end)};
  for (size_t i = 1; i < words->size(); ++i) {
    const std::string& word = (*words)[i];
    if (!LowerCase(word).starts_with("name="))
      return Fail(fmt::format("Invalid metadata value given: {}", word));
    if (!head.name.empty()) return Fail("Invalid metadata value, name argument was given multiple times");
    head.name = word.substr(5);
    if (!GoodFunctionName(head.name))
      return Fail(
          "Library names can only contain letters, numbers, or underscores(_) and must be at least one "
          "character long");
  }
  if (head.name.empty()) return Fail("Library name was not given");
  if (LowerCase(engine) != "lua") return Fail(fmt::format("Engine '{}' not found", engine));
  return head;
}

}  // namespace cinnabar::scripting
