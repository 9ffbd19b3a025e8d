// Directives that config files of other versions hold (Redis 6.2 to 8, Valkey 8 and 9) and that mean nothing
// here, or mean what we call by another name. A file moves to this server without being edited; the log says
// which of its lines have no effect.
#pragma once

#include <span>
#include <string_view>

namespace cinnabar::config {

enum class ForeignEffect {
  kNone,       // accepted; the start warns of it
  kForgotten,  // accepted with one argument, in silence, as Redis does
  kSame,       // it is our directive `ours`
};

struct ForeignDirective {
  std::string_view name;  // a glob pattern where a module brings many
  std::string_view from;  // the first version that has it, for the reference page
  ForeignEffect effect = ForeignEffect::kNone;
  std::string_view ours = {};
};

std::span<const ForeignDirective> ForeignDirectives();

// In any case; nullptr when there is none.
const ForeignDirective* FindForeignDirective(std::string_view name);

}  // namespace cinnabar::config
