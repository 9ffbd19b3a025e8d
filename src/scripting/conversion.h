// Values between RESP and Lua, as Redis maps them
// (https://redis.io/docs/manual/programmability/lua-api/#data-type-conversion).
#pragma once

#include <string_view>

#include "protocol/reply_writer.h"

struct lua_State;

namespace cinnabar::scripting {

// Pushes the value of one whole reply. Returns the bytes that are left behind it, which are none for what the
// server writes itself; a broken reply pushes nil. May raise an error, of memory for example.
std::string_view PushReply(lua_State* lua, std::string_view reply);

// An error as a script has raised or returned it, on top of the stack.
struct ErrorFacts {
  std::string_view text;    // "CODE message"; lives as long as the value
  std::string_view source;  // empty: unknown
  int line = 0;
  bool counted = false;  // statistics have it already
};
// Leaves the value and its parts on the stack: the caller drops them.
ErrorFacts ErrorOnTop(lua_State* lua);

// Writes the value on top as a reply, and pops it. `script_resp` is what the script has chosen with
// redis.setresp. `counted` as in ErrorFacts.
void WriteValue(lua_State* lua, protocol::ReplyWriter& reply, int script_resp, bool& counted);

}  // namespace cinnabar::scripting
