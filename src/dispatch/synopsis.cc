#include "dispatch/synopsis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace cinnabar::dispatch {
namespace {

constexpr int kDepthMax = 16;

constexpr std::array<std::string_view, 9> kTypeNames = {
    "string", "integer", "double", "key", "pattern", "unix-time", "pure-token", "oneof", "block"};

// Words that are keys unless their type says otherwise.
constexpr std::string_view kKeyNames[] = {"key",         "key1",    "key2",      "newkey", "source",
                                          "destination", "destkey", "sourcekey", "src",    "dst"};

std::optional<ArgumentType> LeafType(std::string_view name) {
  for (size_t i = 0; i <= static_cast<size_t>(ArgumentType::kPureToken); ++i) {
    if (kTypeNames[i] == name) return static_cast<ArgumentType>(i);
  }
  return std::nullopt;
}

ArgumentType DefaultType(std::string_view name) {
  return std::ranges::find(kKeyNames, name) != std::end(kKeyNames) ? ArgumentType::kKey
                                                                   : ArgumentType::kString;
}

bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}

std::string Lowered(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return lowered;
}

bool IsPlainToken(const Argument& argument) {
  return argument.type == ArgumentType::kPureToken && !argument.optional && !argument.multiple;
}

std::string JoinNames(const std::vector<Argument>& arguments) {
  std::string joined;
  for (const Argument& argument : arguments) {
    if (!joined.empty()) joined += '_';
    joined += argument.name;
  }
  return joined;
}

Argument Group(ArgumentType type, std::vector<Argument> arguments) {
  Argument group{.name = JoinNames(arguments), .type = type};
  group.arguments = std::move(arguments);
  return group;
}

// Several arguments in a row as one. A token in front becomes the token of what follows it, unless nothing
// but tokens follows (`NO ONE`).
Argument Block(std::vector<Argument> sequence) {
  const bool leads =
      sequence.size() > 1 && IsPlainToken(sequence.front()) && !std::ranges::all_of(sequence, IsPlainToken);
  if (!leads) return Group(ArgumentType::kBlock, std::move(sequence));
  Argument token = std::move(sequence.front());
  sequence.erase(sequence.begin());
  const bool alone = sequence.size() == 1 && !sequence[0].optional && !sequence[0].token;
  Argument led = alone ? std::move(sequence.front()) : Group(ArgumentType::kBlock, std::move(sequence));
  led.token = std::move(token.token);
  if (!token.since.empty()) led.since = std::move(token.since);
  return led;
}

