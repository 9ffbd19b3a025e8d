// What a compiled Lua 5.1 function does to the variables around it, read from its dump.
#pragma once

#include <cstddef>
#include <string_view>

namespace cinnabar::scripting {

// Whether the function, or one inside it, assigns to a variable of a function around it. `dump` is what
// lua_dump writes on this machine; anything else counts as an assignment.
bool AssignsOuterVariables(std::string_view dump);

}  // namespace cinnabar::scripting
