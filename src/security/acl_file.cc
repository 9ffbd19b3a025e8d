#include "security/acl_file.h"

#include <fmt/format.h>

#include <set>

#include "base/ascii.h"
#include "security/acl_describe.h"

namespace cinnabar::security {
namespace {

std::string_view Trimmed(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = line.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlank) - first + 1);
}

// Two spaces have an empty word between them.
std::vector<std::string_view> SplitAtSpaces(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t space = line.find(' ');
    words.push_back(line.substr(0, space));
    if (space == std::string_view::npos) return words;
    line.remove_prefix(space + 1);
  }
}

class FileParser {
 public:
  FileParser(std::string_view path, const RuleContext& context) : path_(path), context_(context) {}

  void ParseLine(std::string_view line) {
    ++line_;
    line = Trimmed(line);
    if (line.empty()) return;
    const std::vector<std::string_view> words = SplitAtSpaces(line);
    if (words[0] != "user" || words.size() < 2)
      return Complain("{}:{} should start with user keyword followed by the username. ", path_, line_);
    const std::string_view name = words[1];
    if (!IsUserName(name))
      return Complain("'{}:{}: username '{}' contains invalid characters. ", path_, line_, Shown(name));
    if (!names_.emplace(name).second)
      return Complain("WARNING: Duplicate user '{}' found on line {}. ", name, line_);
    ParseUser(name, std::span(words).subspan(2));
  }

  std::expected<std::vector<UserPtr>, AclFileErrors> Take() && {
    if (!errors_.sentences.empty()) return std::unexpected(std::move(errors_));
    return std::move(users_);
  }

 private:
  template <typename... Parts>
  void Complain(fmt::format_string<Parts...> format, Parts&&... parts) {
    errors_.sentences.push_back(fmt::format(format, std::forward<Parts>(parts)...));
  }

  void ParseUser(std::string_view name, std::span<const std::string_view> arguments) {
    const auto rules = JoinSelectors(arguments);
    if (!rules) return Complain("{}:{}: Unmatched parenthesis in selector definition.", path_, line_);
    auto user = std::make_shared<User>(std::string(name), context_.catalog, context_.channels);
    // Other mistakes may follow from the first one. An unknown name never does.
    bool broken = false;
    for (const std::string& rule : *rules) {
      const RuleError error = ApplyRule(*user, rule, context_);
      if (error == RuleError::kUnknownCommand) {
        Complain("{}:{}: Error in applying operation '{}': {}. ", path_, line_, rule, Text(error));
      } else if (error != RuleError::kNone && !broken) {
        Complain("{}:{}: {}. ", path_, line_, Text(error));
        broken = true;
      }
    }
    user->Seal();
    users_.push_back(std::move(user));
  }

  const std::string_view path_;
  const RuleContext& context_;
  size_t line_ = 0;
  std::set<std::string, std::less<>> names_;
  std::vector<UserPtr> users_;
  AclFileErrors errors_;
};

std::expected<UserPtr, std::string> ParseDirective(const UserDirective& directive,
                                                   const RuleContext& context) {
  if (!IsUserName(directive.name)) return std::unexpected("Spaces not allowed in ACL usernames");
  const std::vector<std::string_view> arguments(directive.rules.begin(), directive.rules.end());
  const auto rules = JoinSelectors(arguments);
  if (!rules) {
    return std::unexpected(fmt::format("Error in user declaration '{}': Unmatched parenthesis in selector",
                                       Shown(rules.error().rule)));
  }
  auto user = std::make_shared<User>(directive.name, context.catalog, context.channels);
  // As if the rule `reset` came first, which shows.
  if (directive.name == kDefaultUser) user->SetPayloads(Payloads::kSanitize);
  for (const std::string& rule : *rules) {
    const RuleError error = ApplyRule(*user, rule, context);
    if (error == RuleError::kNone) continue;
    if (error == RuleError::kUnknownCommand) {
      return std::unexpected(fmt::format("Error loading ACL rule '{}' for the user named '{}': {}",
                                         Shown(rule), directive.name, Text(error)));
    }
    // A password that is to be removed is nobody's business.
    const std::string_view shown = rule[0] == '<' ? "<..." : Shown(rule);
    return std::unexpected(fmt::format("Error in user declaration '{}': {}", shown, Text(error)));
  }
  user->Seal();
  return user;
}

}  // namespace

std::string AclFileErrors::Report() const {
  std::string report;
  for (const std::string& sentence : sentences) report += sentence;
  return report + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
}

std::expected<std::vector<UserPtr>, AclFileErrors> ParseAclFile(std::string_view text, std::string_view path,
                                                                const RuleContext& context) {
  FileParser parser(path, context);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    parser.ParseLine(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return std::move(parser).Take();
}

std::string WriteAclFile(const Users& users) {
  std::string text;
  for (const std::string& line : users.Lines()) {
    text += line;
    text += '\n';
  }
  return text;
}

std::expected<std::vector<UserPtr>, DirectiveError> ParseUserDirectives(
    std::span<const UserDirective> directives, const RuleContext& context) {
  std::vector<UserPtr> users;
  std::set<std::string_view> names;
  for (size_t i = 0; i < directives.size(); ++i) {
    if (!names.insert(directives[i].name).second) {
      return std::unexpected(DirectiveError{
          i, fmt::format("Error in user declaration '{}': Duplicate user found. A user can only be defined "
                         "once in config files",
                         Shown(directives[i].name))});
    }
    auto user = ParseDirective(directives[i], context);
    if (!user) return std::unexpected(DirectiveError{i, std::move(user).error()});
    users.push_back(*std::move(user));
  }
  return users;
}

std::vector<UserDirective> UserDirectives(const Users& users) {
  std::vector<UserDirective> directives;
  for (const std::string& name : users.Names())
    directives.push_back({.name = name, .rules = UserRules(*users.Find(name))});
  return directives;
}

}  // namespace cinnabar::security
