// The explicit list of every command this program knows. Generated from commands/CMakeLists.txt.
#pragma once

#include <span>

#include "dispatch/command.h"

namespace cinnabar::commands {

std::span<const std::span<const dispatch::CommandSpec>> CommandTables();

}  // namespace cinnabar::commands
