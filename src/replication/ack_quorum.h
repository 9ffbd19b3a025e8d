// AckQuorum: how far the stream has been acknowledged by how many replicas.
//
// Reached(n) is the greatest offset that at least n replicas have acknowledged: WAIT n is satisfied for an
// offset at or below it, and a write that needs n replicas may be answered. A server has one for what
// replicas have applied, and one for what they have on disk (the FACK of REPLCONF ACK, for WAITAOF).
//
// An offset of one link never goes back while the link lives; a link that ends takes its acknowledgement
// along, so that Reached(n) may fall. Whoever released replies by it must keep its own greatest value: what
// was acknowledged once was on n replicas then.
//
// Cost: an acknowledgement moves one number in a sorted array (few replicas: a handful of steps); Reached is
// a read. Any thread; `lock_` is a leaf lock.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/brief_lock.h"
#include "replication/backlog.h"

namespace cinnabar::replication {

class AckQuorum {
 public:
  // Handle of one link; valid until Remove.
  using Member = uint32_t;

  // A replica that is online and has acknowledged `offset`.
  Member Add(StreamOffset offset);
  void Remove(Member member);
  // Returns whether it moved (an acknowledgement that goes back is ignored).
  bool Acknowledge(Member member, StreamOffset offset);

  size_t size() const;
  // The greatest offset that at least `n` members have acknowledged. 0 when there are fewer; the greatest
  // possible for n = 0.
  StreamOffset Reached(size_t n) const;
  // How many have acknowledged `offset`: the reply of WAIT.
  size_t CountAt(StreamOffset offset) const;

 private:
  mutable BriefLock lock_;
  std::vector<StreamOffset> descending_;
  std::vector<StreamOffset> of_member_;
  std::vector<Member> free_;
};

}  // namespace cinnabar::replication
