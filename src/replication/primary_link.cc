#include "replication/primary_link.h"

#include <algorithm>
#include <vector>

#include "base/ascii.h"
#include "base/check.h"
#include "base/numbers.h"
#include "base/words.h"

namespace cinnabar::replication {
namespace {

constexpr size_t kAnnouncedIpBytesMax = 255;  // a host name at most
constexpr Millis kNewlinePeriod = 1000;

constexpr std::string_view kNotANumber = "ERR value is not an integer or out of range";

// Part of a client's text as part of an error reply.
std::string OneLine(std::string_view text) {
  std::string line(text.substr(0, 128));
  std::ranges::replace_if(
      line, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return line;
}

}  // namespace

std::string_view PrimaryLink::state_name() const {
  switch (state_) {
    case State::kClient:
      return "";
    case State::kWaitStart:
    case State::kWaitEnd:
      return "wait_bgsave";
    case State::kSendBulk:
      return "send_bulk";
    case State::kOnline:
      return "online";
    case State::kTransmitted:
      return "rdb_transmitted";
  }
  return "";
}

int64_t PrimaryLink::LagSeconds(Millis now) const {
  return state_ == State::kOnline ? (now - acknowledged_at_) / kMillisPerSecond : 0;
}

// ---- REPLCONF ----

PrimaryLink::Replconf PrimaryLink::Reply(std::string_view line) {
  text_ += line == "OK" ? "+" : "-";
  text_ += line;
  text_ += "\r\n";
  return Replconf::kReplied;
}

PrimaryLink::Replconf PrimaryLink::OnReplconf(std::span<const std::string_view> argv, Millis now) {
  if (argv.size() % 2 == 0) return Reply("ERR syntax error");
  for (size_t i = 1; i < argv.size(); i += 2) {
    if (SameWord(argv[i], "ack")) return TakeAcknowledgement(argv.subspan(i), now);
    if (SameWord(argv[i], "getack")) return Replconf::kSilent;
    if (const auto outcome = TakeOption(argv[i], argv[i + 1])) return *outcome;
  }
  return Reply("OK");
}

std::optional<PrimaryLink::Replconf> PrimaryLink::TakeOption(std::string_view name, std::string_view value) {
  if (SameWord(name, "listening-port")) {
    const auto port = ParseInt64(value);
    if (!port) return Reply(kNotANumber);
    traits_.listening_port = *port;
  } else if (SameWord(name, "ip-address")) {
    if (value.size() > kAnnouncedIpBytesMax) {
      return Reply("ERR REPLCONF ip-address provided by replica instance is too long: " +
                   Int64ToString(static_cast<int64_t>(value.size())) + " bytes");
    }
    traits_.announced_ip = value;
  } else if (SameWord(name, "capa")) {
    // Capabilities that we do not know are no error: newer replicas have more.
    if (SameWord(value, "eof")) traits_.capa_eof = true;
    if (SameWord(value, "psync2")) traits_.capa_psync2 = true;
  } else if (SameWord(name, "rdb-only")) {
    const auto flag = ParseInt64(value);
    if (!flag) return Reply(kNotANumber);
    if (*flag != 0 && *flag != 1) return Reply("ERR value is out of range, value must between 0 and 1");
    traits_.rdb_only = *flag == 1;
  } else if (SameWord(name, "rdb-filter-only")) {
    if (!TakeFilter(value)) return Replconf::kReplied;
  } else if (SameWord(name, "version")) {
    traits_.version = value.substr(0, 64);
  } else {
    return Reply("ERR Unrecognized REPLCONF option: " + OneLine(name));
  }
  return std::nullopt;
}

// The words are what shall be in the payload; without any there is no data at all in it. False: refused.
bool PrimaryLink::TakeFilter(std::string_view text) {
  PayloadFilter filter{.without_data = true, .without_functions = true};
  WordReader words(text);
  while (!words.AtEnd()) {
    std::string word;
    if (!words.ReadWord(word)) {
      Reply("ERR Missing rdb-filter-only values");
      return false;
    }
    if (!SameWord(word, "functions")) {
      Reply("ERR Unsupported rdb-filter-only option: " + OneLine(word));
      return false;
    }
    filter.without_functions = false;
  }
  traits_.filter = filter;
  return true;
}

// ACK offset [FACK offset]. Nothing is ever answered: the replica does not read answers any more.
PrimaryLink::Replconf PrimaryLink::TakeAcknowledgement(std::span<const std::string_view> argv, Millis now) {
  if (state_ == State::kClient) return Replconf::kSilent;
  const auto offset = ParseInt64(argv[1]);
  if (!offset || *offset < 0) return Replconf::kSilent;
  NoteHeard(now);
  // Before it is online it has nothing to acknowledge.
  if (state_ != State::kOnline) return Replconf::kSilent;
  // More than was sent cannot be true.
  const StreamOffset sent = cursor_.offset();
  acknowledged_ = std::max(acknowledged_, std::min(static_cast<StreamOffset>(*offset), sent));
  if (argv.size() >= 4 && SameWord(argv[2], "fack")) {
    const auto on_disk = ParseInt64(argv[3]);
    if (on_disk && *on_disk > 0) {
      acknowledged_on_disk_ =
          std::max(acknowledged_on_disk_, std::min(static_cast<StreamOffset>(*on_disk), sent));
    }
  }
  stream_waits_for_ack_ = false;
  if (!seats_) {
    if (now - doubted_at_ < kDoubtMillis) return Replconf::kSilent;
    JoinQuorum();
  }
  quorum_.Acknowledge(seats_->applied, acknowledged_);
  if (seats_->on_disk) disk_quorum_->Acknowledge(*seats_->on_disk, acknowledged_on_disk_);
  return Replconf::kAcknowledged;
}

// ---- PSYNC ----

PrimaryLink::Answer PrimaryLink::Refuse(std::string_view line) {
  Reply(line);
  return Answer::kRefused;
}

std::optional<PrimaryLink::Answer> PrimaryLink::RefuseEarly(const PrimarySide& side) {
  CHECK(side.backlog.active());
  if (state_ != State::kClient) return Answer::kIgnored;
  if (side.upstream == PrimarySide::Upstream::kDown) {
    return Refuse("NOMASTERLINK Can't SYNC while not connected with my master");
  }
  if (traits_.filter.any() && !traits_.capa_eof)
    return Refuse("ERR Filtered replica requires EOF capability");
  return std::nullopt;
}

PrimaryLink::Answer PrimaryLink::OnPsync(std::span<const std::string_view> argv, const PrimarySide& side,
                                         Millis now) {
  asked_to_continue_ = false;
  if (const auto refused = RefuseEarly(side)) return *refused;
  if (argv.size() < 3) return Refuse("ERR wrong number of arguments for 'psync' command");
  const auto first_lacking = ParseInt64(argv[2]);
  if (!first_lacking) return Refuse(kNotANumber);
  const std::string_view id = argv[1];
  if (argv.size() > 3 && SameWord(argv[3], "failover")) {
    if (side.upstream == PrimarySide::Upstream::kNone) {
      return Refuse("ERR PSYNC FAILOVER can't be sent to a master.");
    }
    if (!side.history.id().Matches(id)) return Refuse("ERR PSYNC FAILOVER replid must match my replid.");
    return Answer::kTakeOver;
  }
  asked_to_continue_ = id != "?";
  if (asked_to_continue_ && *first_lacking >= 1 && !traits_.filter.any() && !traits_.rdb_only) {
    const auto offset = static_cast<StreamOffset>(*first_lacking) - 1;
    if (side.history.CanContinue(id, offset)) {
      if (auto cursor = side.backlog.Open(offset)) {
        text_ += "+CONTINUE";
        // Only who knows of PSYNC2 expects the id, which may differ from the one that it has asked for.
        if (traits_.capa_psync2) (text_ += ' ') += side.history.id().text();
        text_ += "\r\n";
        cursor_ = std::move(*cursor);
        GoOnline(now);
        return Answer::kContinues;
      }
      // It follows the same primary and is ahead of us: we shall be there soon. A snapshot of ours would take
      // it back.
      if (side.upstream == PrimarySide::Upstream::kUp && offset > side.backlog.end()) {
        return Refuse("NOMASTERLINK Can't SYNC while I am behind you");
      }
    }
  }
  state_ = State::kWaitStart;
  progress_at_ = acknowledged_at_ = newline_at_ = now;
  return Answer::kNeedsSnapshot;
}

PrimaryLink::Answer PrimaryLink::OnSync(const PrimarySide& side, Millis now) {
  asked_to_continue_ = false;
  if (const auto refused = RefuseEarly(side)) return *refused;
  by_sync_ = true;
  state_ = State::kWaitStart;
  progress_at_ = acknowledged_at_ = newline_at_ = now;
  return Answer::kNeedsSnapshot;
}

void PrimaryLink::GoOnline(Millis now) {
  state_ = State::kOnline;
  NoteHeard(now);
  JoinQuorum();
}

void PrimaryLink::Doubt(Millis now) {
  doubted_at_ = now;
  LeaveQuorum();
}

void PrimaryLink::JoinQuorum() {
  seats_ = Seats{.applied = quorum_.Add(acknowledged_), .on_disk = std::nullopt};
  if (disk_quorum_ != nullptr) seats_->on_disk = disk_quorum_->Add(acknowledged_on_disk_);
}

void PrimaryLink::LeaveQuorum() {
  if (!seats_) return;
  quorum_.Remove(seats_->applied);
  if (seats_->on_disk) disk_quorum_->Remove(*seats_->on_disk);
  seats_.reset();
}

// ---- the payload ----

void PrimaryLink::BeginPayload(const Position& position, Transfer transfer, Backlog::Cursor cursor,
                               std::string_view mark, Millis now) {
  CHECK(state_ == State::kWaitStart);
  state_ = State::kWaitEnd;
  transfer_ = transfer;
  cursor_ = std::move(cursor);
  progress_at_ = newline_at_ = now;
  if (!by_sync_) {
    (text_ += "+FULLRESYNC ") += position.id.text();
    (text_ += ' ') += Int64ToString(static_cast<int64_t>(position.offset));
    text_ += "\r\n";
  }
  if (transfer == Transfer::kStream) ((text_ += "$EOF:") += mark) += "\r\n";
}

void PrimaryLink::EndPayload(std::string_view mark, Millis now) {
  CHECK(state_ == State::kWaitEnd && transfer_ == Transfer::kStream);
  text_ += mark;
  if (traits_.rdb_only) {
    state_ = State::kTransmitted;
    cursor_.Close();
    return;
  }
  GoOnline(now);
  stream_waits_for_ack_ = true;
}

void PrimaryLink::AnnounceFile(uint64_t size, Millis now) {
  CHECK(state_ == State::kWaitEnd && transfer_ == Transfer::kFile);
  state_ = State::kSendBulk;
  progress_at_ = now;
  ((text_ += '$') += Int64ToString(static_cast<int64_t>(size))) += "\r\n";
}

void PrimaryLink::BulkSent(Millis now) {
  CHECK(state_ == State::kSendBulk);
  if (traits_.rdb_only) {
    state_ = State::kTransmitted;
    cursor_.Close();
    return;
  }
  GoOnline(now);
}

void PrimaryLink::GiveUpSnapshot() {
  // An answer is read as one only before the payload begins.
  if (state_ == State::kWaitStart) Reply("ERR BGSAVE failed, replication can't continue");
}

// ---- time ----

bool PrimaryLink::OverLimit(Millis now, const Settings& settings) {
  const OutputLimit& limit = settings.output_limit;
  const uint64_t pending = pending_bytes();
  if (OverHardLimit(settings)) return true;
  if (limit.soft_bytes == 0 || pending <= limit.soft_bytes) {
    over_soft_since_.reset();
    return false;
  }
  if (!over_soft_since_) over_soft_since_ = now;
  return now - *over_soft_since_ > limit.soft_millis;
}

PrimaryLink::Close PrimaryLink::OnTick(Millis now, const Settings& settings) {
  if (state_ == State::kClient || state_ == State::kTransmitted) return Close::kNo;
  if (OverLimit(now, settings)) return Close::kOutputLimit;
  if (state_ == State::kOnline) {
    // Replicas that used SYNC do not acknowledge.
    if (!by_sync_ && now - acknowledged_at_ > settings.timeout) return Close::kTimeout;
    return Close::kNo;
  }
  const bool payload_flows =
      state_ == State::kSendBulk || (state_ == State::kWaitEnd && transfer_ == Transfer::kStream);
  if (payload_flows) return now - progress_at_ > settings.timeout ? Close::kTimeoutInFullSync : Close::kNo;
  if (now - newline_at_ >= kNewlinePeriod) {
    newline_at_ = now;
    text_ += '\n';
  }
  return Close::kNo;
}

}  // namespace cinnabar::replication
