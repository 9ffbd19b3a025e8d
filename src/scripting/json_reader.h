// cjson.decode.
#pragma once

struct lua_State;

namespace cinnabar::scripting {

// One argument, a text of JSON; one result, the value that it describes.
// REQUIRES: the upvalues are the settings (a CjsonSettings) and the hook (a StepHook).
int DecodeJson(lua_State* lua);

}  // namespace cinnabar::scripting
