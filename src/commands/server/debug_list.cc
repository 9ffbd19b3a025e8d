// DEBUG subcommands about the nodes of lists and the listpacks of all collections. What they show goes to the
// server's log.
#include <fmt/format.h>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/server/debug.h"
#include "structures/packed_pairs.h"
#include "types/encoding.h"
#include "types/list.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using keyspace::EntryRef;

constexpr std::string_view kBadThreshold =
    "ERR argument must be a memory value bigger than 1 and smaller than 4gb";

// 0: back to the rule that large elements are those that do not fit a node.
void PackedThreshold(Call& call) {
  const auto bytes = ParseMemorySize(call.arg(2));
  if (!bytes || *bytes >= uint64_t{4} << 30) return call.reply().Error(kBadThreshold);
  call.services().debug.list_plain_from = *bytes;
  call.reply().Ok();
}

void LogListpack(Call& call, std::string_view pack) {
  call.services().log.Notice("listpack: {} bytes, {} elements", pack.size(), listpack::Count(pack));
  size_t index = 0;
  for (size_t at = listpack::First(pack); at != listpack::kEnd; at = listpack::Next(pack, at)) {
    listpack::Digits digits;
    const listpack::Element element = listpack::Get(pack, at);
    call.services().log.Notice("  {} at {}: {} {}", index++, at, element.is_integer ? "integer" : "string",
                               element.Text(digits).substr(0, 64));
  }
}

void Quicklist(Call& call) {
  EntryRef entry = call.db().Peek(call.key(2));
  if (!entry) return call.reply().Error(errors::kNoSuchKey);
  if (entry->type() != types::Type::kList) return call.reply().Error("ERR Not a quicklist encoded object.");
  if (entry->place() == keyspace::Place::kInline) {
    LogListpack(call, entry->inline_bytes());
  } else {
    const auto& list = static_cast<const types::LargeList&>(*entry->object());
    call.services().log.Notice("quicklist: {} elements, {} nodes, {} compressed", list.size(), list.nodes(),
                               list.compressed_nodes());
    list.ForEachNode([&](types::LargeList::Form form, std::string_view bytes) {
      const bool plain = form == types::LargeList::Form::kPlain;
      call.services().log.Notice("  {} node: {} bytes, {} elements", plain ? "plain" : "packed", bytes.size(),
                                 plain ? 1 : listpack::Count(bytes));
    });
  }
  call.reply().Simple("Quicklist structure printed on stdout");
}

void Listpack(Call& call) {
  EntryRef entry = call.db().Peek(call.key(2));
  if (!entry) return call.reply().Error(errors::kNoSuchKey);
  if (entry->type() == types::Type::kList && entry->place() == keyspace::Place::kObject &&
      entry->object()->encoding() == types::kListpackName) {
    return Quicklist(call);
  }
  const bool packed = entry->type() != types::Type::kString && entry->place() == keyspace::Place::kInline;
  if (!packed || types::PackedEncoding(entry->type(), entry->inline_bytes()) != types::kListpackName) {
    return call.reply().Error("ERR Not a listpack encoded object.");
  }
  if (entry->type() == types::Type::kHash) {
    LogListpack(call, packed_pairs::AsListpack(entry->inline_bytes()).view());
  } else {
    LogListpack(call, entry->inline_bytes());
  }
  call.reply().Simple("Listpack structure printed on stdout");
}

constexpr DebugSubcommand kTable[] = {
    {"quicklist-packed-threshold", 1, 1, PackedThreshold},
    {"quicklist", 1, 2, Quicklist},
    {"listpack", 1, 1, Listpack},
};

}  // namespace

constinit const std::span<const DebugSubcommand> kDebugListSubcommands{kTable};

}  // namespace cinnabar::commands
