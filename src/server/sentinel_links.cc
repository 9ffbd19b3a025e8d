#include "server/sentinel_links.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "net/socket.h"
#include "net/transport.h"
#include "protocol/encode_command.h"
#include "protocol/reply_parser.h"
#include "server/link_connecting.h"

namespace cinnabar::server {

using sentinel::Address;
using sentinel::ConnectionId;

namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr size_t kTroublesMax = 1024;
// The longest reply is that of INFO, with some kilobytes.
constexpr protocol::ReplyParser::Limits kReplyLimits{
    .bulk_bytes = 8 << 20, .elements = 64 * 1024, .depth = 8, .total_bytes = 16 << 20};

}  // namespace

class SentinelLinks::Link final : public ReadyHandler {
 public:
  enum class State : uint8_t { kNew, kLookup, kConnecting, kHandshake, kOpen, kGone };

  Link(SentinelLinks& owner, ConnectionId number, const Address& where)
      : id(number), address(where), owner_(owner) {}
  void OnReady() override { owner_.OnReady(id); }
  std::string name() const { return fmt::format("{}:{}", address.name, address.port); }
  bool open() const { return state == State::kOpen; }

  const ConnectionId id;
  const Address address;
  State state = State::kNew;
  Millis since = 0;  // kLookup or kConnecting
  std::unique_ptr<net::Transport> transport;
  uint32_t watched = 0;  // events that the loop was asked for
  protocol::ReplyParser parser{kReplyLimits};
  std::string unsent;
  bool to_flush = false;  // stands in unflushed_
  bool heard = false;     // something has come

 private:
  SentinelLinks& owner_;
};

SentinelLinks::SentinelLinks(const Parts& parts)
    : parts_(parts), room_(std::make_unique<char[]>(kReadBytes)) {}

SentinelLinks::~SentinelLinks() {
  for (auto& [id, link] : links_) Drop(*link);
}

