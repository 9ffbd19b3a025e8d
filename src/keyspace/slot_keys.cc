#include "keyspace/slot_keys.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace cinnabar::keyspace {
namespace {

// Null when the database was never used.
ShardTable* TableOfSlot(const Keyspace& keyspace, int database, int slot) {
  DCHECK(keyspace.layout() == Layout::kBySlot);
  const size_t table = Keyspace::TableOfSlot(slot);
  keyspace.CheckHeld(Keyspace::ShardOfTable(table));
  ShardTable* first = keyspace.tables_if_any(database);
  return first == nullptr ? nullptr : first + table;
}

}  // namespace

size_t CountKeysInSlot(const Keyspace& keyspace, int database, int slot) {
  const ShardTable* table = TableOfSlot(keyspace, database, slot);
  return table == nullptr ? 0 : table->entries.size();
}

std::vector<std::string> KeysInSlot(Keyspace& keyspace, int database, int slot, size_t most) {
  std::vector<std::string> names;
  const ShardTable* table = TableOfSlot(keyspace, database, slot);
  if (table == nullptr || most == 0) return names;
  names.reserve(std::min(most, table->entries.size()));
  table->entries.VisitSome(keyspace.walk_of_slot(slot), [&](const TableSlot& slot) {
    names.emplace_back(slot.entry<const Entry>()->key());
    return names.size() < most;
  });
  return names;
}

Table<Entry> TakeSlot(Keyspace& keyspace, int database, int slot) {
  ShardTable* table = TableOfSlot(keyspace, database, slot);
  return table == nullptr ? Table<Entry>() : std::move(table->entries);
}

}  // namespace cinnabar::keyspace
