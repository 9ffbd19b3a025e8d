// The `cjson` library of scripts: Lua values to JSON texts and back.
#pragma once

#include "scripting/step_hook.h"

struct lua_State;

namespace cinnabar::scripting {

// What scripts can change with functions of the library.
struct CjsonSettings {
  enum class InvalidNumbers : int { kRefuse = 0, kTake = 1, kNull = 2 };

  int encode_depth_max = 1000;
  int decode_depth_max = 1000;
  // A table is sparse if its largest index is beyond `sparse_safe` and more than `sparse_ratio` times the
  // number of its elements; with ratio 0 none is.
  int sparse_as_object = 0;
  int sparse_ratio = 2;
  int sparse_safe = 10;
  int number_digits = 14;
  InvalidNumbers encode_invalid_numbers = InvalidNumbers::kRefuse;
  InvalidNumbers decode_invalid_numbers = InvalidNumbers::kTake;  // never kNull
  int keep_buffer = 1;                                            // told, and of no effect
};

// Pushes a new table with the library and returns 1. Sets no global. The settings are read and changed in
// place. May raise a Lua error (memory).
// REQUIRES: `settings` outlive the Lua state.
int OpenCjson(lua_State* lua, CjsonSettings* settings, StepHook hook = nullptr);

}  // namespace cinnabar::scripting
