// Workspace: what a turn of a core needs, and a stack of them for turns within turns.
//
// A core serves up to kTurnsMax connections together. It reads and parses all, then executes all, then writes
// all, so that the cache misses of the whole batch overlap and each socket costs one read and one write. The
// part that one connection has in this is a Turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/flat_vector.h"
#include "dispatch/dispatcher.h"
#include "net/reactor.h"
#include "server/connection.h"

namespace cinnabar::server {

struct Turn {
  Connection* connection;  // null: finished
  std::string_view input;
  bool borrowed;               // input is the scratch of the workspace, not the connection's buffer
  size_t consumed = 0;         // bytes of the input
  uint32_t first_request = 0;  // in Workspace::batch
  uint32_t end_request = 0;
  bool more = false;    // complete requests may be left in the input
  bool failed = false;  // the input is no request, as `error` says
  std::string error;
  bool busy = false;  // in the middle of being executed or finished
};

struct Workspace {
  static constexpr size_t kTurnsMax = 16;
  static constexpr size_t kScratchBytes = 16 * 1024;
  static constexpr size_t kEventsMax = 256;

  // Where a connection without a buffer of its own is read into. `slot` < kTurnsMax.
  std::span<char> ScratchOf(size_t slot) { return {scratch.get() + slot * kScratchBytes, kScratchBytes}; }
  std::span<net::Event> EventRoom() { return {events.get(), kEventsMax}; }
  void Clear() {
    turns.clear();
    next = 0;
    ClearBatch();
  }
  void ClearBatch() {
    batch.Clear();
    request_ends.clear();
  }

  std::unique_ptr<char[]> scratch{new char[kTurnsMax * kScratchBytes]};
  std::unique_ptr<net::Event[]> events{new net::Event[kEventsMax]};
  std::vector<Turn> turns;
  dispatch::Batch batch;            // of all turns
  FlatVector<size_t> request_ends;  // parallel to batch.requests: end of each in its turn's input
  size_t next = 0;                  // the first turn that has not been executed
};

// The workspace in use, and below it those of the turns that long commands have interrupted. They are kept
// for the next time: depth is bounded by how deep long commands may nest.
class Workspaces {
 public:
  Workspaces() {
    all_.push_back(std::make_unique<Workspace>());
    current_ = all_[0].get();
  }

  Workspace& current() { return *current_; }
  // How many turns are interrupted.
  size_t depth() const { return depth_; }
  Workspace& at(size_t level) { return *all_[level]; }
  void Push() {
    if (++depth_ == all_.size()) all_.push_back(std::make_unique<Workspace>());
    current_ = all_[depth_].get();
    current_->Clear();
  }
  void Pop() { current_ = all_[--depth_].get(); }

 private:
  std::vector<std::unique_ptr<Workspace>> all_;
  size_t depth_ = 0;
  Workspace* current_ = nullptr;
};

}  // namespace cinnabar::server
