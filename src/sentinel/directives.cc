// The lines of the config file, both ways. A file that Redis's Sentinel has written is read, and the other
// way round.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/numbers.h"
#include "config/line.h"
#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {
namespace {

using Words = std::span<const std::string>;

constexpr size_t kIdBytes = 40;

enum class Stage : uint8_t { kGlobal, kMonitor, kOfPrimary };

struct Option {
  std::string_view name;
  size_t words_min;  // with the name
  size_t words_max;
  Stage stage;
};

constexpr std::array kOptions = {
    Option{"myid", 2, 2, Stage::kGlobal},
    Option{"current-epoch", 2, 2, Stage::kGlobal},
    Option{"announce-ip", 2, 2, Stage::kGlobal},
    Option{"announce-port", 2, 2, Stage::kGlobal},
    Option{"deny-scripts-reconfig", 2, 2, Stage::kGlobal},
    Option{"sentinel-user", 2, 2, Stage::kGlobal},
    Option{"sentinel-pass", 2, 2, Stage::kGlobal},
    Option{"resolve-hostnames", 2, 2, Stage::kGlobal},
    Option{"announce-hostnames", 2, 2, Stage::kGlobal},
    Option{"monitor", 5, 5, Stage::kMonitor},
    Option{"down-after-milliseconds", 3, 3, Stage::kOfPrimary},
    Option{"failover-timeout", 3, 3, Stage::kOfPrimary},
    Option{"parallel-syncs", 3, 3, Stage::kOfPrimary},
    Option{"notification-script", 3, 3, Stage::kOfPrimary},
    Option{"client-reconfig-script", 3, 3, Stage::kOfPrimary},
    Option{"auth-pass", 3, 3, Stage::kOfPrimary},
    Option{"auth-user", 3, 3, Stage::kOfPrimary},
    Option{"master-reboot-down-after-period", 3, 3, Stage::kOfPrimary},
    Option{"config-epoch", 3, 3, Stage::kOfPrimary},
    Option{"leader-epoch", 3, 3, Stage::kOfPrimary},
    Option{"rename-command", 4, 4, Stage::kOfPrimary},
    Option{"known-replica", 4, 4, Stage::kOfPrimary},
    Option{"known-slave", 4, 4, Stage::kOfPrimary},
    Option{"known-sentinel", 4, 5, Stage::kOfPrimary},
};

const Option* FindOption(Words words) {
  if (words.empty()) return nullptr;
  const auto found =
      std::ranges::find_if(kOptions, [&](const Option& option) { return SameWord(option.name, words[0]); });
  if (found == kOptions.end() || words.size() < found->words_min || words.size() > found->words_max)
    return nullptr;
  return found;
}

bool ParseYesNo(const std::string& text, bool& value) {
  if (!SameWord(text, "yes") && !SameWord(text, "no")) return false;
  value = SameWord(text, "yes");
  return true;
}

std::optional<int> ParsePort(const std::string& text) {
  const auto port = ParseInt64(text);
  if (!port || *port < 0 || *port > 65535) return std::nullopt;
  return static_cast<int>(*port);
}

std::string TakeTime(const std::string& text, Millis& time) {
  const auto parsed = ParseInt64(text);
  if (!parsed || *parsed <= 0) return "negative or zero time parameter.";
  time = *parsed;
  return {};
}

std::string TakeEpoch(const std::string& text, Epoch& epoch) {
  const auto parsed = ParseInt64(text);
  if (!parsed || *parsed < 0) return "Invalid epoch.";
  epoch = static_cast<Epoch>(*parsed);
  return {};
}

}  // namespace

std::optional<Sentinel::DirectiveError> Sentinel::Load(std::span<const Directive> lines) {
  for (const Stage stage : {Stage::kGlobal, Stage::kMonitor, Stage::kOfPrimary}) {
    for (const Directive& line : lines) {
      const Option* option = FindOption(line.words);
      if (option == nullptr)
        return DirectiveError{line.number, "Unrecognized sentinel configuration statement."};
      if (option->stage != stage) continue;
      if (std::string reason = LoadOne(line.words); !reason.empty())
        return DirectiveError{line.number, std::move(reason)};
    }
  }
  for (const auto& [name, primary] : primaries_)
    current_epoch_ = std::max({current_epoch_, primary->config_epoch, primary->leader_epoch});
  return std::nullopt;
}

