// What people change at run time: SENTINEL MONITOR, REMOVE, RESET, SET, CONFIG SET.
#include <fmt/format.h>

#include <array>

#include "base/ascii.h"
#include "base/glob.h"
#include "base/numbers.h"
#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {
namespace {

struct SetOptionName {
  std::string_view name;
  size_t words;  // with the name
};

constexpr std::array kSetOptions = {
    SetOptionName{"down-after-milliseconds", 2},
    SetOptionName{"failover-timeout", 2},
    SetOptionName{"parallel-syncs", 2},
    SetOptionName{"notification-script", 2},
    SetOptionName{"client-reconfig-script", 2},
    SetOptionName{"auth-pass", 2},
    SetOptionName{"auth-user", 2},
    SetOptionName{"quorum", 2},
    SetOptionName{"rename-command", 3},
    SetOptionName{"master-reboot-down-after-period", 2},
};

constexpr std::string_view kScriptsDenied =
    "ERR Reconfiguration of scripts path is denied for security reasons. Check the deny-scripts-reconfig "
    "configuration directive in your Sentinel configuration";

// The number behind an option, if it is at least `min`.
bool TakeNumber(std::string_view text, int64_t min, int64_t& number) {
  const auto parsed = ParseInt64(text);
  if (!parsed || *parsed < min) return false;
  number = *parsed;
  return true;
}

bool TakeYesOrNo(std::string_view text, bool& value) {
  if (!SameWord(text, "yes") && !SameWord(text, "no")) return false;
  value = SameWord(text, "yes");
  return true;
}

std::string_view YesOrNo(bool value) {
  return value ? "yes" : "no";
}

}  // namespace

Status Sentinel::Monitor(const std::string& name, const std::string& host, int port, int64_t quorum) {
  const auto address = MakeAddress(host, port);
  if (!address) return Fail("ERR Invalid IP address or hostname specified");
  if (primaries_.contains(name)) return Fail("ERR Duplicate master name.");
  const Primary& primary = AddPrimary(name, *address, quorum);
  Event(LogLevel::kWarning, "+monitor", primary, fmt::format("quorum {}", quorum));
  return Save();
}

bool Sentinel::Remove(std::string_view name) {
  const auto found = primaries_.find(std::string(name));
  if (found == primaries_.end()) return false;
  Primary& primary = *found->second;
  Event(LogLevel::kWarning, "-monitor", primary);
  RemoveReplicas(primary);
  RemovePeers(primary);
  DropLink(primary);
  primaries_.erase(found);
  (void)Save();
  return true;
}

size_t Sentinel::Reset(std::string_view pattern) {
  size_t count = 0;
  for (const auto& [name, primary] : primaries_) {
    if (!GlobMatch(pattern, name)) continue;
    ResetPrimary(*primary, Peers::kGo);
    Event(LogLevel::kWarning, "+reset-master", *primary);
    ++count;
  }
  if (count > 0) (void)Save();
  return count;
}

size_t Sentinel::SetWords(std::string_view option) {
  for (const SetOptionName& known : kSetOptions) {
    if (SameWord(option, known.name)) return known.words;
  }
  return 0;
}

void Sentinel::DropLinks(Primary& primary) {
  DropLink(primary);
  for (const auto& [name, replica] : primary.replicas) DropLink(*replica);
}

Status Sentinel::SetScript(std::string_view option, std::string_view value, std::string& script) {
  if (options_.deny_scripts_reconfig) return Fail(std::string(kScriptsDenied));
  if (!value.empty() && !port_.MayRun(std::string(value))) {
    return Fail(fmt::format("ERR {} script seems non existing or non executable",
                            option == "notification-script" ? "Notification" : "Client reconfiguration"));
  }
  script = value;
  return {};
}

