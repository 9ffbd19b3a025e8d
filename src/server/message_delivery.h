// MessageDelivery: takes messages from their publisher to the connections that listen, through the mailboxes
// of their cores.
#pragma once

#include <memory>
#include <vector>

#include "pubsub/channels.h"
#include "server/core.h"

namespace cinnabar::server {

class MessageDelivery final : public pubsub::Delivery {
 public:
  // `cores` must outlive this, and must not change any more once somebody publishes.
  explicit MessageDelivery(const std::vector<std::unique_ptr<Core>>& cores) : cores_(cores) {}

  void Deliver(int core, std::shared_ptr<const pubsub::Message> message,
               std::vector<pubsub::Recipient> recipients) override;

 private:
  const std::vector<std::unique_ptr<Core>>& cores_;
};

}  // namespace cinnabar::server
