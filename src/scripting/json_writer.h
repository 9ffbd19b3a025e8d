// cjson.encode.
#pragma once

struct lua_State;

namespace cinnabar::scripting {

// One argument, one result: the argument as JSON.
// REQUIRES: the upvalues are the settings (a CjsonSettings) and the hook (a StepHook).
int EncodeJson(lua_State* lua);

}  // namespace cinnabar::scripting
