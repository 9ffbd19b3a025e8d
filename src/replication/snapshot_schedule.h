// SnapshotSchedule: which snapshot the replicas that need one wait for, when it is made, and who gets it.
//
// One snapshot serves many. Replicas that want the same (the same filter; all able to read a diskless
// payload, or a file) wait for the next one together. A file that is being written may still be joined: the
// schedule keeps a cursor in the backlog at its offset, so that everything since then is there. A diskless
// payload cannot be joined once its first bytes have left; late comers wait for the next.
//
// The server asks Due when no child is running, takes the cut and calls Begun, and says Ended when the child
// has ended. Between the two it sends diskless payloads to the links in receivers().
//
// Everything runs with the world stopped (or on the only thread); links that are in the schedule must be
// removed before they are destroyed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "replication/primary_link.h"

namespace cinnabar::replication {

class SnapshotSchedule {
 public:
  struct Settings {
    bool diskless = true;          // repl-diskless-sync
    Millis diskless_delay = 5000;  // repl-diskless-sync-delay: so that others can come along
    // repl-diskless-sync-max-replicas: so many are enough to begin at once; 0: no such number.
    int64_t diskless_replicas_max = 0;
  };
  struct Order {
    Transfer transfer = Transfer::kFile;
    PayloadFilter filter;
    bool operator==(const Order&) const = default;
  };

  // A link whose PSYNC or SYNC was answered kNeedsSnapshot. It may join a file that is being written: its
  // text says so.
  void Add(PrimaryLink& link, Millis now);

  enum class Left : uint8_t {
    kNothing,      // nobody waited for it, or others still do
    kNobodyWaits,  // the snapshot that is being made has no receiver any more
  };
  // The link closes. Anything may be removed.
  Left Remove(PrimaryLink& link);

  // What is to be begun now, if nothing else is being written. Nothing while a snapshot of ours is being
  // made.
  std::optional<Order> Due(Millis now, const Settings& settings) const;

  // The cut was taken at `position` (the offset is that of the backlog's end, the id is ours). `mark`, for a
  // stream, is 40 digits that the payload cannot contain by chance (ReplicationId::New(...).text()).
  void Begun(const Order& order, const Position& position, Backlog& backlog, std::string_view mark,
             Millis now);
  // It could not be begun: the links that it was for have an error in their text; close them behind it.
  std::vector<PrimaryLink*> BeginFailed(const Order& order);

  enum class Result : uint8_t { kWritten, kFailed };
  struct Receivers {
    std::vector<PrimaryLink*> send_file;  // in kSendBulk: `$LENGTH` is in their text, the file follows
    std::vector<PrimaryLink*> finished;   // diskless: the mark is in their text
    std::vector<PrimaryLink*> close;      // the snapshot has failed
  };
  // `size` is that of the file. For a stream REQUIRES that every byte was handed to the links before.
  Receivers Ended(Result result, uint64_t size, Millis now);

  // The id of our history has changed, or the backlog was started anew: nobody may join what is being made,
  // which names the old id. REQUIRES: all links were removed and closed (they ask again).
  void HistoryChanged();

  bool making() const { return making_.has_value(); }
  // Of the snapshot that is being made.
  Transfer transfer() const { return making_->order.transfer; }
  const std::vector<PrimaryLink*>& receivers() const { return receivers_; }
  // Links that wait for one to begin.
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    PrimaryLink* link;
    Millis since;
  };
  struct Making {
    Order order;
    Position position;
    std::string mark;
    Backlog* backlog;
    Backlog::Cursor begin;  // keeps everything since the cut; closed when nobody may join
  };
  static Order OrderFor(const PrimaryLink& link, const Settings& settings);
  // Whether a link can read what the order makes.
  static bool Suits(const Order& order, const PrimaryLink& link);

  std::vector<Waiting> waiting_;  // oldest first
  std::vector<PrimaryLink*> receivers_;
  std::optional<Making> making_;
};

}  // namespace cinnabar::replication
