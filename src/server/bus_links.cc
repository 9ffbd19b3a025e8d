#include "server/bus_links.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <utility>

#include "cluster/packet.h"
#include "net/socket.h"
#include "net/transport.h"
#include "server/link_connecting.h"

namespace cinnabar::server {

using cluster::LinkId;

namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr int kAcceptsPerTurn = 128;
constexpr size_t kPacketsPerWrite = 64;
constexpr Millis kPatienceMin = 5000;
// A buffer that a long packet has made large is given back behind it.
constexpr size_t kKeptInputBytes = 64 * 1024;

}  // namespace

class BusLinks::Link final : public ReadyHandler {
 public:
  enum class State : uint8_t { kNew, kLookup, kConnecting, kHandshake, kOpen, kGone };

  Link(BusLinks& owner, LinkId number) : id(number), owner_(owner) {}
  void OnReady() override { owner_.OnReady(id); }
  bool open() const { return state == State::kOpen; }
  size_t unsent_bytes() const { return queued_bytes - sent_of_first; }

  const LinkId id;
  bool ours = false;  // we have made it
  std::string ip;     // of the peer
  int port = 0;       // of ours: where it leads
  std::string local_ip;
  State state = State::kNew;
  Millis since = 0;                    // it was begun, or something came last
  std::unique_ptr<NameLookup> lookup;  // of kLookup
  std::unique_ptr<net::Transport> transport;
  uint32_t watched = 0;  // events that the loop was asked for
  std::string input;     // of a packet that is not whole yet
  std::deque<std::shared_ptr<const std::string>> queue;
  size_t queued_bytes = 0;
  size_t sent_of_first = 0;
  bool to_flush = false;  // stands in unflushed_

 private:
  BusLinks& owner_;
};

class BusLinks::Listener final : public ReadyHandler {
 public:
  Listener(BusLinks& owner, int fd) : owner_(owner), fd_(fd) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() override {
    if (registered_) owner_.parts_.loop.Remove(fd_, *this);
    close(fd_);
  }
  Status Register() {
    if (registered_) return {};
    TRY_STATUS(owner_.parts_.loop.Add(fd_, *this));
    registered_ = true;
    return {};
  }
  void OnReady() override { owner_.AcceptSome(fd_); }

 private:
  BusLinks& owner_;
  const int fd_;
  bool registered_ = false;
};

BusLinks::BusLinks(const Parts& parts) : parts_(parts), room_(std::make_unique<char[]>(kReadBytes)) {}

BusLinks::~BusLinks() {
  for (auto& [id, link] : links_) Drop(*link);
}

std::shared_ptr<BusLinks::Link> BusLinks::Find(LinkId id) const {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second;
}

// ---- how they come ----

Status BusLinks::Open(int port) {
  const config::Network& network = parts_.settings.network;
  for (const std::string& address : network.bind) {
    const bool optional = address.starts_with('-');
    const std::string place = address.substr(optional ? 1 : 0);
    auto fd = net::ListenTcp(place, port, static_cast<int>(network.tcp_backlog));
    if (fd) {
      listeners_.push_back(std::make_unique<Listener>(*this, *fd));
      continue;
    }
    const int code = fd.error().code;
    if (optional && (code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == EPROTONOSUPPORT)) continue;
    return cinnabar::Fail(fmt::format("Failed listening on port {} (cluster), aborting. {}:{}: {}", port,
                                      place, port, fd.error().message),
                          code);
  }
  if (listeners_.empty()) return cinnabar::Fail(fmt::format("Failed listening on port {} (cluster).", port));
  return {};
}

Status BusLinks::Register() {
  for (auto& listener : listeners_) TRY_STATUS(listener->Register());
  return {};
}

void BusLinks::StopListening() {
  listeners_.clear();
}

void BusLinks::AcceptSome(int listener) {
  for (int left = kAcceptsPerTurn; left > 0; --left) {
    Result<net::Accepted> accepted = net::Accept(listener);
    if (!accepted) {
      parts_.log.Verbose("Error accepting cluster node: {}", accepted.error().message);
      return;
    }
    if (accepted->fd < 0) return;
    net::SetNoDelay(accepted->fd);
    net::SetKeepAlive(accepted->fd, static_cast<int>(parts_.settings.network.tcp_keepalive_seconds));
    const std::string ip(WithoutPort(accepted->peer));
    auto transport = std::make_unique<net::SocketTransport>(accepted->fd);
    const LinkId id = parts_.user.LinkAccepted(ip);
    auto link = std::make_shared<Link>(*this, id);
    links_[id] = link;
    link->ip = ip;
    link->local_ip = std::string(WithoutPort(accepted->local));
    link->since = Now();
    if (const Status added = parts_.loop.Add(accepted->fd, *link); !added) {
      Fail(*link, added.error().message);
      continue;
    }
    link->watched = net::kReadable;
    link->transport = std::move(transport);
    if (parts_.settings.tls.cluster) link->transport = parts_.tls.OverAccepted(std::move(link->transport));
    link->state = Link::State::kOpen;  // the first read goes through the handshake
  }
}

