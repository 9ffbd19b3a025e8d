#include "types/stream.h"

namespace cinnabar::types {

StreamCursor::StreamCursor(const Stream& stream, StreamId from, StreamId to, Direction direction)
    : stream_(stream), from_(from), to_(to), direction_(direction) {}

bool StreamCursor::Next(StreamEntry& entry) {
  for (;;) {
    bool found = false;
    if (state_ == State::kBefore) {
      found = Start();
    } else if (state_ == State::kInside) {
      found = Step();
    }
    if (!found) {
      state_ = State::kDone;
      return false;
    }
    if (direction_ == Direction::kForward) {
      if (entry_.id > to_) {
        state_ = State::kDone;
        return false;
      }
      if (entry_.deleted || entry_.id < from_) continue;
    } else {
      if (entry_.id < from_) {
        state_ = State::kDone;
        return false;
      }
      if (entry_.deleted || entry_.id > to_) continue;
    }
    entry = entry_;
    return true;
  }
}

// Finds the node with which the walk begins.
bool StreamCursor::Start() {
  if (!stream_.has_tail() || from_ > to_) return false;
  state_ = State::kInside;
  const StreamId edge = direction_ == Direction::kForward ? from_ : to_;
  const Stream::Nodes& nodes = stream_.nodes_;
  if (stream_.tail_.id <= edge) {
    node_ = nodes.End();
  } else {
    node_ = nodes.Lower(edge);
    const bool begins_here = node_ != nodes.End() && nodes.At(node_).id == edge;
    if (!begins_here) {
      if (node_ != nodes.First()) {
        node_ = nodes.Previous(node_);
      } else if (direction_ == Direction::kBackward) {
        return false;  // everything is greater
      }
    }
  }
  OpenNode();
  return true;
}

void StreamCursor::OpenNode() {
  const StreamNode& node = node_ == stream_.nodes_.End() ? stream_.tail_ : stream_.nodes_.At(node_);
  reader_ = stream_node::Reader(node);
  entry_ = direction_ == Direction::kForward ? reader_.First() : reader_.Last();
}

bool StreamCursor::Step() {
  const Stream::Nodes& nodes = stream_.nodes_;
  if (direction_ == Direction::kForward) {
    if (reader_.Next(entry_)) return true;
    if (node_ == nodes.End()) return false;
    node_ = nodes.Next(node_);
  } else {
    if (reader_.Previous(entry_)) return true;
    if (node_ == nodes.First()) return false;
    node_ = nodes.Previous(node_);
  }
  OpenNode();
  return true;
}

}  // namespace cinnabar::types