Status Sentinel::Set(Primary& primary, std::span<const std::string_view> words) {
  const std::string option = LowerCase(words[0]);
  const std::string_view value = words[1];
  const auto bad = [&](std::string_view argument) {
    return Fail(fmt::format("ERR Invalid argument '{}' for SENTINEL SET '{}'", argument, words[0]));
  };
  std::string shown(value);
  if (option == "down-after-milliseconds") {
    if (!TakeNumber(value, 1, primary.down_after)) return bad(value);
  } else if (option == "failover-timeout") {
    if (!TakeNumber(value, 1, primary.failover_timeout)) return bad(value);
  } else if (option == "parallel-syncs") {
    if (!TakeNumber(value, 1, primary.parallel_syncs)) return bad(value);
  } else if (option == "quorum") {
    if (!TakeNumber(value, 1, primary.quorum)) return bad(value);
  } else if (option == "master-reboot-down-after-period") {
    if (!TakeNumber(value, 0, primary.reboot_down_after)) return bad(value);
  } else if (option == "notification-script") {
    TRY_STATUS(SetScript(option, value, primary.notification_script));
  } else if (option == "client-reconfig-script") {
    TRY_STATUS(SetScript(option, value, primary.reconfiguration_script));
  } else if (option == "auth-pass" || option == "auth-user") {
    (option == "auth-pass" ? primary.auth_password : primary.auth_user) = value;
    if (option == "auth-pass") shown = "******";
    DropLinks(primary);
  } else {  // rename-command
    if (value.empty()) return bad(value);
    if (words[2].empty()) return bad(words[2]);
    const std::string original = LowerCase(value);
    primary.renamed_commands.erase(original);
    if (!SameWord(value, words[2])) primary.renamed_commands[original] = words[2];
    shown += fmt::format(" {}", words[2]);
  }
  Event(LogLevel::kWarning, "+set", primary, fmt::format("{} {}", words[0], shown));
  return {};
}

Sentinel::QuorumCheck Sentinel::CheckQuorum(const Primary& primary) const {
  QuorumCheck check{.usable = 1};
  for (const auto& [id, peer] : primary.peers) check.usable += peer->down ? 0 : 1;
  check.quorum = static_cast<int64_t>(check.usable) >= primary.quorum;
  check.majority = check.usable >= (primary.peers.size() + 1) / 2 + 1;
  return check;
}

// ---- SENTINEL CONFIG ----

std::vector<std::pair<std::string, std::string>> Sentinel::OptionValues() const {
  return {{"resolve-hostnames", std::string(YesOrNo(options_.resolve_hostnames))},
          {"announce-hostnames", std::string(YesOrNo(options_.announce_hostnames))},
          {"announce-ip", options_.announce_ip},
          {"announce-port", std::to_string(options_.announce_port)},
          {"sentinel-user", options_.sentinel_user},
          {"sentinel-pass", options_.sentinel_password}};
}

Status Sentinel::SetOption(std::string_view name, std::string_view value) {
  const auto bad = [&] {
    return Fail(fmt::format("ERR Invalid value '{}' to SENTINEL CONFIG SET '{}'", value, name));
  };
  if (SameWord(name, "resolve-hostnames")) {
    if (!TakeYesOrNo(value, options_.resolve_hostnames)) return bad();
  } else if (SameWord(name, "announce-hostnames")) {
    if (!TakeYesOrNo(value, options_.announce_hostnames)) return bad();
  } else if (SameWord(name, "announce-ip")) {
    options_.announce_ip = value;
  } else if (SameWord(name, "announce-port")) {
    int64_t port = 0;
    if (!TakeNumber(value, 0, port) || port > 65535) return bad();
    options_.announce_port = port;
  } else if (SameWord(name, "sentinel-user") || SameWord(name, "sentinel-pass")) {
    (SameWord(name, "sentinel-user") ? options_.sentinel_user : options_.sentinel_password) = value;
    for (const auto& [primary_name, primary] : primaries_) {
      for (const auto& [id, peer] : primary->peers) DropLink(*peer);
    }
  } else {
    return Fail(fmt::format("ERR Invalid argument '{}' to SENTINEL CONFIG SET", name));
  }
  return Save();
}

}  // namespace cinnabar::sentinel
