// The rules of ACL SETUSER, of ACL files and of `user` directives.
//
//   on off nopass resetpass >password <password #hash !hash        who may log in
//   sanitize-payload skip-sanitize-payload reset
//   +command -command +command|sub +select|0 +@category -@category allcommands nocommands
//   ~pattern %R~pattern %W~pattern %RW~pattern allkeys resetkeys
//   &pattern allchannels resetchannels
//   (rule ...) clearselectors                                      further selectors
//
// Words and names may have any case; patterns, passwords and hashes are taken as they are. A rule with a zero
// byte is refused, except in a password.
//
// All functions are pure and safe on any thread.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "security/acl_user.h"

namespace cinnabar::security {

enum class RuleError : uint8_t {
  kNone,
  kSyntax,
  kUnknownCommand,  // or category
  kArgumentOfSubcommand,
  kPatternBehindAllKeys,
  kPatternBehindAllChannels,
  kNoSuchPassword,
  kBadHash,
};
// The sentence for it, without an end.
std::string_view Text(RuleError error);

// What is given to the new users and selectors of rules.
struct RuleContext {
  const CommandCatalog& catalog;  // outlives all users that are made with it
  ChannelDefault channels = ChannelDefault::kNone;
};

// A selector whose parenthesis stays open.
struct OpenParenthesis {
  std::string rule;  // with which it begins
};

// Puts selectors together that are spread over several arguments: "(+get" "~a)" becomes "(+get ~a)".
std::expected<std::vector<std::string>, OpenParenthesis> JoinSelectors(
    std::span<const std::string_view> arguments);

// Applies one rule. On an error the user is as it was, but for what a rule of several parts did before it.
[[nodiscard]] RuleError ApplyRule(User& user, std::string_view rule, const RuleContext& context);

// The first rule that failed. Says what ACL SETUSER answers.
struct RuleFailure {
  std::string reply;
};

// A copy of the user with the rules applied: all of them or none. `arguments` are as they came: selectors may
// be spread.
std::expected<UserPtr, RuleFailure> ApplyRules(const User& user, std::span<const std::string_view> arguments,
                                               const RuleContext& context);

// The text up to a zero byte, as error messages show it.
std::string_view Shown(std::string_view text);

}  // namespace cinnabar::security
