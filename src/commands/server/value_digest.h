// A digest of data: equal data have equal digests on every server, whatever the order of keys and the
// encoding of values. 160 bits, shown as 40 hexadecimal digits; no data have zeros. Against accidents, not
// against attackers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "keyspace/entry.h"

namespace cinnabar::commands {

class Digest {
 public:
  // Digests of parts in a fixed order.
  void Append(std::string_view bytes);
  void Append(const Digest& part);
  // Digests of parts in any order.
  void Add(const Digest& part);
  std::string Hex() const;

 private:
  std::array<uint64_t, 3> words_{};
};

// Of the value alone, and whether it expires.
Digest DigestOfValue(const keyspace::Entry& entry);
Digest DigestOfEntry(int database, const keyspace::Entry& entry);

}  // namespace cinnabar::commands
