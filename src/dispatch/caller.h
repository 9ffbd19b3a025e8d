// Caller: who a command is run for, as far as the command itself needs to know: which database it uses, and
// where its reply goes. A Session is a Caller with a client behind it; a blocked command keeps a Caller of
// its own, so that any core can complete it.
//
// Used by one thread at a time: the core of the session, or the core that has taken the blocked command's
// baton.
#pragma once

#include <cstdint>
#include <utility>

#include "base/output_buffer.h"
#include "protocol/reply_writer.h"

namespace cinnabar::dispatch {

struct Tracker;

struct Caller {
  Caller(uint64_t id, OutputBuffer initial_output)
      : id(id), output(std::move(initial_output)), reply(output, protocol::Resp::k2) {}
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  const uint64_t id;  // of the session
  int database = 0;
  // With Alarm::kHoldReplies: the replies tell of the journal up to this offset, and wait until that is safe.
  uint64_t hold_until = 0;
  uint64_t written = 0;  // the journal's offset behind what it wrote last
  Tracker* tracking =
      nullptr;  // what it reads is noted, and it is told of changes (tracking.h); null: not so
  OutputBuffer output;
  protocol::ReplyWriter reply;
};

}  // namespace cinnabar::dispatch