std::string Sentinel::LoadOne(Words words) {
  const Option& option = *FindOption(words);
  switch (option.stage) {
    case Stage::kGlobal:
      return LoadGlobal(option.name, words);
    case Stage::kMonitor:
      return LoadMonitor(words);
    case Stage::kOfPrimary:
      break;
  }
  Primary* primary = Find(words[1]);
  if (primary == nullptr) return "No such master with specified name.";
  if (option.name.starts_with("known-")) return LoadKnown(*primary, option.name, words);
  return LoadOfPrimary(*primary, option.name, words);
}

std::string Sentinel::LoadGlobal(std::string_view option, Words words) {
  const std::string& value = words[1];
  const auto yes_no = [&](bool& place) {
    return ParseYesNo(value, place) ? std::string()
                                    : fmt::format("Please specify yes or no for the {} option.", option);
  };
  if (option == "myid") {
    if (value.size() != kIdBytes) return "Malformed Sentinel id in myid option.";
    options_.id = value;
  } else if (option == "current-epoch") {
    return TakeEpoch(value, current_epoch_);
  } else if (option == "announce-ip") {
    options_.announce_ip = value;
  } else if (option == "announce-port") {
    const auto port = ParsePort(value);
    if (!port) return "Invalid announce-port.";
    options_.announce_port = *port;
  } else if (option == "deny-scripts-reconfig") {
    return yes_no(options_.deny_scripts_reconfig);
  } else if (option == "resolve-hostnames") {
    return yes_no(options_.resolve_hostnames);
  } else if (option == "announce-hostnames") {
    return yes_no(options_.announce_hostnames);
  } else if (option == "sentinel-user") {
    options_.sentinel_user = value;
  } else {  // sentinel-pass
    options_.sentinel_password = value;
  }
  return {};
}

std::string Sentinel::LoadMonitor(Words words) {
  const auto quorum = ParseInt64(words[4]);
  if (!quorum || *quorum <= 0) return "Quorum must be 1 or greater.";
  const auto port = ParsePort(words[3]);
  if (!port) return "Invalid port number.";
  const auto address = MakeAddress(words[2], *port, Source::kFile);
  if (!address) return "Can't resolve instance hostname.";
  if (Find(words[1]) != nullptr) return "Duplicate master name.";
  AddPrimary(words[1], *address, *quorum);
  return {};
}

std::string Sentinel::LoadOfPrimary(Primary& primary, std::string_view option, Words words) {
  const std::string& value = words[2];
  if (option == "down-after-milliseconds") return TakeTime(value, primary.down_after);
  if (option == "failover-timeout") return TakeTime(value, primary.failover_timeout);
  if (option == "config-epoch") return TakeEpoch(value, primary.config_epoch);
  if (option == "leader-epoch") return TakeEpoch(value, primary.leader_epoch);
  if (option == "parallel-syncs") {
    const auto count = ParseInt64(value);
    if (!count || *count < 0) return "parallel-syncs must be 1 or greater.";
    primary.parallel_syncs = std::max<int64_t>(*count, 1);  // Redis takes 0, and never ends a failover
  } else if (option == "notification-script") {
    if (!port_.MayRun(value)) return "Notification script seems non existing or non executable.";
    primary.notification_script = value;
  } else if (option == "client-reconfig-script") {
    if (!port_.MayRun(value)) return "Client reconfiguration script seems non existing or non executable.";
    primary.reconfiguration_script = value;
  } else if (option == "auth-pass") {
    primary.auth_password = value;
  } else if (option == "auth-user") {
    primary.auth_user = value;
  } else if (option == "master-reboot-down-after-period") {
    const auto period = ParseInt64(value);
    if (!period || *period < 0) return "negative time parameter.";
    primary.reboot_down_after = *period;
  } else {  // rename-command
    if (!primary.renamed_commands.try_emplace(LowerCase(value), words[3]).second)
      return "Same command renamed multiple times with rename-command.";
  }
  return {};
}

