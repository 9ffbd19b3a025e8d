// A few cluster nodes for tests of the machine alone: packets arrive at once and in order, time moves by
// hand. Larger worlds, with everything that can go wrong, are the simulator's.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/cluster.h"

namespace cinnabar::cluster {

class World;

// One node: its machine, and what it did to the world.
class Host final : public ClusterPort {
 public:
  Host(World& world, int number) : world_(world), number_(number) { Make(); }

  void Make();
  // The process ends and begins again with its file.
  void Restart();

  std::string ip() const { return "10.0.0." + std::to_string(number_ + 1); }
  Cluster& machine() { return *machine_; }
  std::string id() const { return machine_->myself().id.str(); }

  // ClusterPort:
  void Connect(LinkId link, const std::string& to, int bus_port) override;
  void Send(LinkId link, std::shared_ptr<const std::string> packet) override;
  void Close(LinkId link) override;
  SendBuffer SendBufferOf(LinkId /*link*/) const override { return {}; }
  LinkTotals TotalsOfLinks() const override { return link_totals; }
  Status Save(Durability durability) override {
    if (disk_full) return Fail("No space left on device");
    file = machine_->FileText();
    if (durability == Durability::kSynced) ++synced;
    return {};
  }
  ReplicationView Replication() override { return view; }
  void Follow(const std::string& to, int port) override { follows = to + ":" + std::to_string(port); }
  void FollowNobody() override { follows.clear(); }
  void PauseWrites(Millis) override { paused = true; }
  void ResumeWrites() override { paused = false; }
  size_t CountKeys(int slot) override { return keys.contains(slot) ? keys[slot] : 0; }
  bool Empty() override { return keys.empty(); }
  void DropKeys(const SlotSet& slots) override {
    slots.ForEach([&](int slot) { keys.erase(slot); });
  }
  void DropAllKeys() override { keys.clear(); }
  void RoutingChanged() override { ++routing_changes; }
  void Deliver(bool sharded, std::string_view channel, std::string_view message) override {
    delivered.push_back((sharded ? "s:" : "") + std::string(channel) + "=" + std::string(message));
  }
  void Log(LogLevel, std::string_view text) override { log.emplace_back(text); }

  bool Logged(std::string_view part) const {
    for (const std::string& line : log) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }

  bool alive = true;
  bool deaf = false;              // nobody whom it calls answers
  bool hears_no_answers = false;  // what comes on connections of its own is lost
  bool disk_full = false;
  std::string file;
  LinkTotals link_totals;
  int synced = 0;
  ReplicationView view{.link_up = true};
  std::string follows;
  bool paused = false;
  std::map<int, size_t> keys;
  int routing_changes = 0;
  std::vector<std::string> delivered;
  std::vector<std::string> log;

 private:
  friend class World;
  struct Wire {
    int to = 0;
    LinkId there = 0;
    bool own = false;
  };

  World& world_;
  int number_;
  int starts_ = 0;
  std::unique_ptr<Cluster> machine_;
  std::map<LinkId, Wire> wires_;
};

class World {
 public:
  explicit World(int nodes, Options more = {.node_timeout = 2000}) : options(more) {
    for (int number = 0; number < nodes; ++number) hosts.push_back(std::make_unique<Host>(*this, number));
  }

  Host& operator[](int number) { return *hosts[static_cast<size_t>(number)]; }

  void Run(Millis period) {
    for (const Millis end = clock.WallMillis() + period; clock.WallMillis() < end;) {
      clock.AdvanceMillis(100);
      for (const auto& host : hosts) {
        if (host->alive) host->machine().OnTick();
      }
      Deliver();
    }
  }
  // Until it holds; at most a minute.
  template <typename Condition>
  bool Until(Condition&& condition) {
    for (int tick = 0; tick < 600 && !condition(); ++tick) Run(100);
    return condition();
  }
  void Deliver() {
    while (!events.empty()) {
      auto event = std::move(events.front());
      events.pop_front();
      event();
    }
  }
  void Stop(int number) {
    Host& host = (*this)[number];
    host.alive = false;
    const auto wires = host.wires_;
    for (const auto& [link, wire] : wires) Cut(number, link);
  }
  // Both ends hear of it.
  void Cut(int number, LinkId link);

