// A selector: which commands on which keys and channels go together. A user has one at its root and may have
// more; a request passes when one selector allows all of it.
//
//   commands   a set of ids, and first arguments that let a command through which is not in the set
//   keys       patterns, each for reading, writing or both; or all keys
//   channels   patterns; or all channels
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "security/command_catalog.h"
#include "security/command_set.h"
#include "security/name_pattern.h"

namespace cinnabar::security {

// What is done to a key. A command's key specification says it in KeyUse bits: ACCESS reads; INSERT, UPDATE
// and DELETE write; a key with none of them (EXISTS, TYPE, STRLEN) needs a pattern of any kind.
namespace Access {
enum : uint8_t { kNone = 0, kRead = 1 << 0, kWrite = 1 << 1, kReadWrite = kRead | kWrite };
}

enum class ChannelUse : uint8_t {
  kName,     // PUBLISH, SUBSCRIBE and their shard forms: matched by patterns
  kPattern,  // PSUBSCRIBE: must be one of the patterns, byte by byte
};

// What new users and new selectors may do with channels: acl-pubsub-default.
enum class ChannelDefault : uint8_t { kNone, kAll };

struct KeyRule {
  NamePattern pattern;
  uint8_t access;  // Access bits, at least one
};

// A value. Reading is safe on any thread as long as nobody changes it.
class Selector {
 public:
  // May do nothing, except what is everybody's. `catalog` must outlive it.
  Selector(const CommandCatalog& catalog, ChannelDefault channels);

  // Changes. What a rule means is decided in acl_rules.cc.
  void SetAllCommands(Grant grant);
  // A container takes its subcommands along. First arguments of the command are forgotten.
  void SetCommand(CommandId id, Grant grant);
  // Commands that have a bit of `categories`.
  void SetCategory(uint64_t categories, Grant grant);
  // No effect on a command that is allowed already. REQUIRES: neither container nor subcommand.
  void AllowFirstArgument(CommandId id, std::string_view argument);
  void AllowAllKeys();
  void ForgetKeys();
  void AddKeys(std::string_view pattern, uint8_t access);
  void AllowAllChannels();
  void ForgetChannels();
  void AddChannels(std::string_view pattern);

  const CommandCatalog& catalog() const { return *catalog_; }
  // By rule; what is everybody's is not told from the rest.
  bool Allows(CommandId id) const { return allowed_.Has(id); }
  // Whether commands that do not exist yet would be allowed: +@all came, and no -@all after it.
  bool allows_future_commands() const { return allows_future_; }
  std::span<const std::string> first_arguments(CommandId id) const;
  bool all_commands() const { return all_commands_; }
  bool all_keys() const { return all_keys_; }
  bool all_channels() const { return all_channels_; }
  bool unrestricted() const { return all_commands_ && all_keys_ && all_channels_; }
  std::span<const KeyRule> keys() const { return keys_; }
  std::span<const NamePattern> channels() const { return channels_; }

  // Whether the command may run with these arguments, keys and channels aside. Argument 0 is its name.
  bool MayRun(CommandId id, std::span<const std::string_view> argv) const {
    return all_commands_ || runnable_.Has(id) || (!first_arguments_.empty() && MayRunBeginning(id, argv));
  }
  bool MayTouchKey(std::string_view key, uint8_t access) const;
  bool MayTouchAllKeys(uint8_t access) const;
  bool MayUseChannel(std::string_view channel, ChannelUse use) const;

 private:
  void SetBit(CommandId id, Grant grant);
  bool MayRunBeginning(CommandId id, std::span<const std::string_view> argv) const;

  const CommandCatalog* catalog_;
  CommandSet allowed_;   // by rule
  CommandSet runnable_;  // and what is everybody's
  std::map<CommandId, std::vector<std::string>> first_arguments_;
  std::vector<KeyRule> keys_;
  std::vector<NamePattern> channels_;
  // Set as a whole and not narrowed since.
  bool all_commands_ = false;
  bool allows_future_ = false;
  bool all_keys_ = false;
  bool all_channels_ = false;
};

}  // namespace cinnabar::security
