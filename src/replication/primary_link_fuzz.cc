// The primary's end on any bytes of a replica: handshakes, acknowledgements and nonsense, in any order, while
// snapshots are made and the stream grows. What the link sends is always one of the things that it may send,
// and the quorum never believes more than was sent.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "base/check.h"
#include "base/flat_vector.h"
#include "protocol/request_parser.h"
#include "replication/primary_link.h"
#include "replication/snapshot_schedule.h"

using namespace cinnabar;
using namespace cinnabar::replication;

namespace {

using State = PrimaryLink::State;

class Primary {
 public:
  Primary() {
    backlog_.Start(1000);
    backlog_.Append("0123456789");
  }
  ~Primary() { schedule_.Remove(link_); }

  // One request of the replica; false: nothing more can be read.
  bool Take(std::string_view& input) {
    protocol::RequestParser parser;
    FlatVector<std::string_view> words;
    std::deque<std::string> storage;
    const auto outcome = parser.Parse(input, {}, {words, storage});
    if (outcome != protocol::RequestParser::Outcome::kComplete) return false;
    input.remove_prefix(parser.consumed());
    if (words.empty()) {
      link_.OnNewline(now_);
    } else {
      Execute({words.data(), words.size()});
    }
    Check();
    return true;
  }

  // What the server does meanwhile.
  void Step(uint8_t what) {
    now_ += what;
    switch (what % 8) {
      case 0:
        backlog_.Append(std::string(what * 100, 'x'));
        break;
      case 1:
        Begin();
        break;
      case 2:
        End(SnapshotSchedule::Result::kWritten);
        break;
      case 3:
        End(SnapshotSchedule::Result::kFailed);
        break;
      case 4:
        if (link_.state() == State::kSendBulk) link_.BulkSent(now_);
        break;
      case 5:
        link_.OnTick(now_, {});
        break;
      case 6:
        if (auto* stream = link_.stream()) stream->Advance(std::min<uint64_t>(what, stream->pending_bytes()));
        break;
      default:
        backlog_.Trim();
    }
    Check();
  }

 private:
  void Execute(std::span<const std::string_view> words) {
    const PrimarySide side{history_, backlog_};
    const State before = link_.state();
    auto answer = PrimaryLink::Answer::kRefused;
    if (words[0] == "REPLCONF") {
      link_.OnReplconf(words, now_);
    } else if (words[0] == "SYNC") {
      answer = link_.OnSync(side, now_);
    } else {
      answer = link_.OnPsync(words, side, now_);
    }
    if (before != State::kClient) CHECK(link_.state() == before);
    if (answer == PrimaryLink::Answer::kNeedsSnapshot) schedule_.Add(link_, now_);
  }

  void Begin() {
    const auto order = schedule_.Due(now_, {.diskless_delay = 0});
    if (!order) return;
    schedule_.Begun(*order, {history_.id(), backlog_.end()}, backlog_, std::string(40, 'm'), now_);
  }

  void End(SnapshotSchedule::Result result) {
    if (schedule_.making()) schedule_.Ended(result, 100, now_);
  }

  void Check() {
    const std::string text = link_.TakeText();
    CHECK(text.empty() || text.ends_with('\n') || text.ends_with(std::string(40, 'm')));
    CHECK(quorum_.size() == (link_.state() == State::kOnline ? 1u : 0u));
    CHECK(quorum_.Reached(1) <= backlog_.end());
    CHECK((link_.stream() == nullptr) || link_.state() == State::kOnline);
    if (auto* stream = link_.stream()) CHECK(backlog_.Holds(stream->offset()));
  }

  History history_{*ReplicationId::Parse(std::string(40, 'a'))};
  Backlog backlog_{Backlog::kLimitMin};
  AckQuorum quorum_;
  SnapshotSchedule schedule_;
  PrimaryLink link_{1, quorum_};
  Millis now_ = 1000;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  // The first quarter says what happens between the requests of the second.
  const std::span<const uint8_t> steps(data, size / 4);
  std::string_view input(reinterpret_cast<const char*>(data) + steps.size(), size - steps.size());
  Primary primary;
  for (uint8_t step : steps) {
    primary.Step(step);
    if (!primary.Take(input)) break;
  }
  while (primary.Take(input)) {
  }
  return 0;
}
