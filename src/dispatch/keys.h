// Which arguments of a request are keys, by the command's key specifications.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dispatch/registry.h"
#include "keyspace/keyspace.h"

namespace cinnabar::dispatch {

struct KeyPosition {
  uint32_t index;  // in the arguments
  uint16_t use;    // KeyUse bits of its specification
};

// Appends the positions of all keys, in the order of the specifications. False when the arguments do not fit
// a specification (a number of keys that is no number or too large): the handler will answer with the error.
bool FindKeys(const Command& command, std::span<const std::string_view> argv, std::vector<KeyPosition>& keys);

// A key argument with its hash, and what its command does to it.
struct PlacedKey {
  uint32_t index;  // in the arguments
  uint16_t use;    // KeyUse bits of its specification
  keyspace::Key key;
};

}  // namespace cinnabar::dispatch
