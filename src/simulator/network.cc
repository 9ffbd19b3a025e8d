#include "simulator/network.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "simulator/fingerprint.h"

namespace cinnabar::simulator {
namespace {

constexpr Millis kTryAgain = 100;

}  // namespace

Network::Network(EventQueue& events, Random& random, int nodes)
    : events_(events), random_(random), users_(static_cast<size_t>(nodes), nullptr) {}

Network::Connection* Network::Find(ConnectionId id) {
  const auto it = connections_.find(id);
  return it == connections_.end() ? nullptr : &it->second;
}

Millis Network::Delay() {
  return static_cast<Millis>(random_.Uniform(random_.OneIn(delays_.one_in) ? delays_.slow : delays_.usual));
}

bool Network::Blocked(int from, int to) const {
  const auto it = blocked_until_.find({from, to});
  return it != blocked_until_.end() && events_.now() < it->second;
}

void Network::Block(int from, int to, Millis until) {
  blocked_until_[{from, to}] = until;
}

void Network::Slow(int from, int to, Millis more, Millis until) {
  slow_[{from, to}] = {more, until};
}

void Network::HealAll() {
  blocked_until_.clear();
  slow_.clear();
}

// ---- connections ----

ConnectionId Network::Connect(int from, int to) {
  const ConnectionId id = ++last_id_;
  connections_[id] = {.nodes = {from, to}, .open = {true, false}, .ways = {}};
  events_.After(Delay(), [this, id] { Establish(id); });
  return id;
}

void Network::Establish(ConnectionId id) {
  Connection* connection = Find(id);
  if (connection == nullptr || !connection->open[0]) {
    connections_.erase(id);
    return;
  }
  const auto [from, to] = connection->nodes;
  if (Blocked(from, to) || Blocked(to, from)) {
    events_.After(kTryAgain, [this, id] { Establish(id); });
    return;
  }
  NetworkUser* accepting = users_[static_cast<size_t>(to)];
  if (accepting == nullptr) {
    Push(id, 1, {events_.now() + Delay(), {}, true});
    return;
  }
  connection->open[1] = true;
  accepting->OnAccepted(id, from);
  events_.After(Delay(), [this, id] {
    Connection* established = Find(id);
    if (established == nullptr || !established->open[0]) return;
    users_[static_cast<size_t>(established->nodes[0])]->OnConnected(id);
  });
}

void Network::Send(ConnectionId id, int from, std::string bytes) {
  Connection* connection = Find(id);
  if (connection == nullptr || bytes.empty()) return;
  const int side = SideOf(*connection, from);
  connection->ways[static_cast<size_t>(side)].underway += bytes.size();
  // Now and then the pieces arrive apart.
  while (bytes.size() > 1 && random_.OneIn(4)) {
    const size_t cut = 1 + random_.Uniform(bytes.size() - 1);
    Push(id, side, {events_.now() + Delay(), bytes.substr(0, cut), false});
    bytes.erase(0, cut);
  }
  Push(id, side, {events_.now() + Delay(), std::move(bytes), false});
}

size_t Network::Underway(ConnectionId id, int from) const {
  const auto it = connections_.find(id);
  if (it == connections_.end()) return 0;
  return it->second.ways[static_cast<size_t>(SideOf(it->second, from))].underway;
}

void Network::Close(ConnectionId id, int from) {
  Connection* connection = Find(id);
  if (connection == nullptr) return;
  const int side = SideOf(*connection, from);
  connection->open[static_cast<size_t>(side)] = false;
  Push(id, side, {events_.now() + Delay(), {}, true});
}

void Network::Push(ConnectionId id, int side, Segment segment) {
  Connection& connection = connections_[id];
  const auto from = static_cast<size_t>(side);
  Way& way = connection.ways[from];
  const auto slow = slow_.find({connection.nodes[from], connection.nodes[1 - from]});
  if (slow != slow_.end() && events_.now() < slow->second.until) {
    segment.at += static_cast<Millis>(random_.Uniform(static_cast<uint64_t>(slow->second.more)));
  }
  segment.at = way.last_at = std::max(way.last_at, segment.at);
  way.segments.push_back(std::move(segment));
  if (std::exchange(way.pumping, true)) return;
  events_.After(way.segments.front().at - events_.now(), [this, id, side] { Pump(id, side); });
}

// Delivers what has arrived by now.
void Network::Pump(ConnectionId id, int side) {
  const auto from = static_cast<size_t>(side), to = 1 - from;
  while (Connection* connection = Find(id)) {
    Way& way = connection->ways[from];
    if (way.segments.empty()) {
      way.pumping = false;
      return;
    }
    const Millis now = events_.now();
    const bool blocked = Blocked(connection->nodes[from], connection->nodes[to]);
    if (blocked || way.segments.front().at > now) {
      const Millis wait = blocked ? kTryAgain : way.segments.front().at - now;
      events_.After(wait, [this, id, side] { Pump(id, side); });
      return;
    }
    const Segment segment = std::move(way.segments.front());
    way.segments.pop_front();
    way.underway -= segment.bytes.size();
    const bool was_open = connection->open[to];
    NetworkUser* receiver = users_[static_cast<size_t>(connection->nodes[to])];
    NetworkUser* sender =
        connection->open[from] ? users_[static_cast<size_t>(connection->nodes[from])] : nullptr;
    // A machine that was restarted knows nothing of the connection, and says so.
    if (!was_open && receiver != nullptr && !segment.end && connection->open[from]) {
      Push(id, static_cast<int>(to), {now + Delay(), {}, true});
    }
    if (segment.end) connection->open[to] = false;
    if (segment.end && !connection->open[from]) connections_.erase(id);
    if (was_open && receiver != nullptr) {
      Note(static_cast<int>(to), id, segment.bytes);
      if (segment.end) {
        receiver->OnClosed(id);
      } else {
        receiver->OnBytes(id, segment.bytes);
        connection = Find(id);
        if (sender != nullptr && connection != nullptr && connection->open[from]) sender->OnWritable(id);
      }
    }
  }
}

void Network::Note(int node, ConnectionId id, std::string_view bytes) {
  digest_ = Mix(digest_, static_cast<uint64_t>(events_.now()));
  digest_ = Mix(digest_, id * 2 + static_cast<uint64_t>(node));
  digest_ = Fingerprint(bytes, digest_);
}

// ---- faults ----

// What is on the way from a random place on never arrives.
void Network::LoseTail(Way& way) {
  if (way.segments.empty()) return;
  size_t kept = random_.Uniform(way.segments.size() + 1);
  while (way.segments.size() > kept) {
    way.underway -= way.segments.back().bytes.size();
    way.segments.pop_back();
  }
}

void Network::CutConnection(ConnectionId id) {
  for (int side : {0, 1}) {
    Connection& connection = connections_[id];
    LoseTail(connection.ways[static_cast<size_t>(side)]);
    const Millis heard = static_cast<Millis>(random_.OneIn(2) ? random_.Uniform(20) : random_.Uniform(3000));
    Push(id, side, {events_.now() + heard, {}, true});
  }
}

void Network::CutAny() {
  if (connections_.empty()) return;
  const auto it = std::next(connections_.begin(), static_cast<long>(random_.Uniform(connections_.size())));
  CutConnection(it->first);
}

void Network::Crash(int node) {
  users_[static_cast<size_t>(node)] = nullptr;
  for (auto& [id, connection] : connections_) {
    if (connection.nodes[0] != node && connection.nodes[1] != node) continue;
    const auto side = static_cast<size_t>(SideOf(connection, node));
    connection.open[side] = false;
    LoseTail(connection.ways[side]);
    // A machine that loses power says nothing.
    if (!random_.OneIn(4)) Push(id, static_cast<int>(side), {events_.now() + Delay(), {}, true});
  }
}

}  // namespace cinnabar::simulator
