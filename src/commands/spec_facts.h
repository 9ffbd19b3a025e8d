// Facts of subcommands that stand in long tables: a spec with the usual ones, and changes of one fact each.
#pragma once

#include <cstdint>
#include <string_view>

#include "dispatch/call.h"

namespace cinnabar::commands {

struct Family {
  std::string_view group;
  std::string_view since;
};

// "container|sub" as its name.
constexpr dispatch::CommandSpec Subcommand(const Family& family, std::string_view name,
                                           std::string_view synopsis, std::string_view summary, int arity,
                                           uint64_t flags, dispatch::Handler run) {
  dispatch::CommandSpec spec{
      .name = name, .synopsis = synopsis, .summary = summary, .since = family.since, .group = family.group};
  spec.complexity = "O(1)";
  spec.arity = arity;
  spec.flags = flags;
  spec.run = run;
  return spec;
}
constexpr dispatch::CommandSpec Costing(dispatch::CommandSpec spec, std::string_view complexity) {
  spec.complexity = complexity;
  return spec;
}
constexpr dispatch::CommandSpec Since(dispatch::CommandSpec spec, std::string_view since) {
  spec.since = since;
  return spec;
}

}  // namespace cinnabar::commands
