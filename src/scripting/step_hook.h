// How functions of C++ that may take long let a script be ended in the middle.
#pragma once

#include <cstddef>

struct lua_State;

namespace cinnabar::scripting {

// Called now and then during long work. May raise a Lua error; otherwise leaves the Lua stack as it was.
// REQUIRES: ten free slots on the Lua stack.
using StepHook = void (*)(lua_State*);

// Counts work, and calls the hook about every millisecond of it.
struct Pace {
  static constexpr ptrdiff_t kBytesBetweenHooks = 1'000'000;
  static constexpr ptrdiff_t kBytesPerStep = 50;  // a step takes as long as copying so many bytes

  StepHook hook;
  ptrdiff_t left = kBytesBetweenHooks;

  // One step, and so many bytes looked at.
  void Spend(lua_State* lua, size_t bytes) {
    left -= kBytesPerStep + static_cast<ptrdiff_t>(bytes);
    if (left >= 0) [[likely]] {
      return;
    }
    left = kBytesBetweenHooks;
    if (hook != nullptr) hook(lua);
  }
};

}  // namespace cinnabar::scripting
