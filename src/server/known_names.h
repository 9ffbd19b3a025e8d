// KnownNames: what host names mean, for those who ask often and must not wait.
//
// A name is looked up on a thread (NameLookup). Only the first question after a name waits for the answer,
// and not for long; later ones are told what was last known, while the name is looked up anew in the
// background once a second at most. A name that is not known any more keeps its last address: servers of
// names forget a host in the moment in which it dies, and others still speak of it. While the server of names
// is slow nobody waits, and few names are asked for at a time.
//
// One thread, the owner's.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "server/name_lookup.h"

namespace cinnabar::server {

class KnownNames {
 public:
  // `patience`: how long the first question after a name may wait.
  explicit KnownNames(Millis patience, NameLookup::Resolver resolve = ResolveName)
      : patience_(patience), resolve_(resolve) {}

  // The numeric address, or none: not known, or not known yet. `now` is any clock's time, the same one's each
  // time.
  std::optional<std::string> Find(const std::string& name, Millis now);

 private:
  struct Name {
    NameLookup lookup;
    bool asked = false;  // and the answer is not there yet
    Millis ask_again = 0;
    std::optional<std::string> ip;
  };
  // Each question that is not answered yet holds a thread, for as long as the resolver likes.
  bool MayAsk(Millis now);
  void Wait(Name& name, Millis now);
  // Whether there was an answer.
  bool Take(Name& name, Millis now);

  Millis patience_;
  Millis impatient_until_ = 0;
  NameLookup::Resolver resolve_;
  std::map<std::string, Name> names_;
};

}  // namespace cinnabar::server
