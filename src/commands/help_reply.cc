#include "commands/help_reply.h"

#include <fmt/format.h>

namespace cinnabar::commands {

void ReplyHelp(dispatch::Call& call, std::span<const std::string_view> lines) {
  std::string container(call.command().name.substr(0, call.command().name.find('|')));
  for (char& c : container) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  auto& reply = call.reply();
  reply.Array(lines.size() + 3);
  reply.Simple(fmt::format("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container));
  for (std::string_view line : lines) reply.Simple(line);
  reply.Simple("HELP");
  reply.Simple(call.settings().general.compat_version == config::CompatVersion::k70 ? "    Prints this help."
                                                                                    : "    Print this help.");
}

}  // namespace cinnabar::commands
