// Channels: who listens to what, and the way of a message from its publisher to them.
//
// A subscription is a name of one kind (channel, pattern, shard channel) held by one client. A publisher
// finds the audience under one lock and hands the message over, still under it, to the cores of the audience
// through the port `Delivery`. So all subscribers see all messages of all publishers in one order.
//
// A message travels while its subscriber may leave. Each subscription therefore has a ticket, and the
// receiving core drops a message whose ticket is not the one that the subscriber holds: nothing arrives after
// the confirmation of an UNSUBSCRIBE, and nothing from before a SUBSCRIBE.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/shared_bytes.h"
#include "pubsub/subscriber.h"

namespace cinnabar::pubsub {

struct Message {
  Kind kind;  // kChannel or kShardChannel: how it was published
  std::string channel;
  SharedBytes payload;
};

struct Recipient {
  uint64_t session;
  Ticket ticket;
  std::shared_ptr<const std::string> pattern;  // null: subscribed to the channel itself
};

// Takes messages to the cores of their recipients.
class Delivery {
 public:
  virtual ~Delivery() = default;
  // Called under the lock of Channels, on any thread: hands over and returns. What is given for one core
  // arrives there in the order of the calls. Recipients of the channel itself come before those of patterns.
  virtual void Deliver(int core, std::shared_ptr<const Message> message,
                       std::vector<Recipient> recipients) = 0;
};

// Any thread, unless said otherwise.
class Channels {
 public:
  // `delivery` must outlive this.
  explicit Channels(Delivery& delivery) : delivery_(delivery) {}

  // On the subscriber's thread. False when nothing changed.
  bool Subscribe(Subscriber& subscriber, Kind kind, std::string_view name);
  bool Unsubscribe(Subscriber& subscriber, Kind kind, std::string_view name);
  void UnsubscribeAll(Subscriber& subscriber);

  // Sends to the subscribers of the channel and, unless it is a shard channel, of the patterns that match it.
  // Returns the number of recipients. Costs one load when nobody subscribes to anything.
  size_t Publish(Kind kind, std::string_view channel, std::string_view payload);

  // How many would get what Publish sends.
  size_t CountReceivers(Kind kind, std::string_view channel) const;

  // Whether anybody subscribes to anything: costs one load.
  bool anybody() const { return subscriptions_.load(std::memory_order_acquire) != 0; }
  // Names that have subscribers and match the pattern.
  std::vector<std::string> Names(Kind kind, std::string_view pattern) const;
  size_t CountNames(Kind kind) const;
  size_t CountSubscribers(Kind kind, std::string_view name) const;

 private:
  struct Listener {
    int core;
    Ticket ticket;
  };
  struct Audience {
    std::shared_ptr<const std::string> name;
    std::unordered_map<uint64_t, Listener> listeners;  // by session
  };
  using Audiences = std::unordered_map<std::string, Audience, HashOfName, std::equal_to<>>;
  using ByCore = std::map<int, std::vector<Recipient>>;

  const Audiences& of(Kind kind) const { return audiences_[static_cast<size_t>(kind)]; }
  void Remove(const Subscriber& subscriber, Kind kind, std::string_view name);
  static size_t Collect(const Audience& audience, bool by_pattern, ByCore& recipients);

  Delivery& delivery_;
  mutable std::mutex mutex_;
  std::array<Audiences, kKinds> audiences_;
  Ticket next_ticket_ = 1;
  std::atomic<uint64_t> subscriptions_{0};
};

}  // namespace cinnabar::pubsub
