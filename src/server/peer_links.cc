#include "server/peer_links.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/numbers.h"
#include "config/settings.h"
#include "dispatch/dispatcher.h"
#include "net/socket.h"
#include "net/transport.h"
#include "protocol/reply_parser.h"

namespace cinnabar::server {

using dispatch::Call;
using dispatch::PeerLink;
using Outcome = net::Transfer::Outcome;

namespace {

constexpr size_t kReadBytes = 16 * 1024;
// Whoever answers RESTORE says OK, or what is wrong.
constexpr protocol::ReplyParser::Limits kReplyLimits{
    .bulk_bytes = 1 << 20, .elements = 1024, .depth = 4, .total_bytes = 1 << 20};
// A name server is asked so often whether it has answered.
constexpr Nanos kLookupStep = kNanosPerMilli / 2;

Nanos Until(Millis timeout) {
  // A time that is no time at all still ends: in some years.
  constexpr Millis kLongest = Millis{1} << 40;
  return SystemMonotonicNanos() + std::min(timeout, kLongest) * kNanosPerMilli;
}

}  // namespace

class PeerLinks::Link final : public PeerLink {
 public:
  Link(std::string name, std::unique_ptr<net::Transport> transport)
      : name_(std::move(name)), transport_(std::move(transport)) {}

  Step Send(Call& call, std::string_view bytes, Millis timeout) override {
    Nanos until = Until(timeout);
    size_t piece = 0;
    while (!bytes.empty() || transport_->unsent()) {
      const iovec part{const_cast<char*>(bytes.data()), std::min(bytes.size(), kWriteBytes)};
      const net::Transfer sent = transport_->Write({&part, bytes.empty() ? 0u : 1u});
      if (sent.outcome == Outcome::kFailed) return Step::kFailed;
      bytes.remove_prefix(sent.bytes);
      piece += sent.bytes;
      if (piece >= kPieceBytes) {
        piece = 0;
        until = Until(timeout);
      }
      if (sent.outcome == Outcome::kLater && !Wait(call, net::kWritable, until)) return Step::kTimedOut;
    }
    return Step::kDone;
  }

  Step Receive(Call& call, protocol::Reply& reply, Millis timeout) override {
    using Parsed = protocol::ReplyParser::Outcome;
    const Nanos until = Until(timeout);
    while (true) {
      const Parsed parsed = parser_.Next(reply);
      if (parsed == Parsed::kReply) return Step::kDone;
      if (parsed == Parsed::kDamaged) return Step::kFailed;
      char room[kReadBytes];
      const net::Transfer got = transport_->Read(room);
      if (got.outcome == Outcome::kMoved) {
        parser_.Feed({room, got.bytes});
      } else if (got.outcome != Outcome::kLater) {
        return Step::kFailed;
      } else if (!Wait(call, net::kReadable, until)) {
        return Step::kTimedOut;
      }
    }
  }

  // One step of a handshake. kDone: it is over.
  Step Shake(Call& call, Nanos until) {
    while (true) {
      net::Transfer step{.outcome = Outcome::kLater};
      if (transport_->unsent()) step = transport_->Write({});
      char none = 0;
      if (step.outcome == Outcome::kLater && transport_->awaits_peer()) step = transport_->Read({&none, 1});
      if (step.outcome != Outcome::kLater) return Step::kFailed;  // a server says nothing before it is asked
      if (!transport_->awaits_peer() && !transport_->unsent()) return Step::kDone;
      if (!Wait(call, net::kReadable, until)) return Step::kTimedOut;
    }
  }

  // Whether it can carry a next command, as far as one can tell: nothing was said behind the last reply.
  bool Quiet() const { return parser_.buffered() == 0 && transport_->pending() == 0; }
  // The peer has closed it, or says something that nobody has asked for.
  bool Stale() const { return net::WaitReady(transport_->fd(), net::kReadable, 0); }
  int fd() const { return transport_->fd(); }
  const std::string& name() const { return name_; }

  Millis kept_since = 0;

 private:
  static constexpr size_t kWriteBytes = 1 << 20;

  bool Wait(Call& call, uint32_t wanted, Nanos until) {
    return call.dispatcher().long_commands().WaitForPeer(call, transport_->fd(), transport_->Interest(wanted),
                                                         until);
  }

