// Finding the row of a name, and the lines of a config file that are no parameters.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "config/internal/param.h"

namespace cinnabar::config {

// By any of its names, those of other versions included, in any case; nullptr when unknown.
const Param* FindParam(std::string_view name);

// A directive of the config file that is no parameter.
struct FileDirective {
  std::string_view name;
  std::string_view syntax;
  size_t min_arguments;
  size_t max_arguments;
  std::string_view doc;
  bool not_yet = false;  // accepted, but nothing acts on it yet
};

std::span<const FileDirective> FileDirectives();
const FileDirective* FindFileDirective(std::string_view name);

}  // namespace cinnabar::config
