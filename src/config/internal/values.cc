#include "config/internal/values.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/numbers.h"
#include "base/quote.h"
#include "config/line.h"

namespace cinnabar::config {

namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

Status OutsideRange(std::string_view min, std::string_view max) {
  return Fail(fmt::format("argument must be between {} and {} inclusive", min, max));
}

Status CheckRange(int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return {};
  return OutsideRange(Int64ToString(min), Int64ToString(max));
}

Status ParseYesNo(const YesNo& kind, const std::string& text, Settings& settings) {
  bool yes = SameWord(text, "yes");
  if (!yes && !SameWord(text, "no")) return Fail("argument must be 'yes' or 'no'");
  kind.field.write(settings) = yes;
  return {};
}

Status ParseInteger(const Integer& kind, const std::string& text, Settings& settings) {
  auto value = ParseInt64(text);
  if (!value) return Fail("argument couldn't be parsed into an integer");
  TRY_STATUS(CheckRange(*value, kind.min, kind.max));
  kind.field.write(settings) = std::clamp(*value, kind.floor, kind.ceiling);
  return {};
}

Status ParseBytes(const Bytes& kind, const std::string& text, Settings& settings) {
  auto value = text.empty() ? 0 : ParseMemorySize(text);
  if (!value) return Fail("argument must be a memory value");
  auto bytes = static_cast<int64_t>(std::min<uint64_t>(*value, kMaxLong));
  TRY_STATUS(CheckRange(bytes, kind.min, kind.max));
  kind.field.write(settings) = std::max(bytes, kind.floor);
  return {};
}

Status ParseOctal(const Octal& kind, const std::string& text, Settings& settings) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  int64_t value = 0;
  for (char c : digits) {
    bool fits = c >= '0' && c <= '7' && value < kMaxLong / 8;
    if (!fits) return Fail("argument couldn't be parsed as an octal number");
    value = value * 8 + (c - '0');
  }
  if (value > 0777) return OutsideRange("0", "777");
  kind.field.write(settings) = value;
  return {};
}

Status ParseChoice(const Choice& kind, const std::string& text, Settings& settings) {
  for (const ChoiceName& name : kind.names) {
    if (!SameWord(name.text, text)) continue;
    kind.write(settings, name.value);
    return {};
  }
  std::string list;
  for (const ChoiceName& name : kind.names) list += fmt::format("{}{}", list.empty() ? "" : ", ", name.text);
  return Fail("argument(s) must be one of the following: " + list);
}

Status ParseText(const Text& kind, const std::string& text, Settings& settings) {
  std::string_view complaint = kind.refuse ? kind.refuse(text) : std::string_view();
  if (!complaint.empty()) return Fail(std::string(complaint));
  kind.field.write(settings) = text;
  return {};
}

std::string_view NameOf(const Choice& kind, const Settings& settings) {
  int value = kind.read(settings);
  for (const ChoiceName& name : kind.names) {
    if (name.value == value) return name.text;
  }
  return "";
}

// The words of a value that is written without quotes around the whole: "a b", or "" when there are none.
std::string Words(std::string text) {
  return text.empty() ? "\"\"" : text;
}

}  // namespace

std::vector<std::string> SplitKeepEmpty(std::string_view text, char separator) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  for (size_t start = 0;;) {
    size_t end = text.find(separator, start);
    parts.emplace_back(text.substr(start, end - start));
    if (end == std::string_view::npos) return parts;
    start = end + 1;
  }
}

std::string FormatBytes(int64_t bytes) {
  constexpr int64_t kKilo = 1024;
  if (bytes > 0) {
    if (bytes % (kKilo * kKilo * kKilo) == 0) return fmt::format("{}gb", bytes / (kKilo * kKilo * kKilo));
    if (bytes % (kKilo * kKilo) == 0) return fmt::format("{}mb", bytes / (kKilo * kKilo));
    if (bytes % kKilo == 0) return fmt::format("{}kb", bytes / kKilo);
  }
  return Int64ToString(bytes);
}

Status ParseValue(const Param& param, std::span<const std::string> arguments, Write write,
                  Settings& settings) {
  if (!param.Has(kMultiArg) && arguments.size() != 1) return Fail("wrong number of arguments");
  return std::visit(Overloaded{
                        [&](const YesNo& kind) { return ParseYesNo(kind, arguments[0], settings); },
                        [&](const Integer& kind) { return ParseInteger(kind, arguments[0], settings); },
                        [&](const Bytes& kind) { return ParseBytes(kind, arguments[0], settings); },
                        [&](const Octal& kind) { return ParseOctal(kind, arguments[0], settings); },
                        [&](const Choice& kind) { return ParseChoice(kind, arguments[0], settings); },
                        [&](const Text& kind) { return ParseText(kind, arguments[0], settings); },
                        [&](const Special* kind) {
                          if (!param.Has(kMultiArg) || arguments.size() != 1)
                            return kind->parse(settings, arguments, write);
                          return kind->parse(settings, SplitKeepEmpty(arguments[0], ' '), write);
                        },
                    },
                    param.value);
}

std::string FormatValue(const Param& param, const Settings& settings) {
  return std::visit(
      Overloaded{
          [&](const YesNo& kind) { return std::string(kind.field.read(settings) ? "yes" : "no"); },
          [&](const Integer& kind) { return Int64ToString(kind.field.read(settings)); },
          [&](const Bytes& kind) { return Int64ToString(kind.field.read(settings)); },
          [&](const Octal& kind) { return fmt::format("{:o}", kind.field.read(settings)); },
          [&](const Choice& kind) { return std::string(NameOf(kind, settings)); },
          [&](const Text& kind) { return kind.field.read(settings); },
          [&](const Special* kind) { return kind->format(settings); },
      },
      param.value);
}

std::vector<RewriteLine> FormatLines(const Param& param, const Settings& now, const Settings& defaults) {
  if (const auto* special = std::get_if<const Special*>(&param.value); special && (*special)->lines) {
    return (*special)->lines(now, defaults);
  }
  std::string text = FormatValue(param, now);
  bool changed = text != FormatValue(param, defaults);
  if (const auto* kind = std::get_if<Bytes>(&param.value)) text = FormatBytes(kind->field.read(now));
  if (std::holds_alternative<Text>(param.value)) {
    text = Quoted(text);
  } else {
    text = Words(std::move(text));
  }
  return {{std::move(text), changed ? Presence::kAlways : Presence::kWithAnyLine}};
}

std::string DescribeSyntax(const Param& param) {
  auto range = [](int64_t min, int64_t max) {
    bool open = max == kMaxLong || max == kMaxInt || max == kMaxUnsigned;
    if (min == kMinInt) return std::string("integer");
    return open ? fmt::format("{} or more", min) : fmt::format("{} to {}", min, max);
  };
  return std::visit(Overloaded{
                        [&](const YesNo&) { return std::string("yes | no"); },
                        [&](const Integer& kind) { return range(kind.min, kind.max); },
                        [&](const Bytes&) { return std::string("bytes, or with a unit: 100mb"); },
                        [&](const Octal&) { return std::string("octal permissions, 0 to 777"); },
                        [&](const Choice& kind) {
                          std::string list;
                          for (const ChoiceName& name : kind.names) {
                            list += fmt::format("{}{}", list.empty() ? "" : " | ", name.text);
                          }
                          return list;
                        },
                        [&](const Text&) { return std::string("text"); },
                        [&](const Special* kind) { return std::string(kind->syntax); },
                    },
                    param.value);
}

}  // namespace cinnabar::config
