// Interlude: how a long piece of work inside a type lets its caller do something else in between.
#pragma once

#include <cstdint>
#include <functional>

namespace cinnabar::types {

// Called now and then, with the number of steps since the last call; a step is what one element takes. Empty:
// nobody wants to know.
using Interlude = std::function<void(uint32_t steps)>;

}  // namespace cinnabar::types
