// A machine on which a cluster node runs: its clocks, its disk, its bus, its replication (a Node), and the
// cluster machine above. It is what the server's own code is around src/cluster.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "simulator/cluster_bus.h"
#include "simulator/cluster_disk.h"
#include "simulator/cluster_server.h"
#include "simulator/cluster_world.h"
#include "simulator/sentinel_clock.h"

namespace cinnabar::simulator {

// Size: it implements the machine's port.
class ClusterHost final : public cluster::ClusterPort, public BusUser {
 public:
  ClusterHost(ClusterWorld& world, int number);
  ~ClusterHost() override;

  int number() const { return number_; }
  // Null: it does not run.
  const cluster::Cluster* machine() const { return machine_.get(); }
  // Its name now, or before it stopped.
  const cluster::NodeId& id() const { return id_; }
  Node& node() { return node_; }
  const Node& node() const { return node_; }
  ClusterServer& server() { return server_; }
  HostClock& clock() { return clock_; }
  Gate& gate() { return node_.gate(); }
  const ClusterBus& bus() const { return bus_; }
  // It runs and is not stopped.
  bool awake() const { return machine_ != nullptr && !node_.gate().closed(); }

  // Without effect if it runs.
  struct Return {
    bool without_disk = false;
    size_t older = 0;  // it starts from the file that was written so many times before
  };
  void Start(const Return& how);
  enum class Loss : uint8_t { kProcess, kPower };
  void Crash(Loss loss);
  void FillDisk(Millis until) { disk_full_until_ = until; }
  // What people ask this node for. The error: it refuses, or does not run.
  Status Ask(const std::function<Status(cluster::Cluster&)>& work);
  void Trace(std::string_view what) const;

  // BusUser
  LinkId LinkAccepted(const std::string& peer_ip) override;
  void LinkConnected(LinkId link) override;
  void LinkClosed(LinkId link) override;
  void PacketCame(LinkId link, int from, const std::string& packet) override;

  // ClusterPort
  void Connect(LinkId link, const std::string& ip, int bus_port) override;
  void Send(LinkId link, std::shared_ptr<const std::string> packet) override;
  void Close(LinkId link) override { bus_.Close(link); }
  SendBuffer SendBufferOf(LinkId /*link*/) const override { return {}; }
  LinkTotals TotalsOfLinks() const override { return {}; }
  Status Save(Durability durability) override;
  cluster::ReplicationView Replication() override;
  void Follow(const std::string& ip, int port) override;
  void FollowNobody() override;
  void PauseWrites(Millis period) override { server_.Pause(world_.now() + period); }
  void ResumeWrites() override { server_.Resume(); }
  size_t CountKeys(int slot) override { return server_.KeysIn(slot).size(); }
  bool Empty() override { return node_.data().entries().empty(); }
  void DropKeys(const cluster::SlotSet& slots) override { server_.DropKeys(slots); }
  void DropAllKeys() override { server_.DropAllKeys(); }
  void RoutingChanged() override {}
  void Deliver(bool, std::string_view, std::string_view) override {}
  void Log(LogLevel level, std::string_view text) override;

 private:
  // Calls the machine, if there is one, and looks at what has become of it.
  void Call(const std::function<void(cluster::Cluster&)>& work);
  void After(Millis delay, std::function<void()> event);
  void Tick();
  void Stop();
  void NoteLink();
  void NoteName();
  void Distort(LinkId link, cluster::Packet& packet) const;
  void VoteAnyway(LinkId link, const cluster::Packet& request);
  void SendPacket(LinkId link, const cluster::Packet& packet, std::string bytes);
  bool PlantedHere(ClusterBug bug) const { return world_.options.bug == bug && number_ == 0; }

  ClusterWorld& world_;
  const int number_;
  HostClock clock_;
  NodeOptions node_options_;
  Node node_;
  ClusterBus bus_;
  ClusterServer server_;
  ClusterDisk disk_;
  uint64_t life_ = 0;
  std::unique_ptr<cluster::Cluster> machine_;
  cluster::NodeId id_;
  Millis disk_full_until_ = 0;
  bool had_link_ = false;  // since it follows whom it follows
};

}  // namespace cinnabar::simulator