std::shared_ptr<SentinelLinks::Link> SentinelLinks::Find(ConnectionId id) const {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<SentinelLinks::Link>> SentinelLinks::Unfinished() const {
  std::vector<std::shared_ptr<Link>> unfinished;
  for (const auto& [id, link] : links_) {
    if (link->state != Link::State::kNew && !link->open()) unfinished.push_back(link);
  }
  return unfinished;
}

// ---- how it comes ----

void SentinelLinks::Connect(ConnectionId id, const Address& address) {
  links_[id] = std::make_shared<Link>(*this, id, address);
  parts_.loop.Soon([this, id] {
    if (const auto link = Find(id)) Begin(*link);
  });
}

// Several connections to one host, and those that are tried again before there is an answer, wait for the
// same one.
void SentinelLinks::Begin(Link& link) {
  const std::string& name = link.address.name.empty() ? link.address.ip : link.address.name;
  if (IsNumericAddress(name)) return ConnectTo(link, name);
  link.state = Link::State::kLookup;
  link.since = Now();
  const auto [lookup, is_new] = lookups_.try_emplace(name, parts_.resolve);
  if (is_new) lookup->second.Begin(name, Now());
}

void SentinelLinks::TakeLookups() {
  std::vector<std::pair<std::string, Result<std::string>>> answers;
  for (auto lookup = lookups_.begin(); lookup != lookups_.end();) {
    auto answer = lookup->second.Take(Now());
    if (!answer) {
      ++lookup;
      continue;
    }
    answers.emplace_back(lookup->first, std::move(*answer));
    lookup = lookups_.erase(lookup);
  }
  for (const auto& [name, answer] : answers) {
    for (const auto& link : Unfinished()) {
      if (link->state != Link::State::kLookup || link->address.name != name) continue;
      if (answer) {
        ConnectTo(*link, *answer);
      } else {
        LookupFailed(*link, answer.error().message);
      }
    }
  }
}

void SentinelLinks::LookupFailed(Link& link, const std::string& reason) {
  if (IsNumericAddress(link.address.ip)) return ConnectTo(link, link.address.ip);
  Fail(link, fmt::format("the name cannot be resolved: {}", reason));
}

void SentinelLinks::ConnectTo(Link& link, const std::string& numeric_host) {
  const config::Settings& settings = parts_.settings;
  auto begun = net::BeginConnect(numeric_host, link.address.port, settings.network.bind_source_addr);
  if (!begun) return Fail(link, begun.error().message);
  const int fd = *begun;
  auto transport = std::make_unique<net::SocketTransport>(fd);
  if (const Status added = parts_.loop.Add(fd, link); !added) return Fail(link, added.error().message);
  link.transport = std::move(transport);
  if (settings.tls.replication) link.transport = parts_.tls.OverOurs(std::move(link.transport));
  link.state = Link::State::kConnecting;
  link.since = Now();
  link.watched = net::kReadable | net::kWritable;
  parts_.loop.Change(fd, link, link.watched);
}

bool SentinelLinks::FinishConnecting(Link& link) {
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
  const std::string local = net::LocalName(transport.fd());
  parts_.listener.LinkConnected(link.id, WithoutPort(local));
  return link.open();
}

void SentinelLinks::OnTick() {
  TakeLookups();
  for (const auto& link : Unfinished()) {
    if (Now() - link->since <= kConnectPatience) continue;
    if (link->state == Link::State::kLookup) LookupFailed(*link, "no answer");
    if (link->state == Link::State::kConnecting || link->state == Link::State::kHandshake) {
      Fail(*link, "no answer");
    }
  }
}

// ---- what it carries ----

void SentinelLinks::OnReady(ConnectionId id) {
  const std::shared_ptr<Link> link = Find(id);  // it may be closed in the middle
  if (link == nullptr || link->transport == nullptr || parts_.loop.Interrupted()) return;
  if (!link->open() && !FinishConnecting(*link)) return;
  ReadSome(*link);
  if (link->open()) Flush(*link);
}

void SentinelLinks::ReadSome(Link& link) {
  do {
    const net::Transfer got = link.transport->Read({room_.get(), kReadBytes});
    if (got.outcome == net::Transfer::Outcome::kLater) return;
    if (got.outcome != net::Transfer::Outcome::kMoved) return Fail(link, WhyEnded(*link.transport, got));
    link.parser.Feed({room_.get(), got.bytes});
    if (!TakeReplies(link)) return;
  } while (link.transport->pending() != 0);
}

bool SentinelLinks::TakeReplies(Link& link) {
  using Outcome = protocol::ReplyParser::Outcome;
  while (true) {
    protocol::Reply reply;
    const Outcome outcome = link.parser.Next(reply);
    if (outcome == Outcome::kIncomplete) return true;
    if (outcome == Outcome::kDamaged) {
      Fail(link, fmt::format("what comes is no reply: {}", link.parser.problem()));
      return false;
    }
    if (!std::exchange(link.heard, true)) troubles_.erase(link.name());
    parts_.listener.LinkReceived(link.id, reply);
    if (!link.open()) return false;
  }
}

void SentinelLinks::Send(ConnectionId id, std::span<const std::string_view> words) {
  const std::shared_ptr<Link> link = Find(id);
  if (link == nullptr || !link->open()) return;
  protocol::EncodeCommand(words, link->unsent);
  if (std::exchange(link->to_flush, true)) return;
  unflushed_.push_back(id);
  if (unflushed_.size() == 1) parts_.loop.Soon([this] { FlushAll(); });
}

void SentinelLinks::FlushAll() {
  for (const ConnectionId id : std::exchange(unflushed_, {})) {
    const std::shared_ptr<Link> link = Find(id);
    if (link == nullptr) continue;
    link->to_flush = false;
    Flush(*link);
  }
}

void SentinelLinks::Flush(Link& link) {
  if (!WriteSome(link)) return;
  if (link.unsent.size() > kUnsentBytesMax) return Fail(link, "the peer does not take what is sent");
  Watch(link);
}

bool SentinelLinks::WriteSome(Link& link) {
  if (link.unsent.empty() && !link.transport->unsent()) return true;
  const iovec part{link.unsent.data(), link.unsent.size()};
  const net::Transfer sent = link.transport->Write({&part, link.unsent.empty() ? 0u : 1u});
  if (sent.outcome == net::Transfer::Outcome::kFailed) {
    Fail(link, WhyEnded(*link.transport, sent));
    return false;
  }
  link.unsent.erase(0, sent.bytes);
  return true;
}

void SentinelLinks::Watch(Link& link) {
  const uint32_t events =
      link.transport->Interest(net::kReadable | (link.unsent.empty() ? 0u : uint32_t{net::kWritable}));
  if (events == link.watched) return;
  link.watched = events;
  parts_.loop.Change(link.transport->fd(), link, events);
}

// ---- how it goes ----

void SentinelLinks::Close(ConnectionId id) {
  const std::shared_ptr<Link> link = Find(id);
  if (link == nullptr) return;
  links_.erase(id);
  if (link->open() && !link->unsent.empty()) {
    const iovec part{link->unsent.data(), link->unsent.size()};
    link->transport->Write({&part, 1});
  }
  Drop(*link);
}

void SentinelLinks::Fail(Link& link, const std::string& reason) {
  const std::shared_ptr<Link> kept = Find(link.id);
  if (troubles_.size() >= kTroublesMax) troubles_.clear();
  if (std::string& trouble = troubles_[link.name()]; trouble != reason) {
    trouble = reason;
    parts_.log.Notice("Connection to {}: {}", link.name(), reason);
  }
  links_.erase(link.id);
  Drop(link);
  parts_.listener.LinkClosed(link.id);
}

void SentinelLinks::Drop(Link& link) {
  link.state = Link::State::kGone;
  if (link.transport == nullptr) return;
  parts_.loop.Remove(link.transport->fd(), link);
  link.transport.reset();
}

}  // namespace cinnabar::server
