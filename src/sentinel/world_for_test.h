// A world for tests of the Sentinel machine alone: nothing answers by itself; tests see what was sent and
// decide what comes back.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "sentinel/sentinel.h"

namespace cinnabar::sentinel {

inline protocol::Reply Text(std::string text) {
  return {.kind = protocol::Reply::Kind::kSimple, .text = std::move(text)};
}

inline protocol::Reply ErrorText(std::string text) {
  return {.kind = protocol::Reply::Kind::kError, .text = std::move(text)};
}

inline protocol::Reply VoteAnswer(bool down, std::string leader, int64_t epoch) {
  protocol::Reply reply{.kind = protocol::Reply::Kind::kArray};
  reply.elements.push_back({.kind = protocol::Reply::Kind::kInteger, .integer = down ? 1 : 0});
  reply.elements.push_back({.kind = protocol::Reply::Kind::kBulk, .text = std::move(leader)});
  reply.elements.push_back({.kind = protocol::Reply::Kind::kInteger, .integer = epoch});
  return reply;
}

class World final : public SentinelPort {
 public:
  struct Open {
    Address address;
    bool connected = false;
    std::vector<std::string> sent;      // all commands, words joined by spaces
    std::vector<std::string> expected;  // of which an answer is expected, in order
  };

  explicit World(std::vector<std::string> lines = {"monitor m 10.0.0.1 6379 2",
                                                   "down-after-milliseconds m 5000",
                                                   "failover-timeout m 10000"}) {
    Make(std::move(lines));
  }

  void Make(std::vector<std::string> lines) {
    connections.clear();
    sentinel = std::make_unique<Sentinel>(
        Sentinel::Setup{.port = *this, .clock = clock, .seed = 7, .listening_port = 26379});
    std::vector<Sentinel::Directive> directives;
    for (const std::string& line : lines) {
      Sentinel::Directive directive{.number = directives.size()};
      std::string_view rest = line;
      while (!rest.empty()) {
        const size_t end = std::min(rest.find(' '), rest.size());
        directive.words.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      directives.push_back(std::move(directive));
    }
    load_error = sentinel->Load(directives);
  }
  // The process ends and begins again with what it had saved.
  void Restart() {
    Make(saved);
    ASSERT_TRUE(sentinel->Start().has_value());
  }

  // SentinelPort:
  void Connect(ConnectionId id, const Address& address) override { connections[id] = {.address = address}; }
  void Send(ConnectionId id, std::span<const std::string_view> words) override {
    ASSERT_TRUE(connections.contains(id) && connections[id].connected);
    std::string text;
    for (const std::string_view word : words) text.append(text.empty() ? "" : " ").append(word);
    connections[id].sent.push_back(text);
    connections[id].expected.push_back(text);
  }
  void Close(ConnectionId id) override { connections.erase(id); }
  std::optional<std::string> Resolve(const std::string& name) override {
    const auto found = names.find(name);
    if (found == names.end()) return std::nullopt;
    return found->second;
  }
  void Announce(LogLevel, std::string_view event, std::string_view text) override {
    events.push_back(std::string(event) + " " + std::string(text));
  }
  void Log(LogLevel, std::string_view text) override { log.emplace_back(text); }
  Status Save() override {
    if (disk_full) return Fail("No space left on device");
    saved = sentinel->Lines();
    ++saves;
    return {};
  }
  bool MayRun(const std::string& path) override { return path.starts_with("/bin/"); }
  Result<int64_t> StartScript(const ScriptCall& call) override {
    if (no_processes) return Fail("fork");
    std::string text = call.path;
    for (const std::string& argument : call.arguments) text += " " + argument;
    started.emplace_back(call.number, text);
    return static_cast<int64_t>(1000 + call.number);
  }
  void KillScript(uint64_t number) override { killed.push_back(number); }
  void Crash() override { crashed = true; }

  // ---- for tests
  void Tick(Millis millis = 100) {
    for (; millis > 0; millis -= 100) {
      clock.AdvanceMillis(std::min<Millis>(millis, 100));
      sentinel->OnTick();
    }
  }
  // All connections to this address, commands first.
  std::vector<ConnectionId> To(const std::string& host, int port = 6379) const {
    std::vector<ConnectionId> found;
    for (const auto& [id, open] : connections) {
      if (open.address.ip == host && open.address.port == port) found.push_back(id);
    }
    return found;
  }
  void Establish() {
    std::vector<ConnectionId> ids;
    for (const auto& [id, open] : connections) {
      if (!open.connected) ids.push_back(id);
    }
    for (const ConnectionId id : ids) {
      if (!connections.contains(id)) continue;
      connections[id].connected = true;
      sentinel->Connected(id, "10.0.9.9");
    }
  }
  // Answers everything that was asked there: PING with `pong`, INFO with `info`, the rest with +OK.
  void Answer(const std::string& host, int port, const std::string& info, const std::string& pong = "PONG") {
    for (const ConnectionId id : To(host, port)) {
      while (connections.contains(id) && !connections[id].expected.empty()) {
        const std::string asked = connections[id].expected.front();
        connections[id].expected.erase(connections[id].expected.begin());
        if (asked.starts_with("SENTINEL is-master-down")) {
          sentinel->Received(id, vote(asked));
        } else if (asked == "info") {
          sentinel->Received(id, {.kind = protocol::Reply::Kind::kBulk, .text = info});
        } else {
          sentinel->Received(id, Text(asked == "ping" ? pong : "OK"));
        }
      }
    }
  }
  void Drop(const std::string& host, int port) {
    for (const ConnectionId id : To(host, port)) {
      connections.erase(id);
      sentinel->Closed(id);
    }
  }
  bool Happened(std::string_view text) const {
    return std::ranges::any_of(events, [&](const std::string& event) { return event.contains(text); });
  }
  // How often commands that begin so were sent there.
  int Sent(const std::string& host, int port, std::string_view text) const {
    int count = 0;
    for (const ConnectionId id : To(host, port)) {
      for (const std::string& sent : connections.at(id).sent) count += sent.starts_with(text) ? 1 : 0;
    }
    return count;
  }
  Primary& primary() { return *sentinel->Find("m"); }

  ManualClock clock;
  std::map<ConnectionId, Open> connections;
  std::map<std::string, std::string> names;
  std::vector<std::string> events, log, saved;
  std::vector<std::pair<uint64_t, std::string>> started;
  std::vector<uint64_t> killed;
  std::function<protocol::Reply(const std::string&)> vote = [](const std::string&) {
    return VoteAnswer(false, "*", 0);
  };
  int saves = 0;
  bool disk_full = false, no_processes = false, crashed = false;
  std::optional<Sentinel::DirectiveError> load_error;
  std::unique_ptr<Sentinel> sentinel;
};

}  // namespace cinnabar::sentinel
