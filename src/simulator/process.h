// What runs on a node: see node.h. The serving side (sessions, snapshots) is in serving.cc, the following
// side (ReplicaLinkPort) in following.cc.
#pragma once

#include <deque>
#include <functional>

#include "simulator/node.h"

namespace cinnabar::simulator {

// Size: it is a whole server in small, and its state is what a server has.
class Process final : public NetworkUser, public replication::ReplicaLinkPort {
 public:
  explicit Process(Node& node);
  ~Process() override;

  void Begin();
  void BecomePrimary();
  void FollowNode(int primary);
  void Write(const std::vector<std::vector<std::string>>& commands);

  // NetworkUser
  void OnAccepted(ConnectionId connection, int peer) override;
  void OnConnected(ConnectionId connection) override;
  void OnBytes(ConnectionId connection, std::string_view bytes) override;
  void OnWritable(ConnectionId connection) override;
  void OnClosed(ConnectionId connection) override;

  // ReplicaLinkPort
  void Connect() override;
  void Send(std::string_view bytes) override;
  void Close(std::string_view reason) override;
  void Continue(const ReplicationId& id) override;
  void BeginLoad(const Payload& payload) override;
  void LoadBytes(std::string_view bytes) override { incoming_ += bytes; }
  void EndLoad() override;
  OldData AbortLoad() override;
  void Apply(std::string_view bytes) override;

 private:
  friend class Node;
  // A connection that somebody else has opened.
  struct Session {
    ConnectionId connection;
    int peer;
    std::string input;
    std::string output;
    std::string file;  // what is still to be sent of it, in kSendBulk
    replication::PrimaryLink link;
  };
  struct Snapshot {
    replication::Transfer transfer;
    std::string payload;
    size_t sent = 0;
  };

  void After(Millis delay, std::function<void()> event);
  Millis Jitter(Millis most) {
    return 1 + static_cast<Millis>(node_.random_.Uniform(static_cast<uint64_t>(most)));
  }
  Millis now() const { return node_.events_.now(); }
  void Trace(std::string_view what);
  void OnTick();

  // serving.cc
  void TickServing();
  void Serve(Session& session);
  void Execute(Session& session, std::span<const std::string_view> words);
  void Synchronise(Session& session, std::span<const std::string_view> words);
  void StartStream();
  void StopStreamIfUnused();
  void Flush(Session& session);
  void FlushAll();
  bool SendSome(Session& session);
  void EndSession(ConnectionId connection);
  void EndAllSessions();
  Session* SessionOf(const replication::PrimaryLink& link);
  void BeginSnapshotIfDue();
  void GrowPayload();
  void EndSnapshot();
  void Append(std::string_view bytes);
  void AppendAndApply(std::string_view bytes);
  void AnswerWrites();

  // following.cc
  void PassToLink(std::string_view bytes);
  void ApplySome();
  void FinishLoad();
  void NewHistory(std::optional<Position> grown_from);

  Node& node_;
  bool primary_ = false;
  bool quiet_ = false;
  std::optional<int> followed_;
  DataSet data_;
  bool data_valid_ = true;
  History history_;
  StreamOffset offset_ = 0;
  bool unstreamed_ = false;  // changes were made that are in no stream
  replication::Backlog backlog_;
  bool select_anew_ = true;

  replication::AckQuorum quorum_;
  replication::SnapshotSchedule schedule_;
  std::map<ConnectionId, std::unique_ptr<Session>> sessions_;
  std::optional<Snapshot> snapshot_;
  replication::StreamPings pings_;
  Millis unused_since_ = 0;
  std::deque<AnsweredWrite> unanswered_;
  StreamOffset ack_asked_at_ = 0;

  replication::ReplicaLink link_;
  ConnectionId upstream_ = 0;
  std::string upstream_input_;  // read while a payload was loaded
  StreamApplier applier_;
  bool applying_ = false;
  Payload payload_;
  std::string incoming_;
  uint64_t load_ = 0;  // counts loads, so that a given-up one does not end a later one
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace cinnabar::simulator
