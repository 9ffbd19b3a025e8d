// A publisher's own core gets its part through the mailbox too: the reply of a PUBLISH, and of the whole EXEC
// around it, comes before the message when a client listens to itself.
#include "server/message_delivery.h"

namespace cinnabar::server {
namespace {

using pubsub::Kind;
using pubsub::Message;
using pubsub::Recipient;

// Larger payloads are linked into the outputs of all recipients, smaller ones are copied.
constexpr size_t kSharedBytesMin = 16 * 1024;

void Write(protocol::ReplyWriter& reply, const Message& message, const Recipient& recipient) {
  if (recipient.pattern != nullptr) {
    reply.Push(4);
    reply.Bulk("pmessage");
    reply.Bulk(*recipient.pattern);
  } else {
    reply.Push(3);
    reply.Bulk(message.kind == Kind::kShardChannel ? "smessage" : "message");
  }
  reply.Bulk(message.channel);
  if (message.payload.size() >= kSharedBytesMin) {
    reply.Bulk(message.payload);
  } else {
    reply.Bulk(message.payload.view());
  }
}

Core::Handled Hand(Core& core, const Message& message, const Recipient& recipient) {
  using Handled = Core::Handled;
  Connection* connection = core.Find(recipient.session);
  if (connection == nullptr) return Handled::kYes;
  if (connection->in_turn()) return Handled::kLater;  // its own reply may be half written
  dispatch::Session& session = connection->session;
  if (!session.subscribed() || session.closing != dispatch::Closing::kNo) return Handled::kYes;
  const bool held = recipient.pattern != nullptr
                        ? session.subscriber->Holds(Kind::kPattern, *recipient.pattern, recipient.ticket)
                        : session.subscriber->Holds(message.kind, message.channel, recipient.ticket);
  if (!held) return Handled::kYes;
  Write(session.reply, message, recipient);
  core.AttendSoon(*connection);
  return Handled::kYes;
}

}  // namespace

void MessageDelivery::Deliver(int core, std::shared_ptr<const Message> message,
                              std::vector<Recipient> recipients) {
  Core* target = cores_[static_cast<size_t>(core)].get();
  target->PostBetween([target, message = std::move(message), recipients = std::move(recipients)]() mutable {
    std::erase_if(recipients, [&](const Recipient& recipient) {
      return Hand(*target, *message, recipient) == Core::Handled::kYes;
    });
    return recipients.empty() ? Core::Handled::kYes : Core::Handled::kLater;
  });
}

}  // namespace cinnabar::server
