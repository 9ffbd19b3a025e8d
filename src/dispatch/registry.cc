#include "dispatch/registry.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/ascii.h"
#include "base/check.h"

namespace cinnabar::dispatch {
namespace {

template <size_t kSize>
uint64_t LoadFolded(const char* p) {
  uint64_t word = 0;
  std::memcpy(&word, p, kSize);
  return word | 0x2020202020202020ull;
}

// The first and the last eight bytes of a name, with the case bit set: alike for both cases of a letter.
struct NameWords {
  uint64_t first;
  uint64_t last;
};
NameWords WordsOf(std::string_view name) {
  const char* p = name.data();
  const size_t n = name.size();
  if (n >= 8) return {LoadFolded<8>(p), LoadFolded<8>(p + n - 8)};
  if (n >= 4) return {LoadFolded<4>(p), LoadFolded<4>(p + n - 4)};
  if (n == 3) return {LoadFolded<2>(p), LoadFolded<2>(p + 1)};
  return n == 0 ? NameWords{0, 0} : NameWords{LoadFolded<1>(p), LoadFolded<1>(p + n - 1)};
}
uint64_t NameHash(std::string_view name) {
  const NameWords words = WordsOf(name);
  const uint64_t hash =
      (words.first * 0x9e3779b97f4a7c15ull ^ words.last) * 0xd6e8feb86659fd93ull + name.size();
  return hash ^ hash >> 32;
}

// Redis keeps the other flags to itself.
constexpr BitName kFlagNames[] = {
    {Flag::kWrite, "write"},
    {Flag::kReadOnly, "readonly"},
    {Flag::kDenyOom, "denyoom"},
    {Flag::kAdmin, "admin"},
    {Flag::kPubsub, "pubsub"},
    {Flag::kNoScript, "noscript"},
    {Flag::kBlocking, "blocking"},
    {Flag::kLoading, "loading"},
    {Flag::kStale, "stale"},
    {Flag::kSkipMonitor, "skip_monitor"},
    {Flag::kSkipSlowlog, "skip_slowlog"},
    {Flag::kAsking, "asking"},
    {Flag::kFast, "fast"},
    {Flag::kNoAuth, "no_auth"},
    {Flag::kNoMandatoryKeys, "no_mandatory_keys"},
    {Flag::kNoAsyncLoading, "no_async_loading"},
    {Flag::kNoMulti, "no_multi"},
    {Flag::kMovableKeys, "movablekeys"},
    {Flag::kAllowBusy, "allow_busy"},
};

enum Category : uint64_t {
  kCatKeyspace = 1 << 0,
  kCatRead = 1 << 1,
  kCatWrite = 1 << 2,
  kCatSet = 1 << 3,
  kCatSortedSet = 1 << 4,
  kCatList = 1 << 5,
  kCatHash = 1 << 6,
  kCatString = 1 << 7,
  kCatBitmap = 1 << 8,
  kCatHyperLogLog = 1 << 9,
  kCatGeo = 1 << 10,
  kCatStream = 1 << 11,
  kCatPubsub = 1 << 12,
  kCatAdmin = 1 << 13,
  kCatFast = 1 << 14,
  kCatSlow = 1 << 15,
  kCatBlocking = 1 << 16,
  kCatDangerous = 1 << 17,
  kCatConnection = 1 << 18,
  kCatTransaction = 1 << 19,
  kCatScripting = 1 << 20,
};

constexpr BitName kCategoryNames[] = {
    {kCatKeyspace, "keyspace"},
    {kCatRead, "read"},
    {kCatWrite, "write"},
    {kCatSet, "set"},
    {kCatSortedSet, "sortedset"},
    {kCatList, "list"},
    {kCatHash, "hash"},
    {kCatString, "string"},
    {kCatBitmap, "bitmap"},
    {kCatHyperLogLog, "hyperloglog"},
    {kCatGeo, "geo"},
    {kCatStream, "stream"},
    {kCatPubsub, "pubsub"},
    {kCatAdmin, "admin"},
    {kCatFast, "fast"},
    {kCatSlow, "slow"},
    {kCatBlocking, "blocking"},
    {kCatDangerous, "dangerous"},
    {kCatConnection, "connection"},
    {kCatTransaction, "transaction"},
    {kCatScripting, "scripting"},
};

constexpr BitName kKeyUseNames[] = {
    {KeyUse::kRo, "RO"},
    {KeyUse::kRw, "RW"},
    {KeyUse::kOw, "OW"},
    {KeyUse::kRm, "RM"},
    {KeyUse::kAccess, "access"},
    {KeyUse::kUpdate, "update"},
    {KeyUse::kInsert, "insert"},
    {KeyUse::kDelete, "delete"},
    {KeyUse::kNotKey, "not_key"},
    {KeyUse::kIncomplete, "incomplete"},
    {KeyUse::kVariableFlags, "variable_flags"},
};

struct GroupCategory {
  std::string_view group;
  uint64_t category;
};
constexpr GroupCategory kGroupCategories[] = {
    {"generic", kCatKeyspace},
    {"string", kCatString},
    {"list", kCatList},
    {"set", kCatSet},
    {"sorted-set", kCatSortedSet},
    {"hash", kCatHash},
    {"bitmap", kCatBitmap},
    {"hyperloglog", kCatHyperLogLog},
    {"geo", kCatGeo},
    {"stream", kCatStream},
    {"pubsub", kCatPubsub},
    {"connection", kCatConnection},
    {"transactions", kCatTransaction},
    {"scripting", kCatScripting},
};

uint64_t CategoriesOf(const CommandSpec& spec) {
  uint64_t categories = 0;
  const bool of_group = spec.run != nullptr && !spec.categories.starts_with('=');
  for (const GroupCategory& row : kGroupCategories) {
    if (row.group == spec.group && of_group) categories |= row.category;
  }
  const uint64_t flags = spec.flags;
  if (flags & Flag::kWrite) categories |= kCatWrite;
  if (flags & Flag::kReadOnly && spec.group != "scripting") categories |= kCatRead;
  if (flags & Flag::kAdmin) categories |= kCatAdmin | kCatDangerous;
  if (flags & Flag::kPubsub) categories |= kCatPubsub;
  if (flags & Flag::kBlocking) categories |= kCatBlocking;
  categories |= flags & Flag::kFast ? kCatFast : kCatSlow;
  for (const BitName& row : kCategoryNames) {
    if (spec.categories.find(row.name) != std::string_view::npos) categories |= row.bit;
  }
  return categories;
}

bool Has(Personality personality, const CommandSpec& spec) {
  switch (personality) {
    case Personality::kServer:
      return (spec.flags & Flag::kOnlySentinel) == 0;
    case Personality::kSentinel:
      return (spec.flags & (Flag::kSentinel | Flag::kOnlySentinel)) != 0;
    case Personality::kAny:
      return true;
  }
  return true;
}

}  // namespace

std::span<const BitName> FlagNames() {
  return kFlagNames;
}
std::span<const BitName> CategoryNames() {
  return kCategoryNames;
}
std::span<const BitName> KeyUseNames() {
  return kKeyUseNames;
}

std::string_view ShortName(const Command& command) {
  std::string_view name = command.name;
  const size_t bar = name.find('|');
  return bar == std::string_view::npos ? name : name.substr(bar + 1);
}

Registry::Registry(std::span<const std::span<const CommandSpec>> tables, Personality personality) {
  for (std::span<const CommandSpec> table : tables) {
    for (const CommandSpec& spec : table) {
      if (Has(personality, spec)) Add(spec);
    }
  }
  for (auto& command : owned_) {
    const size_t bar = command->name.find('|');
    if (bar == std::string::npos) {
      top_.push_back(command.get());
      continue;
    }
    const std::string container = command->name.substr(0, bar);
    auto parent = std::find_if(owned_.begin(), owned_.end(), [&](auto& c) { return c->name == container; });
    CHECK(parent != owned_.end());
    command->parent = parent->get();
    (*parent)->subcommands.push_back(command.get());
  }
  Index();
}

Command* Registry::Add(const CommandSpec& spec) {
  // Two files may not have one command.
  CHECK(std::none_of(owned_.begin(), owned_.end(),
                     [&](const auto& known) { return known->name == spec.name; }));
  auto command = std::make_unique<Command>();
  command->spec = &spec;
  command->name = spec.name;
  command->id = static_cast<uint32_t>(owned_.size());
  command->flags = spec.flags;
  command->run = spec.run;
  command->arguments_min = static_cast<uint32_t>(std::abs(spec.arity));
  command->arguments_max = spec.arity > 0 ? command->arguments_min : ~uint32_t{0};
  command->ungated =
      spec.run != nullptr && spec.keys[0].use != 0 &&
      (spec.flags & (Flag::kProtected | Flag::kControlsTransaction | Flag::kWorld | Flag::kRunsScript)) ==
          0 &&
      spec.needs_world == nullptr;
  command->planned = (spec.flags & (Flag::kWorld | Flag::kRunsTransaction | Flag::kRunsScript)) != 0 ||
                     spec.needs_world != nullptr;
  command->categories = CategoriesOf(spec);
  while (command->key_specs < kKeySpecsMax && spec.keys[command->key_specs].use != 0) ++command->key_specs;
  const KeySpec& key = spec.keys[0];
  if (command->key_specs == 1 && key.keyword.empty() && key.find == KeySpec::Find::kRange && key.last == 0 &&
      (key.use & KeyUse::kNotKey) == 0) {
    command->only_key = key.first;
    command->only_key_use = key.use;
  }
  for (int i = 0; i < command->key_specs; ++i) {
    if (spec.keys[i].find != KeySpec::Find::kRange || !spec.keys[i].keyword.empty()) {
      command->flags |= Flag::kMovableKeys;
    }
  }
  all_.push_back(command.get());
  called_.push_back(command->name);
  owned_.push_back(std::move(command));
  return owned_.back().get();
}

void Registry::Index() {
  size_t size = 64;
  while (size < top_.size() * 4) size *= 2;
  index_.assign(size, Slot{});
  for (const Command* command : top_) {
    const uint64_t hash = NameHash(called_[command->id]);
    size_t at = hash & (size - 1);
    while (index_[at].command != nullptr) at = (at + 1) & (size - 1);
    index_[at] = {hash, command};
  }
}

const Command* Registry::Find(std::string_view name) const {
  const uint64_t hash = NameHash(name);
  for (size_t at = hash & (index_.size() - 1); index_[at].command != nullptr;
       at = (at + 1) & (index_.size() - 1)) {
    if (index_[at].hash == hash && cinnabar::SameWord(name, called_[index_[at].command->id]))
      return index_[at].command;
  }
  return nullptr;
}

const Command* Registry::FindSubcommand(const Command& container, std::string_view name) const {
  for (const Command* sub : container.subcommands) {
    if (cinnabar::SameWord(name, ShortName(*sub))) return sub;
  }
  return nullptr;
}

const Command* Registry::FindByFullName(std::string_view name) const {
  const size_t bar = name.find('|');
  const Command* command = Find(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return FindSubcommand(*command, name.substr(bar + 1));
}

const Command* Registry::Resolve(std::span<const std::string_view> argv) const {
  const Command* command = argv.empty() ? nullptr : Find(argv[0]);
  if (command == nullptr || command->subcommands.empty() || argv.size() < 2) return command;
  return FindSubcommand(*command, argv[1]);
}

Status Registry::Rename(std::string_view name, std::string_view new_name) {
  const Command* command = Find(name);
  if (command == nullptr) return Fail("No such command in rename-command");
  const Command* holder = Find(new_name);
  if (!new_name.empty() && holder != nullptr && holder != command)
    return Fail("Target command name already exists");
  if (new_name.empty()) {
    std::erase(top_, command);
  } else {
    called_[command->id] = LowerCase(new_name);
  }
  Index();
  return {};
}

}  // namespace cinnabar::dispatch
