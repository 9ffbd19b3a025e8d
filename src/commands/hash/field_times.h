// Giving fields a time to expire: what HEXPIRE and its relatives, HPERSIST, HGETEX and HSETEX share.
#pragma once

#include <string_view>
#include <vector>

#include "commands/expiry_option.h"
#include "commands/hash/field_list.h"
#include "commands/hash/hash_access.h"

namespace cinnabar::commands {

// The moment that a number of this unit and base means. Errors are kept in `args` and name the command. A
// moment that has passed is none.
Millis ReadFieldMoment(const dispatch::Call& call, dispatch::Args& args, std::string_view number,
                       ExpiryOption::Unit unit, ExpiryOption::Base base);

// Applies one moment to fields of one hash, then says what has changed: events, journal, the key that went
// with its last field. The fields' names must live until Finish.
class FieldTimes {
 public:
  enum class Outcome : uint8_t { kSet, kDeleted };

  // `at` is kNeverExpires for one that only calls Persist.
  FieldTimes(dispatch::Call& call, const keyspace::Key& key, keyspace::EntryHolder& holder, Millis at)
      : call_(call), key_(key), holder_(holder), hash_(holder, FieldClock(call)), at_(at) {}

  // A field whose moment is past is deleted. REQUIRES: spot.found.
  Outcome Set(const types::Hash::Spot& spot, std::string_view field);
  // REQUIRES: spot.found and it has an expiry.
  void Persist(const types::Hash::Spot& spot, std::string_view field);

  types::Hash& hash() { return hash_; }
  // The hash may be gone afterwards.
  void Finish();

 private:
  void Announce(std::string_view event, FieldList fields);

  dispatch::Call& call_;
  const keyspace::Key key_;
  keyspace::EntryHolder& holder_;
  types::Hash hash_;
  const Millis at_;
  std::vector<std::string_view> timed_, persisted_, deleted_;
};

}  // namespace cinnabar::commands
