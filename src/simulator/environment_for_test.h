// What the environment says about the runs of a simulation.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>

namespace cinnabar::simulator {

inline std::optional<uint64_t> FromEnvironment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

}  // namespace cinnabar::simulator