  const std::string name_;  // of its place
  const std::unique_ptr<net::Transport> transport_;
  protocol::ReplyParser parser_{kReplyLimits};
};

PeerLinks::PeerLinks(dispatch::Services& services, const TlsContexts& tls, int cores,
                     NameLookup::Resolver resolve)
    : services_(services), tls_(tls), resolve_(resolve), kept_by_core_(static_cast<size_t>(cores)) {}

PeerLinks::~PeerLinks() = default;

// What an administrator has changed meanwhile makes another place of it. A length in front of each part keeps
// them apart.
std::string PeerLinks::NameOf(const Place& place) const {
  std::string name = services_.settings.tls.cluster ? "tls" : "";
  for (std::string_view part : {place.host, place.port, place.user, place.password}) {
    name += ' ';
    name += Int64ToString(static_cast<int64_t>(part.size()));
    name += ':';
    name += part;
  }
  return name;
}

void PeerLinks::Forget(Kept& kept, Kept::iterator which) {
  kept.erase(which);
  kept_.fetch_sub(1, std::memory_order_relaxed);
}

std::unique_ptr<PeerLinks::Link> PeerLinks::TakeKept(int core, const std::string& name) {
  Kept& kept = kept_by_core_[static_cast<size_t>(core)];
  for (auto found = kept.find(name); found != kept.end(); found = kept.find(name)) {
    std::unique_ptr<Link> link = std::move(found->second);
    Forget(kept, found);
    if (!link->Stale()) return link;
  }
  return nullptr;
}

std::string PeerLinks::Resolve(Call& call, const std::string& host, Nanos until) {
  if (IsNumericAddress(host)) return host;
  if (host.empty()) return {};
  NameLookup lookup(resolve_);
  lookup.Begin(host, SystemMonotonicNanos() / kNanosPerMilli);
  while (true) {
    if (const auto answer = lookup.Take(SystemMonotonicNanos() / kNanosPerMilli))
      return answer->has_value() ? **answer : std::string();
    const Nanos now = SystemMonotonicNanos();
    if (now >= until) return {};
    call.dispatcher().long_commands().WaitForPeer(call, -1, 0, std::min(now + kLookupStep, until));
  }
}

PeerLinks::Refusal PeerLinks::FinishConnecting(Call& call, Link& link, Nanos until) {
  if (!call.dispatcher().long_commands().WaitForPeer(call, link.fd(), net::kWritable, until))
    return Refusal::kRefused;
  if (net::ConnectError(link.fd()) != 0) return Refusal::kRefused;
  net::SetNoDelay(link.fd());
  return link.Shake(call, until) == PeerLink::Step::kDone ? Refusal::kNone : Refusal::kUnreachable;
}

PeerLinks::Opened PeerLinks::Open(Call& call, const Place& place, Millis timeout, Which which) {
  const std::string name = NameOf(place);
  if (which == Which::kAny) {
    if (auto link = TakeKept(call.dispatcher().context().index, name)) {
      link->kept = true;
      return {.link = std::move(link)};
    }
  }
  const Nanos until = Until(timeout);
  const std::string address = Resolve(call, std::string(place.host), until);
  if (address.empty()) return {.link = nullptr, .refusal = Refusal::kUnreachable};
  const auto port = ParseInt64(place.port);
  if (port && *port < 0) return {.link = nullptr, .refusal = Refusal::kUnreachable};
  if (!port || *port == 0 || *port > 65535) return {.link = nullptr, .refusal = Refusal::kRefused};
  const auto begun = net::BeginConnect(address, static_cast<int>(*port), "");
  if (!begun) {
    const bool refused = begun.error().code == ECONNREFUSED;
    return {.link = nullptr, .refusal = refused ? Refusal::kRefused : Refusal::kUnreachable};
  }
  std::unique_ptr<net::Transport> transport = std::make_unique<net::SocketTransport>(*begun);
  if (services_.settings.tls.cluster) transport = tls_.OverOurs(std::move(transport));
  auto link = std::make_unique<Link>(name, std::move(transport));
  const Refusal refusal = FinishConnecting(call, *link, until);
  if (refusal != Refusal::kNone) return {.link = nullptr, .refusal = refusal};
  return {.link = std::move(link)};
}

void PeerLinks::Keep(Call& call, std::unique_ptr<PeerLink> link) {
  std::unique_ptr<Link> ours(static_cast<Link*>(link.release()));  // nobody else makes any
  if (!ours->Quiet()) return;
  Kept& kept = kept_by_core_[static_cast<size_t>(call.dispatcher().context().index)];
  if (kept.size() >= kKeptMax) {
    const auto oldest = std::min_element(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
      return a.second->kept_since < b.second->kept_since;
    });
    Forget(kept, oldest);
  }
  ours->kept_since = SystemMonotonicNanos() / kNanosPerMilli;
  kept.emplace(ours->name(), std::move(ours));
  kept_.fetch_add(1, std::memory_order_relaxed);
}

void PeerLinks::Cron(int core) {
  Kept& kept = kept_by_core_[static_cast<size_t>(core)];
  const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
  for (auto each = kept.begin(); each != kept.end();) {
    const auto next = std::next(each);
    if (now - each->second->kept_since >= kKeptMillis) Forget(kept, each);
    each = next;
  }
}

}  // namespace cinnabar::server
