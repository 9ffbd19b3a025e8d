#include "config/internal/lookup.h"

#include <algorithm>

#include "base/ascii.h"
#include "config/internal/foreign_directives.h"
#include "config/internal/values.h"

namespace cinnabar::config {

namespace {

constexpr size_t kAny = static_cast<size_t>(-1);

constexpr FileDirective kFileDirectives[] = {
    {"include", "path", 1, 1,
     "Read another file here. With wildcards all matching files are read in order, which may be none. As the "
     "last line about something wins, includes that must not override belong at the top."},
    {"user", "name rule …", 1, kAny, "Define a user by ACL rules; each user once."},
    {"rename-command", "name new-name", 2, 2, "Rename a command, or remove it with the new name \"\"."},
    {"loadmodule", "path argument …", 1, kAny, "Load a module at start.", true},
    {"sentinel", "option argument …", 0, kAny, "Options of Sentinel, which only Sentinel reads."},
};

}  // namespace

const Param* FindParam(std::string_view name) {
  if (name.empty()) return nullptr;
  auto named = [name](const Param& param) {
    return SameWord(param.name, name) || std::ranges::any_of(param.aliases, [name](std::string_view alias) {
             return SameWord(alias, name);
           });
  };
  for (const Chapter& chapter : Chapters()) {
    auto found = std::ranges::find_if(chapter.params, named);
    if (found != chapter.params.end()) return &*found;
  }
  const ForeignDirective* foreign = FindForeignDirective(name);
  return foreign == nullptr ? nullptr : FindParam(foreign->ours);
}

std::span<const FileDirective> FileDirectives() {
  return kFileDirectives;
}

const FileDirective* FindFileDirective(std::string_view name) {
  const auto* found = std::ranges::find_if(
      kFileDirectives, [name](const FileDirective& directive) { return SameWord(directive.name, name); });
  return found == std::end(kFileDirectives) ? nullptr : found;
}

}  // namespace cinnabar::config
