// What COMMAND INFO, COMMAND DOCS and the reference pages say about a command: all of it follows from its
// CommandSpec.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"
#include "dispatch/registry.h"
#include "protocol/reply_writer.h"

namespace cinnabar::dispatch {

// The older description of key positions (before key specifications). All zero: it cannot be said this way.
struct KeyTriple {
  int first = 0;
  int last = 0;
  int step = 0;
};
KeyTriple LegacyKeys(const Command& command);

// One element of COMMAND INFO, subcommands included.
void WriteInfo(const Command& command, protocol::ReplyWriter& reply);

// One pair of COMMAND DOCS: the name, and the map.
void WriteDocs(const Command& command, config::CompatVersion version, protocol::ReplyWriter& reply);

// The lines of CommandSpec::history: what changed since when.
struct HistoryLine {
  std::string_view since;
  std::string_view change;
};
std::vector<HistoryLine> HistoryOf(const CommandSpec& spec);

// The flags of a key specification, as a set.
void WriteKeyUse(uint16_t use, protocol::ReplyWriter& reply);

// The reference page of all commands, in Markdown.
std::string CommandReference(const Registry& registry);

}  // namespace cinnabar::dispatch
