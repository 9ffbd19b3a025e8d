// Registry: the commands this server knows, by name. Built once at start-up from the explicit list that
// commands/CMakeLists.txt generates; read by every core without locks afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "dispatch/command.h"

namespace cinnabar::dispatch {

// A command or subcommand as registered. Addresses are stable.
struct Command {
  const CommandSpec* spec = nullptr;
  std::string name;  // "get", "client|list"; what statistics and COMMAND show
  uint32_t id = 0;   // dense, for per-core counters
  const Command* parent = nullptr;
  std::vector<const Command*> subcommands;
  int key_specs = 0;
  // The usual case, decided once: exactly one key at a fixed position.
  int only_key = 0;
  uint16_t only_key_use = 0;  // KeyUse bits
  Handler run = nullptr;
  uint32_t arguments_min = 0;
  uint32_t arguments_max = 0;
  // Nothing but authentication, a transaction or a pause can stop it: a handler that acts on keys alone.
  bool ungated = false;
  // Which locks it takes is more than its key can tell.
  bool planned = false;
  uint64_t flags = 0;
  uint64_t categories = 0;  // ACL categories, bits as in CategoryNames()

  bool Is(uint64_t flag) const { return (flags & flag) != 0; }
  // Whether it runs with the world stopped.
  bool NeedsWorld(std::span<const std::string_view> argv, const config::Settings& settings) const {
    return Is(Flag::kWorld) || (spec->needs_world != nullptr && spec->needs_world(argv, settings));
  }
  bool AcceptsArgumentCount(size_t count) const { return count >= arguments_min && count <= arguments_max; }
};

// Whose commands: a server that keeps data and a sentinel know different ones. kAny: all that there are.
enum class Personality : uint8_t { kServer, kSentinel, kAny };

class Registry {
 public:
  explicit Registry(std::span<const std::span<const CommandSpec>> tables,
                    Personality personality = Personality::kServer);

  // A top-level command, whatever its case; null if unknown.
  const Command* Find(std::string_view name) const;
  const Command* FindSubcommand(const Command& container, std::string_view name) const;
  // By full name, "client|list" included.
  const Command* FindByFullName(std::string_view name) const;
  // The command that these arguments call: follows containers. Null if the command or subcommand is unknown.
  const Command* Resolve(std::span<const std::string_view> argv) const;

  // Top-level commands in the order of registration.
  std::span<const Command* const> commands() const { return top_; }
  // Every command and subcommand, indexed by id.
  std::span<const Command* const> all() const { return all_; }

  // rename-command; an empty new name removes the command. Start-up only.
  Status Rename(std::string_view name, std::string_view new_name);

 private:
  struct Slot {
    uint64_t hash = 0;
    const Command* command = nullptr;
  };
  Command* Add(const CommandSpec& spec);
  void Index();

  std::vector<std::unique_ptr<Command>> owned_;
  std::vector<const Command*> top_;
  std::vector<const Command*> all_;
  std::vector<std::string> called_;  // per id: the name under which a top-level command is called
  std::vector<Slot> index_;
};

// Names of flags as COMMAND INFO shows them, and of ACL categories, both by bit.
struct BitName {
  uint64_t bit;
  std::string_view name;
};
std::span<const BitName> FlagNames();
std::span<const BitName> CategoryNames();
std::span<const BitName> KeyUseNames();

// "name|sub" for display: the container and the subcommand, lower case.
std::string_view ShortName(const Command& command);

}  // namespace cinnabar::dispatch
