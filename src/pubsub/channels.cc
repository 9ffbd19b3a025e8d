#include "pubsub/channels.h"

#include <utility>

#include "base/check.h"
#include "base/glob.h"

namespace cinnabar::pubsub {

bool Channels::Subscribe(Subscriber& subscriber, Kind kind, std::string_view name) {
  auto& names = subscriber.names_[static_cast<size_t>(kind)];
  if (names.find(name) != names.end()) return false;
  std::lock_guard lock(mutex_);
  Audiences& audiences = audiences_[static_cast<size_t>(kind)];
  auto found = audiences.find(name);
  if (found == audiences.end()) {
    found = audiences.try_emplace(std::string(name)).first;
    if (kind == Kind::kPattern) found->second.name = std::make_shared<const std::string>(name);
  }
  const Ticket ticket = next_ticket_++;
  found->second.listeners.emplace(subscriber.session(), Listener{subscriber.core(), ticket});
  names.emplace(name, ticket);
  subscriber.memory_ += Subscriber::MemoryOf(name);
  subscriptions_.fetch_add(1);
  return true;
}

void Channels::Remove(const Subscriber& subscriber, Kind kind, std::string_view name) {
  Audiences& audiences = audiences_[static_cast<size_t>(kind)];
  auto found = audiences.find(name);
  CHECK(found != audiences.end());
  CHECK(found->second.listeners.erase(subscriber.session()) == 1);
  if (found->second.listeners.empty()) audiences.erase(found);
  subscriptions_.fetch_sub(1);
}

bool Channels::Unsubscribe(Subscriber& subscriber, Kind kind, std::string_view name) {
  auto& names = subscriber.names_[static_cast<size_t>(kind)];
  auto found = names.find(name);
  if (found == names.end()) return false;
  std::lock_guard lock(mutex_);
  Remove(subscriber, kind, name);
  subscriber.memory_ -= Subscriber::MemoryOf(name);
  names.erase(found);
  return true;
}

void Channels::UnsubscribeAll(Subscriber& subscriber) {
  std::lock_guard lock(mutex_);
  for (Kind kind : {Kind::kChannel, Kind::kPattern, Kind::kShardChannel}) {
    auto& names = subscriber.names_[static_cast<size_t>(kind)];
    for (const auto& [name, ticket] : names) Remove(subscriber, kind, name);
    names.clear();
    subscriber.memory_ = 0;
  }
}

size_t Channels::Collect(const Audience& audience, bool by_pattern, ByCore& recipients) {
  for (const auto& [session, listener] : audience.listeners) {
    recipients[listener.core].push_back(
        {session, listener.ticket, by_pattern ? audience.name : std::shared_ptr<const std::string>()});
  }
  return audience.listeners.size();
}

size_t Channels::Publish(Kind kind, std::string_view channel, std::string_view payload) {
  if (!anybody()) return 0;
  ByCore recipients;
  size_t count = 0;
  std::lock_guard lock(mutex_);
  if (auto found = of(kind).find(channel); found != of(kind).end()) {
    count += Collect(found->second, false, recipients);
  }
  if (kind == Kind::kChannel) {
    for (const auto& [pattern, audience] : of(Kind::kPattern)) {
      if (GlobMatch(pattern, channel)) count += Collect(audience, true, recipients);
    }
  }
  if (count == 0) return 0;
  auto message =
      std::make_shared<const Message>(Message{kind, std::string(channel), SharedBytes::Copy(payload)});
  for (auto& [core, list] : recipients) delivery_.Deliver(core, message, std::move(list));
  return count;
}

size_t Channels::CountReceivers(Kind kind, std::string_view channel) const {
  if (!anybody()) return 0;
  size_t count = 0;
  std::lock_guard lock(mutex_);
  if (auto found = of(kind).find(channel); found != of(kind).end()) count += found->second.listeners.size();
  if (kind != Kind::kChannel) return count;
  for (const auto& [pattern, audience] : of(Kind::kPattern)) {
    if (GlobMatch(pattern, channel)) count += audience.listeners.size();
  }
  return count;
}

std::vector<std::string> Channels::Names(Kind kind, std::string_view pattern) const {
  std::vector<std::string> names;
  std::lock_guard lock(mutex_);
  for (const auto& [name, audience] : of(kind)) {
    if (GlobMatch(pattern, name)) names.push_back(name);
  }
  return names;
}

size_t Channels::CountNames(Kind kind) const {
  std::lock_guard lock(mutex_);
  return of(kind).size();
}

size_t Channels::CountSubscribers(Kind kind, std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto found = of(kind).find(name);
  return found == of(kind).end() ? 0 : found->second.listeners.size();
}

}  // namespace cinnabar::pubsub
