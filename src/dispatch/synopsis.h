// The synopsis of a command: one line such as
//
//   key value condition:[NX|XX] [GET] [EX:integer seconds|PX:integer milliseconds|KEEPTTL]
//
// and the tree of arguments that follows from it, which COMMAND DOCS and the reference pages show. The
// notation is defined in docs/design/synopsis.md.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cinnabar::dispatch {

enum class ArgumentType : uint8_t {
  kString,
  kInteger,
  kDouble,
  kKey,
  kPattern,
  kUnixTime,
  kPureToken,
  kOneOf,
  kBlock,
};
// As COMMAND DOCS calls it: "unix-time".
std::string_view ArgumentTypeName(ArgumentType type);

struct Argument {
  std::string name = {};
  ArgumentType type = ArgumentType::kString;
  bool optional = false;
  bool multiple = false;
  bool multiple_token = false;  // the token is repeated with each value
  std::optional<std::string> token = {};
  std::string since = {};                // empty: as the command
  std::optional<int> key_spec = {};      // index of the key specification that finds it
  std::vector<Argument> arguments = {};  // of a kOneOf or a kBlock
};

// `key_specs` is how many key specifications the command has: keys are given theirs in order. The error says
// what is wrong and where. Never fails for a registered command: a test reads them all.
Result<std::vector<Argument>> ParseSynopsis(std::string_view synopsis, int key_specs);

// For people: "key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]".
std::string UsageLine(std::span<const Argument> arguments);

}  // namespace cinnabar::dispatch
