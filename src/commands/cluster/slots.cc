// CLUSTER ADDSLOTS, DELSLOTS and their like, SETSLOT, KEYSLOT, COUNTKEYSINSLOT and GETKEYSINSLOT: whose slots
// are whose, and what is in them.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "base/key_slot.h"
#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/cluster/machine.h"
#include "dispatch/args.h"
#include "keyspace/slot_keys.h"

namespace cinnabar::commands {
namespace {

using cluster::Cluster;
using cluster::SlotSet;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
namespace Flag = dispatch::Flag;

// ---- ADDSLOTS, ADDSLOTSRANGE, DELSLOTS, DELSLOTSRANGE, FLUSHSLOTS

enum class Change : uint8_t { kAdd, kDelete };

// Adds a range to what is to be changed. False: one of the slots may not be, and the error is written.
bool Collect(Call& call, const Cluster& machine, Change change, cluster::SlotRange range, SlotSet& slots) {
  for (int slot = range.first; slot <= range.last; ++slot) {
    const bool owned = machine.Owner(slot) != nullptr;
    if (owned != (change == Change::kDelete)) {
      call.reply().Error(fmt::format("ERR Slot {} is already {}", slot, owned ? "busy" : "unassigned"));
      return false;
    }
    if (slots.Has(slot)) {
      call.reply().Error(fmt::format("ERR Slot {} specified multiple times", slot));
      return false;
    }
    slots.Add(slot);
  }
  return true;
}

void Apply(Call& call, Cluster& machine, Change change, const SlotSet& slots) {
  ReplyDone(call, change == Change::kAdd ? machine.AddSlots(slots) : machine.DeleteSlots(slots));
}

template <Change kChange>
void ChangeSlots(Call& call, Cluster& machine) {
  std::vector<int> numbers;
  for (size_t index = 2; index < call.argc(); ++index) {
    const auto slot = SlotArgument(call, index);
    if (!slot) return;
    numbers.push_back(*slot);
  }
  SlotSet slots;
  for (const int slot : numbers) {
    if (!Collect(call, machine, kChange, {slot, slot}, slots)) return;
  }
  Apply(call, machine, kChange, slots);
}

template <Change kChange>
void ChangeRanges(Call& call, Cluster& machine) {
  if (call.argc() % 2 != 0) {
    return call.reply().Error(
        fmt::format("ERR wrong number of arguments for '{}' command", call.command().name));
  }
  SlotSet slots;
  for (size_t index = 2; index < call.argc(); index += 2) {
    const auto first = SlotArgument(call, index);
    if (!first) return;
    const auto last = SlotArgument(call, index + 1);
    if (!last) return;
    if (*first > *last) {
      return call.reply().Error(
          fmt::format("ERR start slot number {} is greater than end slot number {}", *first, *last));
    }
    if (!Collect(call, machine, kChange, {*first, *last}, slots)) return;
  }
  Apply(call, machine, kChange, slots);
}

void FlushSlots(Call& call, Cluster& machine) {
  ReplyDone(call, machine.FlushSlots());
}

// ---- SETSLOT

void SetSlot(Call& call, Cluster& machine) {
  if (machine.myself().is_replica()) return call.reply().Error("ERR Please use SETSLOT only with masters.");
  const auto slot = SlotArgument(call, 2);
  if (!slot) return;
  const std::string_view action = call.arg(3);
  if (call.argc() == 4 && SameWord(action, "STABLE")) return ReplyDone(call, machine.MakeStable(*slot));
  if (call.argc() == 5) {
    const std::string_view node = call.arg(4);
    if (SameWord(action, "MIGRATING")) return ReplyDone(call, machine.Migrate(*slot, node));
    if (SameWord(action, "IMPORTING")) return ReplyDone(call, machine.Import(*slot, node));
    if (SameWord(action, "NODE")) return ReplyDone(call, machine.Assign(*slot, node));
  }
  call.reply().Error("ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP");
}

// ---- keys

// A cluster has no other.
constexpr int kClusterDatabase = 0;

void KeySlotOf(Call& call, Cluster&) {
  call.reply().Integer(KeySlot(call.arg(2)));
}

void CountKeys(Call& call, Cluster&) {
  const auto slot = ParseInt64(call.arg(2));
  if (!slot) return call.reply().Error(errors::kNotInteger);
  if (*slot < 0 || *slot >= cluster::kSlots) return call.reply().Error("ERR Invalid slot");
  const size_t count =
      keyspace::CountKeysInSlot(call.services().keyspace, kClusterDatabase, static_cast<int>(*slot));
  call.reply().Integer(static_cast<int64_t>(count));
}

void GetKeys(Call& call, Cluster&) {
  const auto slot = ParseInt64(call.arg(2));
  if (!slot) return call.reply().Error(errors::kNotInteger);
  const auto count = ParseInt64(call.arg(3));
  if (!count) return call.reply().Error(errors::kNotInteger);
  if (*slot < 0 || *slot >= cluster::kSlots || *count < 0)
    return call.reply().Error("ERR Invalid slot or number of keys");
  call.reply().BulkArray(keyspace::KeysInSlot(call.services().keyspace, kClusterDatabase,
                                              static_cast<int>(*slot), static_cast<size_t>(*count)));
}

// ---- facts

constexpr std::string_view kSlotList = "(slot:integer)...";
constexpr std::string_view kRangeList = "(start-slot:integer end-slot:integer)...";

constexpr std::string_view kCostsArguments = "O(N) where N is the total number of hash slot arguments";
constexpr std::string_view kCostsRanges =
    "O(N) where N is the total number of the slots between the start slot and end slot arguments.";

constexpr CommandSpec kTable[] = {
    Costing(ClusterCommand("cluster|addslots", kSlotList, "Gives hash slots to this node.", -3,
                           kClusterChanges, OnNode<ChangeSlots<Change::kAdd>>),
            kCostsArguments),
    Since(Costing(
              ClusterCommand("cluster|addslotsrange", kRangeList, "Gives ranges of hash slots to this node.",
                             -4, kClusterChanges, OnNode<ChangeRanges<Change::kAdd>>),
              kCostsRanges),
          "7.0.0"),
    Costing(ClusterCommand("cluster|delslots", kSlotList, "Takes hash slots from this node.", -3,
                           kClusterChanges, OnNode<ChangeSlots<Change::kDelete>>),
            kCostsArguments),
    Since(Costing(ClusterCommand("cluster|delslotsrange", kRangeList,
                                 "Takes ranges of hash slots from this node.", -4, kClusterChanges,
                                 OnNode<ChangeRanges<Change::kDelete>>),
                  kCostsRanges),
          "7.0.0"),
    ClusterCommand("cluster|flushslots", "", "Takes all hash slots from this node.", 2, kClusterChanges,
                   OnNode<FlushSlots>),
    ClusterCommand("cluster|setslot",
                   "slot:integer subcommand:(IMPORTING:string node-id|MIGRATING:string node-id|NODE:string "
                   "node-id|STABLE)",
                   "Says where a hash slot is, or is going.", -4, kClusterChanges, OnNode<SetSlot>),
    Costing(ClusterCommand("cluster|keyslot", "key:string", "Returns the hash slot of a key.", 3,
                           Flag::kStale, OnNode<KeySlotOf>),
            "O(N) where N is the number of bytes in the key"),
    ClusterCommand("cluster|countkeysinslot", "slot:integer", "Returns the number of keys in a hash slot.", 3,
                   kClusterLooks, OnNode<CountKeys>),
    Costing(
        Varying(ClusterCommand("cluster|getkeysinslot", "slot:integer count:integer",
                               "Returns names of keys in a hash slot.", 4, kClusterLooks, OnNode<GetKeys>)),
        "O(N) where N is the number of requested keys"),
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kClusterSlotsCommands{kTable};

}  // namespace cinnabar::commands
