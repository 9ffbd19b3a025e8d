// Whether a run keeps its last steps, to show them.
#pragma once

#include <cstdint>

namespace cinnabar::simulator {

enum class Tracing : uint8_t { kOff, kOn };

}  // namespace cinnabar::simulator
