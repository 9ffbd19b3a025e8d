// DEBUG DIGEST: equal data have equal digests on every server of this kind, stock Redis included, whatever
// the order of keys and the encoding of values. 160 bits, shown as 40 hexadecimal digits; no data have zeros.
// Against accidents, not against attackers.
//
// Two operations make a digest of parts, each of which enters as its SHA-1:
//   Add   exclusive or: parts in any order
//   Mix   exclusive or, then the SHA-1 of that: the parts of a sequence
//
// What Redis does not look at does not count: the moment when something expires, the groups of a stream.
#pragma once

#include <string>
#include <string_view>

#include "base/sha1.h"
#include "keyspace/entry.h"

namespace cinnabar::commands {

class Digest {
 public:
  void Add(std::string_view part);
  void Mix(std::string_view part);
  void Add(const Digest& part);
  std::string Hex() const;

 private:
  Sha1Digest bytes_{};
};

// Of the value alone, and whether it expires.
Digest DigestOfValue(const keyspace::Entry& entry);

// Of a whole data set. Databases come one after the other, in ascending order; those that are empty do not
// count.
class DataSetDigest {
 public:
  void BeginDatabase(int database);
  void AddEntry(const keyspace::Entry& entry);
  std::string Hex() const { return digest_.Hex(); }

 private:
  Digest digest_;
};

}  // namespace cinnabar::commands
