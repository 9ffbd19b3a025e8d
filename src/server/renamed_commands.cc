#include "server/renamed_commands.h"

namespace cinnabar::server {

Status RenameCommands(const config::Config& config, dispatch::Registry& registry) {
  for (const config::Directive& directive : config.Directives("rename-command")) {
    const Status renamed = registry.Rename(directive.arguments[0], directive.arguments[1]);
    if (!renamed) return Fail(config.FatalText(directive, renamed.error().message));
  }
  return {};
}

}  // namespace cinnabar::server
