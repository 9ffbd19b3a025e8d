#include "security/acl_check.h"

#include <fmt/format.h>

#include <algorithm>

namespace cinnabar::security {
namespace {

using Reason = Verdict::Reason;

Verdict CheckSelector(const Selector& selector, const Attempt& attempt) {
  if (!selector.MayRun(attempt.command, attempt.argv)) return {Reason::kCommand, 0};
  if (!selector.all_keys()) {
    for (const KeyArgument& key : attempt.keys) {
      if (!selector.MayTouchKey(attempt.argv[key.index], key.access)) return {Reason::kKey, key.index};
    }
  }
  if (!selector.all_channels()) {
    for (const ChannelArgument& channel : attempt.channels) {
      if (!selector.MayUseChannel(attempt.argv[channel.index], channel.use))
        return {Reason::kChannel, channel.index};
    }
  }
  return {};
}

bool GotFurther(const Verdict& a, const Verdict& b) {
  return a.reason != b.reason ? a.reason > b.reason : a.index > b.index;
}

}  // namespace

Verdict internal::CheckSelectors(const User& user, const Attempt& attempt) {
  Verdict furthest{Reason::kCommand, 0};
  for (const Selector& selector : user.selectors()) {
    const Verdict verdict = CheckSelector(selector, attempt);
    if (verdict.allowed()) return verdict;
    if (GotFurther(verdict, furthest)) furthest = verdict;
  }
  return furthest;
}

bool MayRunEver(const User& user, CommandId command) {
  return std::ranges::any_of(user.selectors(), [&](const Selector& selector) {
    return selector.MayRun(command, {}) || !selector.first_arguments(command).empty();
  });
}

bool MayReachAllKeys(const User& user, const Attempt& attempt, uint8_t access) {
  return std::ranges::any_of(user.selectors(), [&](const Selector& selector) {
    return selector.MayTouchAllKeys(access) && CheckSelector(selector, attempt).allowed();
  });
}

bool MayUseChannel(const User& user, std::string_view channel, ChannelUse use) {
  return std::ranges::any_of(user.selectors(),
                             [&](const Selector& selector) { return selector.MayUseChannel(channel, use); });
}

bool KeepsChannels(const User& before, const User& after) {
  if (std::ranges::any_of(after.selectors(), &Selector::all_channels)) return true;
  return std::ranges::all_of(before.selectors(), [&](const Selector& selector) {
    return !selector.all_channels() &&
           std::ranges::all_of(selector.channels(), [&](const NamePattern& pattern) {
             return MayUseChannel(after, pattern.text(), ChannelUse::kPattern);
           });
  });
}

std::string DenialReply(const Verdict& verdict, std::string_view command) {
  switch (verdict.reason) {
    case Reason::kAllowed:
      break;
    case Reason::kCommand:
      return fmt::format("NOPERM this user has no permissions to run the '{}' command", command);
    case Reason::kKey:
      return "NOPERM this user has no permissions to access one of the keys used as arguments";
    case Reason::kChannel:
      return "NOPERM this user has no permissions to access one of the channels used as arguments";
  }
  return {};
}

std::string_view ScriptDenial(Reason reason) {
  switch (reason) {
    case Reason::kAllowed:
      break;
    case Reason::kCommand:
      return "can't run this command or subcommand";
    case Reason::kKey:
      return "can't access at least one of the keys mentioned in the command arguments";
    case Reason::kChannel:
      return "can't publish to the channel mentioned in the command";
  }
  return {};
}

std::string_view QueueDenial(Reason reason) {
  switch (reason) {
    case Reason::kAllowed:
      break;
    case Reason::kCommand:
      return "no permission to execute the command or subcommand";
    case Reason::kKey:
      return "no permission to touch the specified keys";
    case Reason::kChannel:
      return "no permission to access one of the channels used as arguments";
  }
  return {};
}

std::string DryRunReply(const Verdict& verdict, std::string_view command,
                        std::span<const std::string_view> argv) {
  switch (verdict.reason) {
    case Reason::kAllowed:
      break;
    case Reason::kCommand:
      return fmt::format("This user has no permissions to run the '{}' command", command);
    case Reason::kKey:
      return fmt::format("This user has no permissions to access the '{}' key", argv[verdict.index]);
    case Reason::kChannel:
      return fmt::format("This user has no permissions to access the '{}' channel", argv[verdict.index]);
  }
  return "OK";
}

}  // namespace cinnabar::security
