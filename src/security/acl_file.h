// ACL files and `user` directives: text in, users out, and back. Who opens, reads and writes the file is
// somebody else.
//
//   user alice on #2bd8... ~app:* resetchannels -@all +@read
//   user bob on nopass (+get ~a) (+set ~b)
//
// One user a line; blank lines are skipped; nothing is quoted and there are no comments. A text is taken as a
// whole or not at all.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "security/acl_rules.h"
#include "security/acl_users.h"

namespace cinnabar::security {

// Why a text was refused: one sentence for each mistake, in the order of the lines, with `path` and line.
struct AclFileErrors {
  std::vector<std::string> sentences;

  // All of them and that nothing was changed: what ACL LOAD answers behind "ERR ".
  std::string Report() const;
};

// The users of a file's text. `path` is for the errors only.
std::expected<std::vector<UserPtr>, AclFileErrors> ParseAclFile(std::string_view text, std::string_view path,
                                                                const RuleContext& context);

// The text that ACL SAVE writes.
std::string WriteAclFile(const Users& users);

// A `user` directive of the config file, without the word `user`.
struct UserDirective {
  std::string name;
  std::vector<std::string> rules;
};

// The first directive that is refused, and why.
struct DirectiveError {
  size_t directive = 0;
  std::string text;
};

// The users of a config file's directives. The default user begins without rights here, too.
std::expected<std::vector<UserPtr>, DirectiveError> ParseUserDirectives(
    std::span<const UserDirective> directives, const RuleContext& context);

// What CONFIG REWRITE writes: one directive for each user. The words have yet to be quoted as in any line of
// a config file.
std::vector<UserDirective> UserDirectives(const Users& users);

}  // namespace cinnabar::security