void BusLinks::Connect(LinkId id, const std::string& ip, int port) {
  auto link = std::make_shared<Link>(*this, id);
  link->ours = true;
  link->ip = ip;
  link->port = port;
  links_[id] = link;
  parts_.loop.SoonInBetween([this, id] {
    if (const auto found = Find(id)) Begin(*found);
  });
}

void BusLinks::Begin(Link& link) {
  if (IsNumericAddress(link.ip)) return ConnectTo(link, link.ip);
  link.state = Link::State::kLookup;
  link.since = Now();
  link.lookup = std::make_unique<NameLookup>(parts_.resolve);
  link.lookup->Begin(link.ip, Now());
}

void BusLinks::TakeLookup(Link& link) {
  const auto answer = link.lookup->Take(Now());
  if (!answer) return;
  link.lookup.reset();
  if (!*answer) return Fail(link, fmt::format("the name cannot be resolved: {}", answer->error().message));
  ConnectTo(link, **answer);
}

void BusLinks::ConnectTo(Link& link, const std::string& address) {
  auto begun = net::BeginConnect(address, link.port, parts_.settings.network.bind_source_addr);
  if (!begun) return Fail(link, begun.error().message);
  const int fd = *begun;
  auto transport = std::make_unique<net::SocketTransport>(fd);
  if (const Status added = parts_.loop.Add(fd, link); !added) return Fail(link, added.error().message);
  link.transport = std::move(transport);
  if (parts_.settings.tls.cluster) link.transport = parts_.tls.OverOurs(std::move(link.transport));
  link.state = Link::State::kConnecting;
  link.since = Now();
  link.watched = net::kReadable | net::kWritable;
  parts_.loop.Change(fd, link, link.watched);
}

bool BusLinks::FinishConnecting(Link& link) {
  net::Transport& transport = *link.transport;
  if (link.state == Link::State::kConnecting) {
    const int error = net::ConnectError(transport.fd());
    if (error == EINPROGRESS) return false;
    if (error != 0) {
      Fail(link, strerror(error));
      return false;
    }
    link.state = Link::State::kHandshake;
    net::SetNoDelay(transport.fd());
    net::SetKeepAlive(transport.fd(), static_cast<int>(parts_.settings.network.tcp_keepalive_seconds));
  }
  const HandshakeStep step = StepHandshake(transport);
  if (step.state == Handshake::kFailed) Fail(link, step.reason);
  if (step.state == Handshake::kMore) Watch(link);
  if (step.state != Handshake::kDone) return false;
  link.state = Link::State::kOpen;
  link.since = Now();
  link.local_ip = WithoutPort(net::LocalName(transport.fd()));
  parts_.user.LinkConnected(link.id);
  return link.open();
}

// How long a link may be silent. The machine has its own, shorter patience with nodes that it knows.
Millis BusLinks::Patience() const {
  return std::max<Millis>(2 * parts_.settings.cluster.node_timeout_millis, kPatienceMin);
}

void BusLinks::OnTick() {
  // The user may close others when it is told of one.
  std::vector<std::shared_ptr<Link>> concerned;
  for (const auto& [id, link] : links_) {
    const bool late = link->state != Link::State::kNew && Now() - link->since > Patience();
    if (late || link->state == Link::State::kLookup) concerned.push_back(link);
  }
  for (const auto& link : concerned) {
    if (link->state == Link::State::kLookup) TakeLookup(*link);
    if (link->state != Link::State::kGone && Now() - link->since > Patience())
      Fail(*link, "the peer is silent");
  }
}

// ---- what they carry ----

void BusLinks::OnReady(LinkId id) {
  const std::shared_ptr<Link> link = Find(id);  // it may be closed in the middle
  if (link == nullptr || link->transport == nullptr) return;
  if (!link->open() && !FinishConnecting(*link)) return;
  ReadSome(*link);
  if (link->open() && WriteSome(*link)) Watch(*link);
}

void BusLinks::ReadSome(Link& link) {
  do {
    const net::Transfer got = link.transport->Read({room_.get(), kReadBytes});
    if (got.outcome == net::Transfer::Outcome::kLater) return;
    if (got.outcome != net::Transfer::Outcome::kMoved) return Fail(link, WhyEnded(*link.transport, got));
    link.since = Now();
    link.input.append(room_.get(), got.bytes);
    if (!TakePackets(link)) return;
  } while (link.transport->pending() != 0);
}

