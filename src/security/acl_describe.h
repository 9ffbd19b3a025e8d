// Users as text and as the parts that ACL GETUSER shows.
//
//   user app on #9f86... ~app:* %R~shared resetchannels &news -@all +@read +set (~tmp:* resetchannels -@all
//   +del)
//        name flags       keys            channels           commands             further selectors
//
// Commands are printed in a canonical form that depends only on what is allowed, not on the rules that led
// there: whole categories first, as long as one holds more commands that fit than commands that do not, then
// single commands in the order of their names.
#pragma once

#include <string>
#include <vector>

#include "security/acl_user.h"

namespace cinnabar::security {

struct SelectorDetails {
  std::string commands;  // "-@all +get"
  std::string keys;      // "~a %R~b"; "~*" for all; empty for none
  std::string channels;  // "&a &b*"; "&*" for all; empty for none
};

struct UserDetails {
  std::vector<std::string> flags;      // "on" or "off", "nopass", "skip-sanitize-payload" ...
  std::vector<std::string> passwords;  // their hashes
  SelectorDetails root;
  std::vector<SelectorDetails> selectors;  // without the root
};

UserDetails DescribeUser(const User& user);

// The rules that make the user again, one word each: a selector is one word, too. Words inside it are quoted
// where they could be misread.
std::vector<std::string> UserRules(const User& user);

// The line of ACL LIST and of ACL files: "user NAME ...", without a line end.
std::string UserLine(const User& user);

// Commands of the selector, as rules.
std::vector<std::string> CommandRules(const Selector& selector);

}  // namespace cinnabar::security
