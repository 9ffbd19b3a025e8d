// A set of commands: one bit for each id of a catalog.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "security/command_catalog.h"

namespace cinnabar::security {

enum class Grant : uint8_t { kDeny, kAllow };

class CommandSet {
 public:
  CommandSet() = default;
  // The empty set, with room for ids below `size`.
  explicit CommandSet(size_t size) : words_((size + 63) / 64) {}

  // REQUIRES for both: id below the size.
  bool Has(CommandId id) const { return (words_[id / 64] >> (id % 64) & 1) != 0; }
  void Set(CommandId id, Grant grant) {
    const uint64_t bit = uint64_t{1} << (id % 64);
    if (grant == Grant::kAllow) {
      words_[id / 64] |= bit;
    } else {
      words_[id / 64] &= ~bit;
    }
  }

  bool operator==(const CommandSet&) const = default;

 private:
  std::vector<uint64_t> words_;
};

}  // namespace cinnabar::security
