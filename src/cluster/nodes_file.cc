#include "cluster/nodes_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <span>

#include "base/ascii.h"
#include "base/numbers.h"
#include "cluster/names.h"

namespace cinnabar::cluster {
namespace {

constexpr int kPortMax = 65535;
// How far the bus port is from the port in files that do not name it: those of Redis 3.
constexpr int kBusPortDistance = 10000;
// ID ADDRESS FLAGS PRIMARY PING PONG EPOCH LINK; the slots follow.
constexpr size_t kFixedWords = 8;

constexpr std::string_view kNobody = "-";
constexpr std::string_view kConnected = "connected";
constexpr std::string_view kDisconnected = "disconnected";
constexpr std::string_view kNoFlags = "noflags";
constexpr std::string_view kVariables = "vars";
constexpr std::string_view kCurrentEpoch = "currentEpoch";
constexpr std::string_view kLastVoteEpoch = "lastVoteEpoch";
constexpr std::string_view kTo = "->-";
constexpr std::string_view kFrom = "-<-";

struct FlagName {
  NodeFlag flag;
  std::string_view name;
};
// In the order in which they are written. The other flags are not.
constexpr FlagName kFlagNames[] = {
    {kMyselfFlag, "myself"},     {kPrimaryFlag, "master"},        {kReplicaFlag, "slave"},
    {kMaybeFailedFlag, "fail?"}, {kFailedFlag, "fail"},           {kHandshakeFlag, "handshake"},
    {kNoAddressFlag, "noaddr"},  {kNoFailoverFlag, "nofailover"},
};

// ---- writing

std::string AddressText(const NodeRecord& node, NodesForm form) {
  std::string text = fmt::format("{}:{}@{}", node.ip, node.port, node.bus_port);
  const bool has_name = form == NodesForm::kNew && !node.human_name.empty();
  const bool has_shard = form == NodesForm::kNew && !node.shard.empty();
  if (!node.hostname.empty() || has_name || has_shard) text += "," + node.hostname;
  if (has_name) text += ",nodename=" + node.human_name;
  if (has_shard) text += fmt::format(",shard-id={}", node.shard.text());
  return text;
}

// Both kinds, by slot.
void AppendMoves(const NodeRecord& node, std::string& text) {
  auto out = node.migrating.begin();
  auto in = node.importing.begin();
  while (out != node.migrating.end() || in != node.importing.end()) {
    const bool is_out =
        in == node.importing.end() || (out != node.migrating.end() && out->first <= in->first);
    const auto& [slot, id] = is_out ? *out++ : *in++;
    fmt::format_to(std::back_inserter(text), " [{}{}{}]", slot, is_out ? kTo : kFrom, id.text());
  }
}

// ---- reading

using Words = std::vector<std::string_view>;

// Without empty ones.
Words Split(std::string_view line) {
  Words words;
  while (true) {
    while (!line.empty() && IsSpace(line[0])) line.remove_prefix(1);
    if (line.empty()) return words;
    const size_t end = std::ranges::find_if(line, IsSpace) - line.begin();
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

// Up to `end`, which is taken too, or all.
std::string_view TakeUntil(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view piece = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return piece;
}

std::optional<int> ParseNumber(std::string_view text, int max) {
  const auto number = ParseUInt64(text);
  if (!number || *number > static_cast<uint64_t>(max)) return std::nullopt;
  return static_cast<int>(*number);
}

// IP:PORT[@BUSPORT]. An IPv6 address has colons of its own.
bool ParsePlace(std::string_view text, NodeRecord& node) {
  const size_t at = text.rfind('@');
  const std::string_view host_and_port = text.substr(0, at);
  const size_t colon = host_and_port.rfind(':');
  if (colon == std::string_view::npos || !IsAddress(host_and_port.substr(0, colon))) return false;
  const auto port = ParseNumber(host_and_port.substr(colon + 1), kPortMax);
  if (!port) return false;
  const auto bus_port = at == std::string_view::npos
                            ? std::optional(*port == 0 ? 0 : *port + kBusPortDistance)
                            : ParseNumber(text.substr(at + 1), kPortMax);
  if (!bus_port || *bus_port > kPortMax) return false;
  node.ip = host_and_port.substr(0, colon);
  node.port = *port;
  node.bus_port = *bus_port;
  return true;
}

bool ParseAttribute(std::string_view attribute, NodeRecord& node) {
  const std::string_view name = TakeUntil(attribute, '=');
  if (name == "nodename") {
    node.human_name = attribute;
    return IsHumanName(attribute);
  }
  if (name == "shard-id") {
    const auto shard = NodeId::Parse(attribute);
    node.shard = shard.value_or(NodeId{});
    return shard.has_value();
  }
  return true;
}

// IP:PORT@BUSPORT[,HOSTNAME][,NAME=VALUE…]
bool ParseAddress(std::string_view text, NodeRecord& node) {
  if (!ParsePlace(TakeUntil(text, ','), node)) return false;
  if (text.substr(0, text.find(',')).find('=') == std::string_view::npos)
    node.hostname = TakeUntil(text, ',');
  if (!IsHostname(node.hostname)) return false;
  while (!text.empty()) {
    if (!ParseAttribute(TakeUntil(text, ','), node)) return false;
  }
  return true;
}

std::optional<uint16_t> ParseFlags(std::string_view text) {
  if (text == kNoFlags) return 0;
  uint16_t flags = 0;
  while (!text.empty()) {
    const std::string_view name = TakeUntil(text, ',');
    const auto* known = std::ranges::find(kFlagNames, name, &FlagName::name);
    if (known == std::end(kFlagNames)) return std::nullopt;
    flags |= known->flag;
  }
  return flags;
}

std::optional<Millis> ParseTime(std::string_view text) {
  const auto time = ParseInt64(text);
  if (!time || *time < 0) return std::nullopt;
  return *time;
}

// FIRST or FIRST-LAST.
std::optional<SlotRange> ParseRange(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = ParseNumber(text.substr(0, dash), kSlots - 1);
  const auto last = dash == std::string_view::npos ? first : ParseNumber(text.substr(dash + 1), kSlots - 1);
  if (!first || !last || *last < *first) return std::nullopt;
  return SlotRange{*first, *last};
}

struct Move {
  int slot = 0;
  NodeId other;
  bool leaves = false;
};

// [SLOT->-ID] or [SLOT-<-ID]
std::optional<Move> ParseMove(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos || !text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  const auto slot = ParseNumber(text.substr(1, dash - 1), kSlots - 1);
  text = text.substr(dash, text.size() - dash - 1);
  if (!slot || !(text.starts_with(kTo) || text.starts_with(kFrom))) return std::nullopt;
  const auto other = NodeId::Parse(text.substr(kTo.size()));
  if (!other) return std::nullopt;
  return Move{.slot = *slot, .other = *other, .leaves = text.starts_with(kTo)};
}

class NodesParser {
 public:
  Status Take(std::string_view line) {
    const Words words = Split(line);
    if (words.empty()) return {};  // Redis of old leaves some behind a shorter text
    if (words[0] == kVariables) return TakeVariables(words);
    return TakeNode(words);
  }

  Result<ClusterRecord> Finish() {
    size_t selves = 0;
    for (const NodeRecord& node : cluster_.nodes) {
      selves += (node.flags & kMyselfFlag) != 0;
      if (!node.primary.empty() && !ids_.contains(node.primary))
        return Fail(
            fmt::format("node {} follows {}, which is not there", node.id.text(), node.primary.text()));
    }
    if (selves != 1) return Fail(fmt::format("{} nodes are \"myself\", not one", selves));
    return std::move(cluster_);
  }

 private:
  // vars NAME VALUE…; names that are not known are skipped.
  Status TakeVariables(const Words& words) {
    if (words.size() % 2 == 0) return Fail("a variable without a value");
    for (size_t i = 1; i < words.size(); i += 2) {
      if (words[i] != kCurrentEpoch && words[i] != kLastVoteEpoch) continue;
      const auto epoch = ParseUInt64(words[i + 1]);
      if (!epoch) return Fail(fmt::format("{} is no epoch", words[i + 1]));
      (words[i] == kCurrentEpoch ? cluster_.current_epoch : cluster_.last_vote_epoch) = *epoch;
    }
    return {};
  }

  Status TakeNode(const Words& words) {
    if (words.size() < kFixedWords) return Fail("too few words for a node");
    NodeRecord node;
    const auto id = NodeId::Parse(words[0]);
    if (!id) return Fail("a node id that is none");
    if (!ids_.insert(*id).second) return Fail("a node that was there already");
    node.id = *id;
    if (!ParseAddress(words[1], node)) return Fail("an address that is none");
    const auto flags = ParseFlags(words[2]);
    if (!flags) return Fail("a flag that is not known");
    node.flags = *flags;
    TRY_STATUS(TakeState(words, node));
    for (const std::string_view word : std::span(words).subspan(kFixedWords))
      TRY_STATUS(TakeSlots(word, node));
    std::ranges::sort(node.migrating);
    std::ranges::sort(node.importing);
    cluster_.nodes.push_back(std::move(node));
    return {};
  }

  static Status TakeState(const Words& words, NodeRecord& node) {
    if (words[3] != kNobody) {
      const auto primary = NodeId::Parse(words[3]);
      if (!primary) return Fail("a primary's id that is none");
      node.primary = *primary;
    }
    const auto ping = ParseTime(words[4]);
    const auto pong = ParseTime(words[5]);
    const auto epoch = ParseUInt64(words[6]);
    if (!ping || !pong || !epoch) return Fail("a time or an epoch that is none");
    node.ping_sent = *ping;
    node.pong_received = *pong;
    node.config_epoch = *epoch;
    if (words[7] != kConnected && words[7] != kDisconnected)
      return Fail("neither connected nor disconnected");
    node.connected = words[7] == kConnected;
    return {};
  }

  Status TakeSlots(std::string_view word, NodeRecord& node) {
    if (word.starts_with('[')) return TakeMove(word, node);
    const auto range = ParseRange(word);
    if (!range) return Fail(fmt::format("{} is no range of slots", word));
    for (int slot = range->first; slot <= range->last; ++slot) {
      if (owned_.Has(slot)) return Fail(fmt::format("slot {} has two owners", slot));
      owned_.Add(slot);
      node.slots.Add(slot);
    }
    return {};
  }

  Status TakeMove(std::string_view word, NodeRecord& node) {
    const auto move = ParseMove(word);
    if (!move) return Fail(fmt::format("{} is no slot on its way", word));
    if ((node.flags & kMyselfFlag) == 0) return Fail("slots on their way at another node");
    if (moving_.Has(move->slot)) return Fail(fmt::format("slot {} is on two ways", move->slot));
    moving_.Add(move->slot);
    (move->leaves ? node.migrating : node.importing).emplace_back(move->slot, move->other);
    return {};
  }

  ClusterRecord cluster_;
  std::set<NodeId> ids_;
  SlotSet owned_;
  SlotSet moving_;
};

}  // namespace

std::string FlagNames(uint16_t flags) {
  std::string text;
  for (const FlagName& known : kFlagNames) {
    if ((flags & known.flag) == 0) continue;
    if (!text.empty()) text += ',';
    text += known.name;
  }
  return text.empty() ? std::string(kNoFlags) : text;
}

std::string NodeLine(const NodeRecord& node, NodesForm form) {
  std::string text =
      fmt::format("{} {} {} {} {} {} {} {}", node.id.text(), AddressText(node, form), FlagNames(node.flags),
                  node.primary.empty() ? kNobody : node.primary.text(), node.ping_sent, node.pong_received,
                  node.config_epoch, node.connected ? kConnected : kDisconnected);
  for (const SlotRange& range : node.slots.Ranges()) {
    fmt::format_to(std::back_inserter(text), " {}", range.first);
    if (range.last != range.first) fmt::format_to(std::back_inserter(text), "-{}", range.last);
  }
  AppendMoves(node, text);
  return text;
}

std::string NodesText(const ClusterRecord& cluster, NodesForm form) {
  std::string text;
  for (const NodeRecord& node : cluster.nodes) text += NodeLine(node, form) + "\n";
  fmt::format_to(std::back_inserter(text), "{} {} {} {} {}\n", kVariables, kCurrentEpoch,
                 cluster.current_epoch, kLastVoteEpoch, cluster.last_vote_epoch);
  return text;
}

Result<ClusterRecord> ParseNodes(std::string_view text) {
  if (!text.empty() && !text.ends_with('\n')) return Fail("the last line is cut");
  NodesParser parser;
  for (int number = 1; !text.empty(); ++number) {
    if (const Status taken = parser.Take(TakeUntil(text, '\n')); !taken)
      return Fail(fmt::format("line {}: {}", number, taken.error().message));
  }
  return parser.Finish();
}

}  // namespace cinnabar::cluster
