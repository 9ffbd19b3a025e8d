// How a replica applies its primary's stream.
//
// Records are parsed, hashed and prefetched in batches, like requests of a client, and then run one after the
// other. What the journal gets are the bytes as they came, up to the last record that is applied and not in
// the middle of a transaction: this server's offsets are its primary's, and its own replicas and files get
// the same.
//
// A record that fails says that the two data sets differ. The primary has the change, and the replica goes on
// (propagation-error-behavior decides).
#include <fmt/format.h>

#include <cstdlib>

#include "base/ascii.h"
#include "config/settings.h"
#include "server/following.h"

namespace cinnabar::server {
namespace {

constexpr size_t kRecordsAtOnce = 64;
// In one turn of core 0, so that its clients are served in between.
constexpr Nanos kTurn = 2 * kNanosPerMilli;
constexpr size_t kShownBytes = 128;
constexpr size_t kStreamKeptBytes = 1024 * 1024;

}  // namespace

void Following::BeginStream(int database) {
  stream_.clear();
  passed_ = whole_ = parsed_ = 0;
  session_->database = passed_database_ = whole_database_ = database;
  session_->transaction.Reset();
  parser_.Reset();
  behind_ = false;
}

bool Following::Work() {
  if (services_.dispatchers[0]->long_commands().yielding()) return false;
  if (MayRead() && transport_->pending() != 0) {
    // No event tells of it.
    ReadSome();
    AfterLink();
    return behind_ || (MayRead() && transport_->pending() != 0);
  }
  if (!behind_ || !link_.online()) return false;
  const bool more = ApplySome();
  AfterLink();
  return more;
}

// True when there is more that can be applied.
bool Following::ApplySome() {
  behind_ = false;
  if (!link_.online() || files_.loading() || parsed_ == stream_.size()) return false;
  const dispatch::PauseState& pause = services_.pause;
  // Nobody writes, not even the primary. The turn that ends the pause comes here again.
  if (pause.mode != dispatch::PauseMode::kNone && services_.dispatchers[0]->core().now < pause.until) {
    behind_ = true;
    return false;
  }
  dispatch::Dispatcher& dispatcher = *services_.dispatchers[0];
  const TickClock& clock = dispatcher.clock();
  const Ticks deadline = clock.Now() + clock.ToTicks(kTurn);
  keyspace::CoreState& core = dispatcher.core();
  bool more = true;
  while (more) {
    more = ParseSome();
    dispatcher.preparer().PrefetchEntries(batch_, *session_, 0, batch_.requests.size());
    core.replaying = true;
    dispatcher.UpdateTime();
    for (size_t i = 0; i < batch_.requests.size(); ++i) {
      ApplyOne(batch_.requests[i]);
      if (session_->in_transaction()) continue;
      whole_ = ends_[i];
      whole_database_ = session_->database;
    }
    core.replaying = false;
    dispatcher.UpdateTime();
    PassOn();
    if (broken_ || clock.Now() > deadline) break;
  }
  if (std::exchange(broken_, false)) {
    Drop();
    link_.Disconnected("the stream is no stream of commands", Now());
    return false;
  }
  if (std::exchange(acknowledge_, false)) {
    link_.Acknowledge(Now());
    WriteSome();
  }
  if (passed_ == stream_.size() || passed_ > stream_.size() / 2) Compact();
  return behind_ = more;
}

void Following::Compact() {
  parsed_ -= passed_;
  stream_.erase(0, passed_);
  whole_ = passed_ = 0;
  if (stream_.empty() && stream_.capacity() > kStreamKeptBytes) std::string().swap(stream_);
}

// Collects whole records. False when no more are there.
bool Following::ParseSome() {
  using Outcome = protocol::RequestParser::Outcome;
  dispatch::Dispatcher& dispatcher = *services_.dispatchers[0];
  batch_.Clear();
  ends_.clear();
  const protocol::ParseLimits limits{.bulk_bytes_max = services_.settings.clients.proto_max_bulk_len_bytes};
  while (batch_.requests.size() < kRecordsAtOnce) {
    const std::string_view rest = std::string_view(stream_).substr(parsed_);
    if (rest.empty()) return false;
    const auto first = static_cast<uint32_t>(batch_.arguments.size());
    const Outcome outcome = parser_.Parse(rest, limits, {batch_.arguments, batch_.storage});
    if (outcome == Outcome::kIncomplete) return false;
    if (outcome == Outcome::kError) {
      services_.log.Warning("Protocol error ({}) from the master", parser_.error());
      broken_ = true;
      return false;
    }
    parsed_ += parser_.consumed();
    if (batch_.arguments.size() == first) {  // an empty line
      if (ends_.empty() && !session_->in_transaction()) whole_ = parsed_;
      if (!ends_.empty()) ends_.back() = parsed_;
      continue;
    }
    dispatcher.preparer().Prepare(batch_, *session_, first);
    ends_.push_back(parsed_);
  }
  return true;
}

void Following::ApplyOne(const dispatch::Request& request) {
  const std::span<const std::string_view> argv = batch_.argv(request);
  const dispatch::Command* command = request.command;
  const uint64_t errors_before = session_->reply.errors();
  if (command == nullptr || command->run == nullptr || !command->AcceptsArgumentCount(argv.size())) {
    session_->reply.Error(
        command == nullptr
            ? fmt::format("ERR unknown command '{}'", argv[0].substr(0, kShownBytes))
            : fmt::format("ERR wrong number of arguments for '{}' command", argv[0].substr(0, kShownBytes)));
    if (session_->in_transaction()) session_->transaction.rejected = true;
  } else if (command->name == "replconf") {
    TakeReplconf(argv);
  } else if (command->name != "ping") {
    services_.dispatchers[0]->Replay(*session_, batch_, request);
  }
  if (session_->reply.errors() != errors_before) NoteError(argv);
  session_->output.Clear();
}

void Following::TakeReplconf(std::span<const std::string_view> argv) {
  if (argv.size() >= 2 && SameWord(argv[1], "getack")) acknowledge_ = true;
}

void Following::NoteError(std::span<const std::string_view> argv) {
  ++error_replies_;
  services_.log.Warning(
      "== CRITICAL == This replica is sending an error to its master: '{}' after processing the command '{}'",
      session_->reply.last_error(), argv[0].substr(0, kShownBytes));
  const auto behavior = services_.settings.replication.propagation_error_behavior;
  if (behavior == config::PropagationError::kIgnore) return;
  services_.log.Warning("This replica panicked sending an error to its master: {}",
                        session_->reply.last_error());
  abort();
}

void Following::PassOn() {
  if (whole_ == passed_) return;
  const std::string_view bytes = std::string_view(stream_).substr(passed_, whole_ - passed_);
  services_.journal.AppendRaw(bytes, passed_database_, whole_database_);
  link_.Applied(bytes.size());
  passed_database_ = whole_database_;
  passed_ = whole_;
}

}  // namespace cinnabar::server