std::string Sentinel::LoadKnown(Primary& primary, std::string_view option, Words words) {
  const auto port = ParsePort(words[3]);
  if (!port) return "Invalid port number.";
  const auto address = MakeAddress(words[2], *port, Source::kFile);
  if (option == "known-sentinel") {
    if (!address) return "Wrong hostname or port for sentinel.";
    // Without an id (files of old) it is found again by its hello messages.
    if (words.size() == 5 && AddPeer(primary, words[4], *address) == nullptr)
      return "Duplicate runid for sentinel.";
    return {};
  }
  if (!address) return "Wrong hostname or port for replica.";
  if (AddReplica(primary, *address) == nullptr) return "Duplicate hostname and port for replica.";
  return {};
}

// ---- writing ----

std::vector<std::string> Sentinel::Lines() const {
  std::vector<std::string> lines;
  const auto text = [&](std::string_view option, const std::string& value) {
    if (!value.empty()) lines.push_back(fmt::format("{} {}", option, config::QuoteArgumentIfNeeded(value)));
  };
  lines.push_back(fmt::format("myid {}", options_.id));
  if (!options_.deny_scripts_reconfig) lines.emplace_back("deny-scripts-reconfig no");
  if (options_.resolve_hostnames) lines.emplace_back("resolve-hostnames yes");
  if (options_.announce_hostnames) lines.emplace_back("announce-hostnames yes");
  for (const auto& [name, primary] : primaries_) AppendLines(*primary, lines);
  lines.push_back(fmt::format("current-epoch {}", current_epoch_));
  text("announce-ip", options_.announce_ip);
  if (options_.announce_port != 0) lines.push_back(fmt::format("announce-port {}", options_.announce_port));
  text("sentinel-user", options_.sentinel_user);
  text("sentinel-pass", options_.sentinel_password);
  return lines;
}

void Sentinel::AppendLines(const Primary& primary, std::vector<std::string>& lines) const {
  const std::string name = config::QuoteArgumentIfNeeded(primary.name);
  const auto number = [&](std::string_view option, int64_t value) {
    lines.push_back(fmt::format("{} {} {}", option, name, value));
  };
  const auto text = [&](std::string_view option, const std::string& value) {
    if (!value.empty())
      lines.push_back(fmt::format("{} {} {}", option, name, config::QuoteArgumentIfNeeded(value)));
  };
  const Address& current = CurrentAddress(primary);
  // A name that people wrote stays, unless it means nothing to us.
  const std::string& host = options_.resolve_hostnames ? Shown(current) : current.name;
  lines.push_back(fmt::format("monitor {} {} {} {}", name, host, current.port, primary.quorum));
  if (primary.down_after != Timing().default_down_after)
    number("down-after-milliseconds", primary.down_after);
  if (primary.failover_timeout != Timing().default_failover_timeout)
    number("failover-timeout", primary.failover_timeout);
  if (primary.parallel_syncs != 1) number("parallel-syncs", primary.parallel_syncs);
  text("notification-script", primary.notification_script);
  text("client-reconfig-script", primary.reconfiguration_script);
  text("auth-pass", primary.auth_password);
  text("auth-user", primary.auth_user);
  if (primary.reboot_down_after != 0) number("master-reboot-down-after-period", primary.reboot_down_after);
  number("config-epoch", static_cast<int64_t>(primary.config_epoch));
  number("leader-epoch", static_cast<int64_t>(primary.leader_epoch));
  for (const auto& [original, renamed] : primary.renamed_commands) {
    lines.push_back(fmt::format("rename-command {} {} {}", name, config::QuoteArgumentIfNeeded(original),
                                config::QuoteArgumentIfNeeded(renamed)));
  }
  for (const auto& [replica_name, replica] : primary.replicas) {
    // In the middle of a failover the old primary is a replica of the promoted one.
    const Address& address = replica->address == current ? primary.address : replica->address;
    lines.push_back(fmt::format("known-replica {} {} {}", name, Shown(address), address.port));
  }
  for (const auto& [id, peer] : primary.peers) {
    lines.push_back(
        fmt::format("known-sentinel {} {} {} {}", name, Shown(peer->address), peer->address.port, id));
  }
}

}  // namespace cinnabar::sentinel
