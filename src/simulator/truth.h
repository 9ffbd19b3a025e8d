// Everything that was ever written, seen by nobody but the checks: a tree of histories.
//
//   root a  o----o----o----o----o          an id, and the state at each border between two records
//                \ b  o----o----o          b began with a's state at that offset
//
// A node claims to be at an offset of a history; Truth knows which state that is.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "replication/history.h"
#include "simulator/data_set.h"

namespace cinnabar::simulator {

using replication::Position;
using replication::ReplicationId;
using replication::StreamOffset;

class Truth {
 public:
  // A history without a past that begins with this state. `grown_from`: it has the data of that state and
  // changes that no stream carries.
  void AddRoot(const ReplicationId& id, StreamOffset offset, StateMark mark,
               std::optional<Position> grown_from);
  // A history that has this much in common with its parent.
  void AddBranch(const ReplicationId& id, const ReplicationId& parent, StreamOffset offset);
  // Its next record ends there.
  void AddBorder(const ReplicationId& id, StreamOffset offset, StateMark mark);

  // Nothing if no record ends there.
  std::optional<StateMark> At(const ReplicationId& id, StreamOffset offset) const;
  // The history whose primary wrote the byte before the offset: an id may have been learnt at an offset where
  // it is still its parent's. Nothing if it is unknown.
  std::optional<ReplicationId> WriterOf(const ReplicationId& id, StreamOffset offset) const;
  // What AddRoot was told, if the history has no past.
  std::optional<Position> GrownFrom(const ReplicationId& id) const;
  // Whether the state at (id, offset) is one that history `of` goes through.
  bool Contains(const ReplicationId& of, const ReplicationId& id, StreamOffset offset) const;
  // Whether what was written up to `before` is part of the state at `now`.
  bool Includes(Position now, const Position& before) const;

 private:
  struct Branch {
    std::string parent;  // empty: a root
    StreamOffset begin;
    std::optional<Position> grown_from;  // roots only
    std::map<StreamOffset, StateMark> borders;
  };
  using Branches = std::map<std::string, Branch, std::less<>>;
  // As WriterOf. A root has written everything, however early.
  Branches::const_iterator OwnerOf(std::string_view id, StreamOffset offset) const;

  Branches branches_;
};

}  // namespace cinnabar::simulator
