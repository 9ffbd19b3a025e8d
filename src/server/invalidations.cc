#include "server/invalidations.h"

#include <iterator>
#include <utility>

#include "dispatch/blocking.h"
#include "server/core.h"

namespace cinnabar::server {
namespace {

using dispatch::Invalidation;
using protocol::Resp;
using Recipient = Invalidation::Recipient;
using What = Invalidation::What;

constexpr std::string_view kChannel = "__redis__:invalidate";
// Larger lists of keys are linked into the outputs of all recipients, smaller ones are copied.
constexpr size_t kSharedBytesMin = 16 * 1024;

// Whether a reply is on its way to the session, and has to come before the letter: of a blocked command that
// has changed the key itself or has read it before it was changed, or of one that goes on in slices and has
// made the change.
bool AwaitsReply(const dispatch::Session& session, const Recipient& recipient) {
  if (recipient.own && session.continuation != nullptr) return true;
  if (session.blocked == nullptr) return false;
  return recipient.own ? !session.blocked->idle() : session.blocked->done();
}

uint64_t MemoryOf(const Invalidation& letter) {
  return sizeof(Invalidation) + letter.keys.capacity() + letter.recipients.capacity() * sizeof(Recipient);
}

void WriteKeys(OutputBuffer& output, protocol::ReplyWriter& writer, const Invalidation& letter) {
  if (letter.what == What::kEverything) {
    writer.Null();
  } else if (letter.keys.size() >= kSharedBytesMin) {
    output.AppendShared(letter.keys);
  } else {
    writer.Raw(letter.keys.view());
  }
}

// False when the session cannot be told: RESP2 has no pushes, only messages of channels.
bool WriteInvalidation(dispatch::Session& session, const Invalidation& letter, const Recipient& recipient) {
  // Not the session's own writer, which may be redirected.
  protocol::ReplyWriter writer(session.output, session.reply.version());
  if (writer.version() == Resp::k3) {
    writer.Push(2);
    writer.Bulk("invalidate");
  } else if (recipient.session != recipient.tracker && session.subscribed()) {
    writer.Push(3);
    writer.Bulk("message");
    writer.Bulk(kChannel);
  } else {
    return false;
  }
  WriteKeys(session.output, writer, letter);
  return true;
}

// To a client whose messages went to a session that is gone.
bool WriteGone(dispatch::Session& session, const Invalidation& letter) {
  dispatch::Tracker* tracker = session.tracking;
  if (tracker == nullptr || tracker->options.redirect != letter.gone) return false;
  tracker->redirect_broken = true;
  if (session.reply.version() != Resp::k3) return false;
  protocol::ReplyWriter writer(session.output, Resp::k3);
  writer.Push(2);
  writer.Bulk("tracking-redir-broken");
  writer.Integer(static_cast<int64_t>(letter.gone));
  return true;
}

}  // namespace

bool Invalidations::Post(Invalidation letter) {
  bytes_.fetch_add(MemoryOf(letter), std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  const bool first = arrived_.empty();
  arrived_.push_back(std::move(letter));
  any_.store(true, std::memory_order_release);
  return first;
}

void Invalidations::Write(Core& owner) {
  std::vector<Invalidation> letters = std::exchange(kept_, {});
  {
    std::lock_guard lock(mutex_);
    std::move(arrived_.begin(), arrived_.end(), std::back_inserter(letters));
    arrived_.clear();
    any_.store(false, std::memory_order_relaxed);
  }
  for (Invalidation& letter : letters) {
    std::erase_if(letter.recipients, [&](const Recipient& recipient) {
      return Hand(owner, letter, recipient) == Handled::kYes;
    });
    if (!letter.recipients.empty()) {
      kept_.push_back(std::move(letter));
    } else {
      bytes_.fetch_sub(MemoryOf(letter), std::memory_order_relaxed);
    }
  }
  if (!kept_.empty()) any_.store(true, std::memory_order_relaxed);
}

Invalidations::Handled Invalidations::Hand(Core& owner, const Invalidation& letter,
                                           const Recipient& recipient) {
  Connection* connection = owner.Find(recipient.session);
  const bool ends = connection == nullptr || connection->session.closing != dispatch::Closing::kNo;
  if (ends) {
    if (recipient.session != recipient.tracker) ReportGone(recipient);
    return Handled::kYes;
  }
  dispatch::Session& session = connection->session;
  if (owner.InTheMiddle(*connection) || AwaitsReply(session, recipient)) return Handled::kLater;
  if (session.tracking == nullptr && recipient.session == recipient.tracker) return Handled::kYes;
  const size_t output_before = session.output.chunk_memory();
  const bool written = letter.what == What::kRedirectGone ? WriteGone(session, letter)
                                                          : WriteInvalidation(session, letter, recipient);
  if (const size_t grown = session.output.chunk_memory() - output_before; grown != 0) {
    written_bytes_ += grown;
    bytes_.fetch_add(grown, std::memory_order_relaxed);
  }
  // Who is in its turn is looked at when that ends.
  if (written && !connection->in_turn()) owner.AttendSoon(*connection);
  return Handled::kYes;
}

void Invalidations::ReportGone(const Recipient& recipient) {
  const Recipient tracker = {.session = recipient.tracker,
                             .tracker = recipient.tracker,
                             .tracker_core = recipient.tracker_core,
                             .own = false};
  InvalidationPost(cores_).Deliver(
      recipient.tracker_core, -1,
      {.what = What::kRedirectGone, .gone = recipient.session, .recipients = {tracker}});
}

void InvalidationPost::Deliver(int core, int from, Invalidation invalidation) {
  cores_[static_cast<size_t>(core)]->TakeInvalidation(std::move(invalidation), from);
}

void InvalidationPost::WriteArrived(int core) {
  cores_[static_cast<size_t>(core)]->WriteInvalidations();
}

}  // namespace cinnabar::server
