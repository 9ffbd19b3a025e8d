#include "security/acl_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/words.h"
#include "security/password.h"

namespace cinnabar::security {
namespace {

bool HasSpace(std::string_view text) {
  return std::ranges::any_of(text, IsSpace);
}

bool HasZero(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

RuleError AllowBeginning(Selector& selector, std::string_view rule) {
  // The last bar divides, so that what stands before it may itself be a subcommand's name.
  const size_t bar = rule.rfind('|');
  const CommandCatalog& catalog = selector.catalog();
  const CommandId command = catalog.Find(rule.substr(0, bar));
  const std::string_view argument = rule.substr(bar + 1);
  if (command == kNoCommand) return RuleError::kUnknownCommand;
  if (catalog.is_subcommand(command)) return RuleError::kArgumentOfSubcommand;
  // With a space in it the rule could not be read back from an ACL file.
  if (argument.empty() || HasSpace(argument)) return RuleError::kSyntax;
  if (catalog.subcommands(command).empty()) {
    selector.AllowFirstArgument(command, argument);
    return RuleError::kNone;
  }
  const CommandId sub = catalog.Find(rule);
  if (sub == kNoCommand) return RuleError::kUnknownCommand;
  selector.SetCommand(sub, Grant::kAllow);
  return RuleError::kNone;
}

// "+get", "-config|set", "+select|0", "+@read".
RuleError ApplyCommandRule(Selector& selector, std::string_view rule) {
  const Grant grant = rule[0] == '+' ? Grant::kAllow : Grant::kDeny;
  const std::string_view name = rule.substr(1);
  if (name.starts_with('@')) {
    const uint64_t category = selector.catalog().FindCategory(name.substr(1));
    if (category == 0) return RuleError::kUnknownCommand;
    selector.SetCategory(category, grant);
    return RuleError::kNone;
  }
  if (grant == Grant::kAllow && name.find('|') != std::string_view::npos)
    return AllowBeginning(selector, name);
  const CommandId command = selector.catalog().Find(name);
  if (command == kNoCommand) return RuleError::kUnknownCommand;
  selector.SetCommand(command, grant);
  return RuleError::kNone;
}

// The Access bits of "R", "W", "RW"; kNone when it is none of these.
uint8_t ParseAccess(std::string_view letters) {
  uint8_t access = Access::kNone;
  for (char letter : letters) {
    const uint8_t bit = Lower(letter) == 'r'   ? Access::kRead
                        : Lower(letter) == 'w' ? Access::kWrite
                                               : Access::kNone;
    if (bit == Access::kNone || (access & bit) != 0) return Access::kNone;
    access |= bit;
  }
  return access;
}

// "~pattern", "%R~pattern", and "%R" for the empty pattern.
RuleError ApplyKeyRule(Selector& selector, std::string_view rule) {
  if (selector.all_keys()) return RuleError::kPatternBehindAllKeys;
  const size_t tilde = std::min(rule.find('~'), rule.size());
  const uint8_t access = tilde == 0 ? uint8_t{Access::kReadWrite} : ParseAccess(rule.substr(1, tilde - 1));
  const std::string_view pattern = rule.substr(std::min(tilde + 1, rule.size()));
  if (access == Access::kNone || HasSpace(pattern)) return RuleError::kSyntax;
  selector.AddKeys(pattern, access);
  return RuleError::kNone;
}

RuleError ApplyChannelRule(Selector& selector, std::string_view rule) {
  if (selector.all_channels()) return RuleError::kPatternBehindAllChannels;
  if (HasSpace(rule)) return RuleError::kSyntax;
  selector.AddChannels(rule.substr(1));
  return RuleError::kNone;
}

// Rules that are single words. False when it is none of them.
bool ApplySelectorWord(Selector& selector, std::string_view rule) {
  if (SameWord(rule, "allkeys") || rule == "~*") {
    selector.AllowAllKeys();
  } else if (SameWord(rule, "resetkeys")) {
    selector.ForgetKeys();
  } else if (SameWord(rule, "allchannels") || rule == "&*") {
    selector.AllowAllChannels();
  } else if (SameWord(rule, "resetchannels")) {
    selector.ForgetChannels();
  } else if (SameWord(rule, "allcommands") || SameWord(rule, "+@all")) {
    selector.SetAllCommands(Grant::kAllow);
  } else if (SameWord(rule, "nocommands") || SameWord(rule, "-@all")) {
    selector.SetAllCommands(Grant::kDeny);
  } else {
    return false;
  }
  return true;
}

// REQUIRES: the rule is not empty.
RuleError ApplySelectorRule(Selector& selector, std::string_view rule) {
  if (ApplySelectorWord(selector, rule)) return RuleError::kNone;
  switch (rule[0]) {
    case '+':
    case '-':
      return ApplyCommandRule(selector, rule);
    case '~':
    case '%':
      return ApplyKeyRule(selector, rule);
    case '&':
      return ApplyChannelRule(selector, rule);
    default:
      return RuleError::kSyntax;
  }
}

// ">password", "#hash" and their removal.
RuleError ApplyPasswordRule(User& user, std::string_view rule) {
  const bool hashed = rule[0] == '#' || rule[0] == '!';
  if (hashed && !IsPasswordHash(rule.substr(1))) return RuleError::kBadHash;
  const std::string hash = hashed ? std::string(rule.substr(1)) : HashPassword(rule.substr(1));
  if (rule[0] == '>' || rule[0] == '#') {
    user.AddPasswordHash(hash);
    return RuleError::kNone;
  }
  return user.RemovePasswordHash(hash) ? RuleError::kNone : RuleError::kNoSuchPassword;
}

// "(rule ...)". The words inside are split as those of a config line; when their quotes do not match, the
// selector allows nothing.
RuleError AddSelector(User& user, std::string_view rule, const RuleContext& context) {
  Selector selector(context.catalog, context.channels);
  std::vector<std::string> words;
  WordReader reader(rule.substr(1, rule.size() - 2));
  while (!reader.AtEnd()) {
    if (!reader.ReadWord(words.emplace_back())) {
      words.clear();
      break;
    }
  }
  for (const std::string& word : words) {
    const RuleError error =
        word.empty() || HasZero(word) ? RuleError::kSyntax : ApplySelectorRule(selector, word);
    if (error != RuleError::kNone) return error;
  }
  user.AddSelector(std::move(selector));
  return RuleError::kNone;
}

void Reset(User& user, const RuleContext& context) {
  user.ForgetPasswords();
  user.Disable();
  user.SetPayloads(Payloads::kSanitize);
  user.ForgetSelectors();
  user.root() = Selector(context.catalog, context.channels);
}

// Rules that are single words. False when it is none of them.
bool ApplyUserWord(User& user, std::string_view rule, const RuleContext& context) {
  if (SameWord(rule, "on")) {
    user.Enable();
  } else if (SameWord(rule, "off")) {
    user.Disable();
  } else if (SameWord(rule, "nopass")) {
    user.NeedNoPassword();
  } else if (SameWord(rule, "resetpass")) {
    user.ForgetPasswords();
  } else if (SameWord(rule, "skip-sanitize-payload")) {
    user.SetPayloads(Payloads::kSkip);
  } else if (SameWord(rule, "sanitize-payload")) {
    user.SetPayloads(Payloads::kSanitize);
  } else if (SameWord(rule, "clearselectors")) {
    user.ForgetSelectors();
  } else if (SameWord(rule, "reset")) {
    Reset(user, context);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string_view Text(RuleError error) {
  switch (error) {
    case RuleError::kNone:
      return "";
    case RuleError::kSyntax:
      return "Syntax error";
    case RuleError::kUnknownCommand:
      return "Unknown command or category name in ACL";
    case RuleError::kArgumentOfSubcommand:
      return "Allowing first-arg of a subcommand is not supported";
    case RuleError::kPatternBehindAllKeys:
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
             "any "
             "effect. Try 'resetkeys' to start with an empty list of patterns";
    case RuleError::kPatternBehindAllChannels:
      return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not "
             "have "
             "any effect. Try 'resetchannels' to start with an empty list of channels";
    case RuleError::kNoSuchPassword:
      return "The password you are trying to remove from the user does not exist";
    case RuleError::kBadHash:
      return "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
             "characters";
  }
  return "";
}

std::expected<std::vector<std::string>, OpenParenthesis> JoinSelectors(
    std::span<const std::string_view> arguments) {
  std::vector<std::string> rules;
  std::string_view open;  // the argument that begins an unfinished selector
  for (std::string_view argument : arguments) {
    const bool opens = argument.starts_with('(') && !argument.ends_with(')');
    if (open.empty()) {
      rules.emplace_back(argument);
      if (opens) open = argument;
      continue;
    }
    if (opens) break;  // nothing may be dropped silently
    rules.back() += ' ';
    rules.back() += argument;
    if (argument.ends_with(')')) open = {};
  }
  if (!open.empty()) return std::unexpected(OpenParenthesis{std::string(open)});
  return rules;
}

RuleError ApplyRule(User& user, std::string_view rule, const RuleContext& context) {
  if (rule.empty() || ApplyUserWord(user, rule, context)) return RuleError::kNone;
  if (rule[0] == '>' || rule[0] == '<' || rule[0] == '#' || rule[0] == '!')
    return ApplyPasswordRule(user, rule);
  if (HasZero(rule)) return RuleError::kSyntax;
  if (rule.size() >= 2 && rule.starts_with('(') && rule.ends_with(')'))
    return AddSelector(user, rule, context);
  return ApplySelectorRule(user.root(), rule);
}

std::expected<UserPtr, RuleFailure> ApplyRules(const User& user, std::span<const std::string_view> arguments,
                                               const RuleContext& context) {
  const auto rules = JoinSelectors(arguments);
  if (!rules) {
    return std::unexpected(RuleFailure{fmt::format(
        "ERR Unmatched parenthesis in acl selector starting at '{}'.", Shown(rules.error().rule))});
  }
  auto changed = std::make_shared<User>(user);
  for (const std::string& rule : *rules) {
    const RuleError error = ApplyRule(*changed, rule, context);
    if (error == RuleError::kNone) continue;
    return std::unexpected(
        RuleFailure{fmt::format("ERR Error in ACL SETUSER modifier '{}': {}", Shown(rule), Text(error))});
  }
  changed->Seal();
  return changed;
}

std::string_view Shown(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

}  // namespace cinnabar::security