  // The first `primaries` nodes share the slots; each other one is a replica of one of them, in turn.
  void Create(int primaries) {
    for (int number = 0; number < primaries; ++number) {
      SlotSet slots;
      for (int slot = kSlots * number / primaries; slot < kSlots * (number + 1) / primaries; ++slot)
        slots.Add(slot);
      ASSERT_TRUE((*this)[number].machine().AddSlots(slots));
      ASSERT_TRUE((*this)[number].machine().SetConfigEpoch(static_cast<Epoch>(number) + 1));
    }
    for (size_t number = 1; number < hosts.size(); ++number)
      ASSERT_TRUE(hosts[0]->machine().Meet(hosts[number]->ip(), 6379, 16379));
    ASSERT_TRUE(Until([&] { return EverybodyKnows(hosts.size()); }));
    for (size_t number = static_cast<size_t>(primaries); number < hosts.size(); ++number) {
      const size_t primary = number % static_cast<size_t>(primaries);
      ASSERT_TRUE(hosts[number]->machine().Replicate(hosts[primary]->id()));
    }
    ASSERT_TRUE(Until([&] { return Settled(); }));
  }
  bool EverybodyKnows(size_t count) {
    for (const auto& host : hosts) {
      if (!host->alive) continue;
      size_t known = 0;
      for (const auto& [id, node] : host->machine().nodes()) known += !node->in_handshake();
      if (known != count) return false;
    }
    return true;
  }
  // All that live say that the cluster works, and who has each slot is the same for all.
  bool Settled() {
    const Cluster* first = nullptr;
    for (const auto& host : hosts) {
      if (!host->alive) continue;
      Cluster& machine = host->machine();
      if (!machine.healthy()) return false;
      if (first == nullptr) first = &machine;
      for (int slot = 0; slot < kSlots; ++slot) {
        if (machine.Owner(slot) == nullptr || machine.Owner(slot)->id != first->Owner(slot)->id) return false;
      }
    }
    return true;
  }

  Options options;
  ManualClock clock;
  std::deque<std::function<void()>> events;
  std::vector<std::unique_ptr<Host>> hosts;
};

inline void Host::Make() {
  Options options = world_.options;
  options.port = 6379;
  machine_ =
      std::make_unique<Cluster>(Cluster::Setup{.port = *this,
                                               .clock = world_.clock,
                                               .seed = static_cast<uint64_t>(number_ + 1 + 100 * starts_++),
                                               .options = options});
  if (!file.empty()) {
    EXPECT_TRUE(machine_->Load(file));
  }
  EXPECT_TRUE(machine_->Start());
  alive = true;
}

inline void Host::Restart() {
  world_.Stop(number_);
  world_.Deliver();
  Make();
  machine_->DataLoaded();
}

inline void Host::Connect(LinkId link, const std::string& to, int) {
  for (const auto& host : world_.hosts) {
    if (host->ip() != to || !host->alive || deaf) continue;
    const LinkId there = host->machine().NewLinkId();
    wires_[link] = {.to = host->number_, .there = there, .own = true};
    host->wires_[there] = {.to = number_, .there = link};
    host->machine().Accepted(there, ip());
    world_.events.emplace_back([this, link] {
      if (wires_.contains(link)) machine_->Connected(link);
    });
    return;
  }
  world_.events.emplace_back([this, link] {
    if (alive) machine_->Closed(link);
  });
}

inline void Host::Send(LinkId link, std::shared_ptr<const std::string> packet) {
  world_.events.emplace_back([this, link, packet] {
    const auto wire = wires_.find(link);
    if (wire == wires_.end()) return;
    Host& to = world_[wire->second.to];
    const auto end = to.wires_.find(wire->second.there);
    if (!to.alive || end == to.wires_.end() || (end->second.own && to.hears_no_answers)) return;
    to.machine().Received(end->first, *packet, to.ip());
  });
}

inline void Host::Close(LinkId link) {
  world_.events.emplace_back([this, link] { world_.Cut(number_, link); });
}

inline void World::Cut(int number, LinkId link) {
  Host& host = (*this)[number];
  const auto found = host.wires_.find(link);
  if (found == host.wires_.end()) return;
  const Host::Wire wire = found->second;
  host.wires_.erase(found);
  Host& other = (*this)[wire.to];
  other.wires_.erase(wire.there);
  if (host.alive) host.machine().Closed(link);
  if (other.alive) other.machine().Closed(wire.there);
}

}  // namespace cinnabar::cluster