bool BusLinks::TakePackets(Link& link) {
  size_t taken = 0;
  while (link.input.size() - taken >= cluster::kLengthBytes) {
    const std::string_view rest = std::string_view(link.input).substr(taken);
    const Result<size_t> length = cluster::PacketLength(rest);
    if (!length) {
      Fail(link, length.error().message);
      return false;
    }
    if (rest.size() < *length) break;
    parts_.user.LinkReceived(link.id, rest.substr(0, *length), link.local_ip);
    if (!link.open()) return false;
    taken += *length;
  }
  link.input.erase(0, taken);
  if (link.input.empty() && link.input.capacity() > kKeptInputBytes) link.input = {};
  return true;
}

void BusLinks::Send(LinkId id, std::shared_ptr<const std::string> packet) {
  const std::shared_ptr<Link> link = Find(id);
  if (link == nullptr || !link->open()) return;
  link->queued_bytes += packet->size();
  link->queue.push_back(std::move(packet));
  if (std::exchange(link->to_flush, true)) return;
  unflushed_.push_back(id);
  if (unflushed_.size() == 1) parts_.loop.SoonInBetween([this] { FlushAll(); });
}

void BusLinks::FlushAll() {
  const auto limit = static_cast<size_t>(parts_.settings.cluster.link_sendbuf_limit_bytes);
  for (const LinkId id : std::exchange(unflushed_, {})) {
    const std::shared_ptr<Link> link = Find(id);
    if (link == nullptr) continue;
    link->to_flush = false;
    if (!link->open() || !WriteSome(*link)) continue;
    if (limit != 0 && SendBufferOf(id).allocated > limit) {
      ++over_limit_;
      parts_.log.Warning("Freeing outbound cluster link to {}: {} bytes wait for it, more than {}.", link->ip,
                         link->unsent_bytes(), limit);
      Fail(*link, "the peer does not take what is sent");
      continue;
    }
    Watch(*link);
  }
}

bool BusLinks::WriteSome(Link& link) {
  while (!link.queue.empty() || link.transport->unsent()) {
    std::array<iovec, kPacketsPerWrite> parts;
    size_t count = 0;
    size_t skip = link.sent_of_first;
    for (const auto& packet : link.queue) {
      if (count == parts.size()) break;
      parts[count++] = {const_cast<char*>(packet->data()) + skip, packet->size() - skip};
      skip = 0;
    }
    const net::Transfer sent = link.transport->Write({parts.data(), count});
    if (sent.outcome == net::Transfer::Outcome::kFailed) {
      Fail(link, WhyEnded(*link.transport, sent));
      return false;
    }
    if (sent.outcome != net::Transfer::Outcome::kMoved) return true;
    link.sent_of_first += sent.bytes;
    while (!link.queue.empty() && link.sent_of_first >= link.queue.front()->size()) {
      link.sent_of_first -= link.queue.front()->size();
      link.queued_bytes -= link.queue.front()->size();
      link.queue.pop_front();
    }
  }
  return true;
}

void BusLinks::Watch(Link& link) {
  const uint32_t events =
      link.transport->Interest(net::kReadable | (link.queue.empty() ? 0u : uint32_t{net::kWritable}));
  if (events == link.watched) return;
  link.watched = events;
  parts_.loop.Change(link.transport->fd(), link, events);
}

// ---- how they go ----

void BusLinks::Close(LinkId id) {
  const std::shared_ptr<Link> link = Find(id);
  if (link == nullptr) return;
  links_.erase(id);
  // What was said before it counts: a peer that is told something for the last time should hear it.
  if (link->open()) {
    std::array<iovec, kPacketsPerWrite> parts;
    size_t count = 0;
    size_t skip = std::exchange(link->sent_of_first, 0);
    for (const auto& packet : link->queue) {
      if (count == parts.size()) break;
      parts[count++] = {const_cast<char*>(packet->data()) + skip, packet->size() - skip};
      skip = 0;
    }
    if (count != 0) link->transport->Write({parts.data(), count});
  }
  Drop(*link);
}

void BusLinks::Fail(Link& link, std::string_view reason) {
  const std::shared_ptr<Link> kept = Find(link.id);
  parts_.log.Debug("Cluster link {} {}: {}", link.ours ? "to" : "from", link.ip, reason);
  links_.erase(link.id);
  Drop(link);
  parts_.user.LinkClosed(link.id);
}

void BusLinks::Drop(Link& link) {
  link.state = Link::State::kGone;
  if (link.transport == nullptr) return;
  parts_.loop.Remove(link.transport->fd(), link);
  link.transport.reset();
}

// ---- figures ----

cluster::ClusterPort::SendBuffer BusLinks::SendBufferOf(LinkId id) const {
  const std::shared_ptr<Link> link = Find(id);
  if (link == nullptr) return {};
  const size_t slots = link->queue.size() * sizeof(link->queue.front());
  return {.allocated = link->queued_bytes + slots, .used = link->unsent_bytes() + slots};
}

size_t BusLinks::memory() const {
  size_t sum = 0;
  for (const auto& [id, link] : links_)
    sum += sizeof(Link) + link->input.capacity() + SendBufferOf(id).allocated;
  return sum;
}

}  // namespace cinnabar::server
