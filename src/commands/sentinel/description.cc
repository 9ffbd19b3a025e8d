#include "commands/sentinel/description.h"

#include <concepts>
#include <string>

#include "base/numbers.h"

namespace cinnabar::commands {
namespace {

using sentinel::Instance;
using sentinel::Kind;
using sentinel::Link;
using sentinel::Peer;
using sentinel::Primary;
using sentinel::Reconfiguration;
using sentinel::Replica;
using sentinel::Role;
using sentinel::Sentinel;

// The fields of one node, written one after the other and counted.
class Fields {
 public:
  Fields(const Sentinel& machine, protocol::ReplyWriter& reply) : machine_(machine), reply_(reply) {
    reply_.Begin(protocol::ReplyWriter::Aggregate::kMap);
  }
  ~Fields() { reply_.End(count_); }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  void Text(std::string_view name, std::string_view value) {
    reply_.Bulk(name);
    reply_.Bulk(value);
    ++count_;
  }
  void Number(std::string_view name, std::integral auto value) {
    Text(name, Int64ToString(static_cast<int64_t>(value)));
  }
  // How long ago; 0 if never.
  void Age(std::string_view name, Millis since) { Number(name, since == 0 ? 0 : machine_.now() - since); }

 private:
  const Sentinel& machine_;
  protocol::ReplyWriter& reply_;
  size_t count_ = 0;
};

std::string_view RoleName(Role role) {
  return role == Role::kPrimary ? "master" : "slave";
}

std::string_view ReconfigurationFlag(Reconfiguration how_far) {
  switch (how_far) {
    case Reconfiguration::kNone:
      return "";
    case Reconfiguration::kSent:
      return "reconf_sent";
    case Reconfiguration::kInProgress:
      return "reconf_inprog";
    case Reconfiguration::kDone:
      return "reconf_done";
  }
  return "";
}

void AddLink(const Instance& instance, Fields& fields) {
  const Link& link = *instance.link;
  fields.Number("link-pending-commands", link.expected.size());
  fields.Number("link-refcount", instance.link.use_count());
  if (instance.kind == Kind::kPrimary && instance.primary->failing_over)
    fields.Text("failover-state", StateName(instance.primary->failover_state));
  fields.Age("last-ping-sent", link.unanswered_since);
  fields.Age("last-ok-ping-reply", link.last_available);
  fields.Age("last-ping-reply", link.last_pong);
}

void AddRole(const Instance& instance, Fields& fields) {
  fields.Age("info-refresh", instance.info_at);
  fields.Text("role-reported", RoleName(instance.role));
  fields.Age("role-reported-time", instance.role_since);
}

void AddPrimary(const Primary& primary, Fields& fields) {
  fields.Number("config-epoch", primary.config_epoch);
  fields.Number("num-slaves", primary.replicas.size());
  fields.Number("num-other-sentinels", primary.peers.size());
  fields.Number("quorum", primary.quorum);
  fields.Number("failover-timeout", primary.failover_timeout);
  fields.Number("parallel-syncs", primary.parallel_syncs);
  if (!primary.notification_script.empty()) fields.Text("notification-script", primary.notification_script);
  if (!primary.reconfiguration_script.empty())
    fields.Text("client-reconfig-script", primary.reconfiguration_script);
}

void AddReplica(const Replica& replica, Fields& fields) {
  fields.Number("master-link-down-time", replica.link_down);
  fields.Text("master-link-status", replica.link_to_primary_is_up ? "ok" : "err");
  fields.Text("master-host", replica.followed_host.empty() ? "?" : std::string_view(replica.followed_host));
  fields.Number("master-port", replica.followed_port);
  fields.Number("slave-priority", replica.priority);
  fields.Number("slave-repl-offset", replica.replication_offset);
  fields.Number("replica-announced", replica.announced ? 1 : 0);
}

void AddPeer(const Peer& peer, Fields& fields) {
  fields.Age("last-hello-message", peer.last_hello);
  fields.Text("voted-leader", peer.leader.empty() ? "?" : std::string_view(peer.leader));
  fields.Number("voted-leader-epoch", peer.leader_epoch);
}

}  // namespace

std::string_view StateName(sentinel::FailoverState state) {
  using sentinel::FailoverState;
  switch (state) {
    case FailoverState::kNone:
      return "none";
    case FailoverState::kWaitStart:
      return "wait_start";
    case FailoverState::kSelectReplica:
      return "select_slave";
    case FailoverState::kSendReplicaOfNoOne:
      return "send_slaveof_noone";
    case FailoverState::kWaitPromotion:
      return "wait_promotion";
    case FailoverState::kReconfigureReplicas:
      return "reconf_slaves";
    case FailoverState::kUpdateConfig:
      return "update_config";
  }
  return "unknown";
}

std::string FlagsOf(const Instance& instance) {
  std::string flags;
  const auto add = [&flags](bool is, std::string_view name) {
    if (is) flags.append(flags.empty() ? "" : ",").append(name);
  };
  const auto* primary = dynamic_cast<const Primary*>(&instance);
  const auto* replica = dynamic_cast<const Replica*>(&instance);
  const auto* peer = dynamic_cast<const Peer*>(&instance);
  add(instance.down, "s_down");
  add(primary != nullptr && primary->objectively_down, "o_down");
  add(true, KindName(instance.kind));
  add(instance.disconnected(), "disconnected");
  add(peer != nullptr && peer->says_down, "master_down");
  add(primary != nullptr && primary->failing_over, "failover_in_progress");
  if (replica != nullptr) {
    add(replica->promoted, "promoted");
    add(replica->reconfiguration != Reconfiguration::kNone, ReconfigurationFlag(replica->reconfiguration));
  }
  add(primary != nullptr && primary->forced, "force_failover");
  add(instance.script_kill_sent, "script_kill_sent");
  add(instance.rebooted, "master_reboot");
  return flags;
}

void WriteDescription(const Sentinel& machine, const Instance& instance, protocol::ReplyWriter& reply) {
  Fields fields(machine, reply);
  fields.Text("name", instance.name);
  fields.Text("ip", machine.Shown(instance.address));
  fields.Number("port", instance.address.port);
  fields.Text("runid", instance.run_id);
  fields.Text("flags", FlagsOf(instance));
  AddLink(instance, fields);
  if (instance.down) fields.Age("s-down-time", instance.down_since);
  if (instance.kind == Kind::kPrimary && instance.primary->objectively_down)
    fields.Age("o-down-time", instance.primary->objectively_down_since);
  fields.Number("down-after-milliseconds", instance.primary->down_after);
  if (instance.kind != Kind::kPeer) AddRole(instance, fields);
  if (instance.kind == Kind::kPrimary) AddPrimary(*instance.primary, fields);
  if (instance.kind == Kind::kReplica) AddReplica(static_cast<const Replica&>(instance), fields);
  if (instance.kind == Kind::kPeer) AddPeer(static_cast<const Peer&>(instance), fields);
}

}  // namespace cinnabar::commands