// Recursive descent, one function for each rule of docs/design/synopsis.md. The first error is kept, and ends
// it.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Argument>> Parse() {
    std::vector<Argument> arguments = Sequence();
    if (error_.empty() && at_ < text_.size()) SetError("unexpected character");
    if (!error_.empty()) return Fail(error_);
    return arguments;
  }

 private:
  void SetError(std::string_view what) {
    if (error_.empty()) error_ = fmt::format("{} at position {} of '{}'", what, at_, text_);
    at_ = text_.size();
  }
  bool AtEnd() const { return at_ >= text_.size(); }
  char Current() const { return AtEnd() ? '\0' : text_[at_]; }
  void SkipSpaces() {
    while (Current() == ' ') ++at_;
  }
  bool Take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  std::string_view Word() {
    const size_t begin = at_;
    while (!AtEnd() && std::string_view(" ()[]|@#").find(text_[at_]) == std::string_view::npos &&
           !text_.substr(at_).starts_with("...")) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  std::vector<Argument> Sequence() {
    std::vector<Argument> sequence;
    for (SkipSpaces(); !AtEnd() && std::string_view(")]|").find(Current()) == std::string_view::npos;
         SkipSpaces()) {
      sequence.push_back(Item());
    }
    return sequence;
  }

  Argument Item() {
    if (Current() == '(' || Current() == '[') return Suffixes(Bracketed({}), true);
    std::string_view word = Word();
    if (word.ends_with(':') && (Current() == '(' || Current() == '[')) {
      word.remove_suffix(1);
      return Suffixes(Bracketed(word), true);
    }
    return Suffixes(Leaf(word), false);
  }

  Argument Leaf(std::string_view word) {
    std::optional<ArgumentType> type;
    const size_t colon = word.rfind(':');
    if (colon != std::string_view::npos) type = LeafType(word.substr(colon + 1));
    const std::string_view head = type ? word.substr(0, colon) : word;
    if (head.empty()) {
      SetError("expected a word");
      return {};
    }
    if (std::ranges::any_of(head, IsLower)) {
      return {.name = std::string(head), .type = type.value_or(DefaultType(head))};
    }
    Argument argument{.type = type.value_or(ArgumentType::kPureToken),
                      .token = head == "\"\"" ? std::string() : std::string(head)};
    if (!type) {
      argument.name = Lowered(head);
      return argument;
    }
    SkipSpaces();
    argument.name = Word();
    if (argument.name.empty()) SetError("expected the name of the argument behind a token");
    return argument;
  }

  Argument Bracketed(std::string_view name) {
    const bool optional = Current() == '[';
    ++at_;
    if (++depth_ > kDepthMax) {
      SetError("too many brackets");
      return {};
    }
    std::vector<std::vector<Argument>> alternatives;
    do {
      alternatives.push_back(Sequence());
      if (alternatives.back().empty()) SetError("expected an argument");
    } while (Take("|"));
    if (!Take(optional ? "]" : ")")) SetError("expected a closing bracket");
    --depth_;
    if (!error_.empty()) return {};
    Argument argument = Join(std::move(alternatives), optional);
    if (!name.empty()) argument.name = name;
    argument.optional |= optional;
    return argument;
  }

  static Argument Join(std::vector<std::vector<Argument>> alternatives, bool optional) {
    if (alternatives.size() == 1) {
      std::vector<Argument>& only = alternatives.front();
      return optional && only.size() == 1 ? std::move(only.front()) : Block(std::move(only));
    }
    std::vector<Argument> choices;
    for (std::vector<Argument>& sequence : alternatives) {
      choices.push_back(sequence.size() == 1 ? std::move(sequence.front()) : Block(std::move(sequence)));
    }
    return Group(ArgumentType::kOneOf, std::move(choices));
  }

  Argument Suffixes(Argument argument, bool bracketed) {
    for (;;) {
      if (Take("...")) {
        argument.multiple = true;
        argument.multiple_token = bracketed && argument.token.has_value();
      } else if (Take("@")) {
        argument.since = Word();
      } else if (Take("#")) {
        const std::string_view digits = Word();
        if (digits.size() != 1 || digits[0] < '0' || digits[0] > '9') SetError("expected a digit");
        if (error_.empty()) argument.key_spec = digits[0] - '0';
      } else {
        return argument;
      }
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  std::string error_;
};

// Keys get the specifications in order; what is left over shares the last one.
Status PlaceKeys(std::vector<Argument>& arguments, int key_specs, int& next) {
  for (Argument& argument : arguments) {
    if (argument.key_spec) {
      if (*argument.key_spec >= key_specs)
        return Fail(fmt::format("no key specification {}", *argument.key_spec));
      next = std::max(next, *argument.key_spec + 1);
    } else if (argument.type == ArgumentType::kKey && key_specs > 0) {
      argument.key_spec = std::min(next++, key_specs - 1);
    }
    TRY_STATUS(PlaceKeys(argument.arguments, key_specs, next));
  }
  return {};
}

std::string Usage(const Argument& argument);

std::string JoinUsage(std::span<const Argument> arguments, std::string_view separator) {
  std::string joined;
  for (const Argument& argument : arguments) {
    if (!joined.empty()) joined += separator;
    joined += Usage(argument);
  }
  return joined;
}

std::string Usage(const Argument& argument) {
  const std::string token = argument.token ? (argument.token->empty() ? "\"\"" : *argument.token) : "";
  std::string value;
  switch (argument.type) {
    case ArgumentType::kPureToken:
      break;
    case ArgumentType::kOneOf:
      value = JoinUsage(argument.arguments, " | ");
      // Square brackets around it say already where the choice ends.
      if (!argument.optional || !token.empty() || argument.multiple) value = '<' + value + '>';
      break;
    case ArgumentType::kBlock:
      value = JoinUsage(argument.arguments, " ");
      break;
    default:
      value = argument.name;
      break;
  }
  std::string whole = token;
  if (!token.empty() && !value.empty()) whole += ' ';
  whole += value;
  if (argument.multiple) whole += fmt::format(" [{} ...]", argument.multiple_token ? whole : value);
  return argument.optional ? '[' + whole + ']' : whole;
}

}  // namespace

std::string_view ArgumentTypeName(ArgumentType type) {
  return kTypeNames[static_cast<size_t>(type)];
}

Result<std::vector<Argument>> ParseSynopsis(std::string_view synopsis, int key_specs) {
  std::vector<Argument> arguments = TRY(Parser(synopsis).Parse());
  int next = 0;
  TRY_STATUS(PlaceKeys(arguments, key_specs, next));
  return arguments;
}

std::string UsageLine(std::span<const Argument> arguments) {
  return JoinUsage(arguments, " ");
}

}  // namespace cinnabar::dispatch
