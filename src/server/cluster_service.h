// ClusterService: the machine of a cluster node (cluster/cluster.h) plugged into the world. The bus, the
// nodes file, replication, the keyspace, and what dispatch knows of the cluster (dispatch/routing.h).
//
//   Server::Run -> Start: the nodes file, the bus port          data set loaded -> DataLoaded
//   loop -> Work -> OnTick -> machine                           BusLinks -> Received ... -> machine
//   machine -> ClusterPort -> links, nodes file; the rest is done with the world stopped: at once when a
//              command has stopped it, else in the next turn of core 0 (`due_`), in order
//
// Nothing that a packet says may be believed before it is in effect, with one exception: a primary that is
// asked for a manual failover tells in its answer where its stream ends, so that writes must have stopped by
// then. Such a packet waits for the world itself.
//
// Core 0's thread, inside the gate. Commands may call the machine on other cores with the world stopped.
//
// Size: it implements the machine's port, and that of the commands.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cluster/cluster.h"
#include "cluster/port.h"
#include "config/config.h"
#include "dispatch/cluster_bus.h"
#include "dispatch/routing.h"
#include "dispatch/services.h"
#include "server/bus_links.h"
#include "server/core.h"
#include "server/data_files.h"
#include "server/nodes_store.h"
#include "server/replicas.h"
#include "server/replication_role.h"

namespace cinnabar::server {

class ClusterService final : public cluster::ClusterPort, public dispatch::ClusterBus, private BusUser {
 public:
  // All must outlive this.
  struct Parts {
    dispatch::Services& services;
    const Cores& cores;
    const TlsContexts& tls;
    ServerDataFiles& files;
    Replicas& replicas;
    Following& following;
    ReplicationRole& role;
  };
  ClusterService(const Parts& parts, uint64_t seed);
  ~ClusterService() override;

  cluster::Cluster& machine() { return machine_; }
  const BusLinks& links() const { return links_; }

  // Reads and locks the nodes file, opens the bus port, and takes the role that the file says. Before the
  // data set is loaded and the cores run. The error is the text for the log.
  Status Start();
  // The data set of the start is there: the node joins. Core 0, inside the gate, or before the cores run.
  void DataLoaded();
  // In every turn of core 0. Returns in how many milliseconds there is more to do.
  Millis Work();
  // The process ends: nobody is answered any more. With the world stopped.
  void StopListening() { links_.StopListening(); }
  // With the world stopped.
  void SettingsChanged();

  // dispatch::ClusterBus:
  void Publish(bool sharded, std::string_view channel, std::string_view message) override;

  // cluster::ClusterPort:
  void Connect(cluster::LinkId link, const std::string& ip, int bus_port) override;
  void Send(cluster::LinkId link, std::shared_ptr<const std::string> packet) override;
  void Close(cluster::LinkId link) override;
  SendBuffer SendBufferOf(cluster::LinkId link) const override { return links_.SendBufferOf(link); }
  LinkTotals TotalsOfLinks() const override {
    return {.memory = links_.memory(), .over_limit = links_.over_limit()};
  }
  Status Save(Durability durability) override;
  cluster::ReplicationView Replication() override;
  void Follow(const std::string& ip, int port) override;
  void FollowNobody() override;
  void PauseWrites(Millis period) override;
  void ResumeWrites() override;
  size_t CountKeys(int slot) override;
  bool Empty() override;
  void DropKeys(const cluster::SlotSet& slots) override;
  void DropAllKeys() override;
  void RoutingChanged() override;
  void Deliver(bool sharded, std::string_view channel, std::string_view message) override;
  void Log(LogLevel level, std::string_view text) override;

 private:
  // BusUser:
  cluster::LinkId LinkAccepted(std::string_view peer_ip) override;
  void LinkConnected(cluster::LinkId link) override;
  void LinkReceived(cluster::LinkId link, std::string_view packet, std::string_view local_ip) override;
  void LinkClosed(cluster::LinkId link) override;

  Millis Now() const { return clock_.MonotonicNanos() / kNanosPerMilli; }
  dispatch::Dispatcher& dispatcher() { return *parts_.services.dispatchers[0]; }
  bool world_is_ours() const;
  // Now, if the world is stopped, or as soon as it can be. The work must not call the machine.
  void WithWorld(std::function<void()> work);
  void DoDue();
  void DoAllDue();
  bool idle() const { return due_.empty() && waiting_.empty() && to_drop_.empty(); }
  void Publish(std::unique_ptr<dispatch::Routing> routing);

  const Parts parts_;
  SystemClock clock_;
  CoreLoop loop_;
  NodesStore store_;
  BusLinks links_;
  cluster::Cluster machine_;
  std::unique_ptr<const dispatch::Routing> routing_;
  bool loaded_ = false;  // the data set of the start
  Millis next_tick_ = 0;
  std::deque<std::function<void()>> due_;
  cluster::SlotSet to_drop_;  // in the next turn of core 0
  // Packets that wait for the world.
  struct WaitingPacket {
    cluster::LinkId link;
    std::string bytes;
    std::string local_ip;
  };
  std::deque<WaitingPacket> waiting_;
  // While a manual failover holds writes back: what CLIENT PAUSE had asked for.
  bool holds_writes_ = false;
  dispatch::PauseState pause_before_;
};

// What the settings say of this node.
cluster::Options ClusterOptions(const config::Settings& settings);
// The port of the bus.
int BusPort(const config::Settings& settings);
// What dispatch has to know of the cluster as the machine sees it now.
std::unique_ptr<dispatch::Routing> MakeRouting(const cluster::Cluster& machine,
                                               const config::Settings& settings);

}  // namespace cinnabar::server
