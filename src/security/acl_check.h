// May this user run this command with these arguments?
//
//   command  ->  keys  ->  channels         of one selector, in this order; the first selector that allows
//   all
//                                           of it decides
//
// When none does, what is reported is what stopped the selector that got furthest: a channel before a key
// before the command, and of two keys or channels the one further behind in the arguments.
//
// All functions only read; any thread may call them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "security/acl_user.h"

namespace cinnabar::security {

struct KeyArgument {
  uint32_t index;  // in the arguments
  uint8_t access;  // Access bits
};

struct ChannelArgument {
  uint32_t index;  // in the arguments
  ChannelUse use;
};

// What somebody wants to do. Argument 0 is the command's name (the container's, for a subcommand).
struct Attempt {
  CommandId command = kNoCommand;
  std::span<const std::string_view> argv;
  std::span<const KeyArgument> keys;
  std::span<const ChannelArgument> channels;
};

struct Verdict {
  enum class Reason : uint8_t { kAllowed, kCommand, kKey, kChannel };  // the later, the further it got
  Reason reason = Reason::kAllowed;
  uint32_t index = 0;  // of the key or channel that was denied, in the arguments

  bool allowed() const { return reason == Reason::kAllowed; }
  bool operator==(const Verdict&) const = default;
};

namespace internal {
Verdict CheckSelectors(const User& user, const Attempt& attempt);
}

// REQUIRES: `attempt` names all keys if the user minds keys, and all channels if it minds channels.
inline Verdict Check(const User& user, const Attempt& attempt) {
  if (user.unrestricted()) [[likely]]
    return {};
  return internal::CheckSelectors(user, attempt);
}

// Whether the command can pass with some arguments: what COMMAND may show, what may be queued.
bool MayRunEver(const User& user, CommandId command);

// Whether one selector allows the attempt and all keys besides: SORT's BY and GET reach keys that nobody can
// tell beforehand.
bool MayReachAllKeys(const User& user, const Attempt& attempt, uint8_t access);

// Whether any selector allows the channel.
bool MayUseChannel(const User& user, std::string_view channel, ChannelUse use);

// False when a subscriber of `before` may have to go because `after` has less: then MayUseChannel tells for
// each subscription.
bool KeepsChannels(const User& before, const User& after);

// The reply to who is denied. `command` is the command's full name.
std::string DenialReply(const Verdict& verdict, std::string_view command);
// The same in a script, behind "The user executing the script ", and in EXEC, behind "... for the following
// reason: ".
std::string_view ScriptDenial(Verdict::Reason reason);
std::string_view QueueDenial(Verdict::Reason reason);
// What ACL DRYRUN answers: OK or a sentence.
std::string DryRunReply(const Verdict& verdict, std::string_view command,
                        std::span<const std::string_view> argv);

}  // namespace cinnabar::security
