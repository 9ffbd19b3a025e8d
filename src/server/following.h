// Following: the connection to our primary, and what it brings: a data set that replaces ours, then the
// stream, which is applied in order (DESIGN §12).
//
//   transport -> ReplicaLink -> payload -> temporary file, renamed -> DataLoader -> Replicas::BeginAt
//                            -> payload -> IncomingPayload -> DataLoader, while it comes -> Replicas::BeginAt
//                            -> stream  -> whole commands -> Dispatcher::Replay -> journal (AppendRaw), as
//                            they came
//
// Core 0's thread. Commands of the stream run for a session of their own, which CLIENT LIST shows as the
// primary's. A transaction is applied as a whole, under all its shards, and counts as applied only then:
// readers, sub-replicas and files see all of it or nothing.
//
// Size: it is the port of ReplicaLink, whose every call stands for a step of the protocol.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/services.h"
#include "net/transport.h"
#include "protocol/request_parser.h"
#include "replication/replica_link.h"
#include "server/core.h"
#include "server/data_files.h"
#include "server/incoming_payload.h"
#include "server/name_lookup.h"
#include "server/replicas.h"
#include "server/tls_contexts.h"

namespace cinnabar::server {

class Following final : public replication::ReplicaLinkPort, public ReadyHandler {
 public:
  // All must outlive this.
  Following(dispatch::Services& services, const Cores& cores, ServerDataFiles& files, Replicas& replicas,
            const TlsContexts& tls, uint64_t session_id);
  ~Following() override;

  // ---- the role; with the world stopped
  // Follows this primary. `position` is where our data set stands in the history that it shares with others.
  void Follow(const std::string& host, int64_t port, std::optional<replication::Position> position,
              replication::ReplicaLink::TakeOver take_over = replication::ReplicaLink::TakeOver::kNo);
  void Stop();
  bool active() const { return link_.state() != replication::ReplicaLink::State::kIdle; }
  // Where our data set stands, if it belongs to a history.
  const std::optional<replication::Position>& position() const { return link_.position(); }
  void SetStreamDatabase(int database) { session_->database = database; }
  int stream_database() const { return session_->database; }
  // Told when a primary has answered a demand to take over.
  void OnTakeOverAnswered(std::function<void(bool)> listener) { take_over_answered_ = std::move(listener); }
  // Told when link_is_up() has changed; inside the gate.
  void OnLinkChanged(std::function<void()> listener) { link_changed_ = std::move(listener); }

  // ---- any core, inside a batch
  bool link_is_up() const { return link_.online(); }
  // Null while there is no connection.
  dispatch::Session* session() { return transport_ != nullptr ? session_.get() : nullptr; }
  dispatch::PrimaryFacts Facts() const;
  // For how long the stream has been silent: our data may be as old. None: there never was one.
  std::optional<Millis> silence() const {
    if (link_.online()) return Now() - link_.last_heard();
    if (!heard_online_) return std::nullopt;
    return Now() - *heard_online_;
  }
  uint64_t error_replies() const { return error_replies_; }
  void ResetFigures() { error_replies_ = 0; }
  // Ends the connection, which is then made again. With the world stopped.
  void Disconnect();

  // ---- the server's own work; core 0, inside the gate
  // In every turn: applies what is left of the stream. True: there is more.
  bool Work();
  void Cron();

  // ReadyHandler:
  void OnReady() override;

  // replication::ReplicaLinkPort:
  void Connect() override;
  void Send(std::string_view bytes) override;
  void Close(std::string_view reason) override;
  void Continue(const replication::ReplicationId& id) override;
  void BeginLoad(const Payload& payload) override;
  void LoadBytes(std::string_view bytes) override;
  void EndLoad() override;
  OldData AbortLoad() override;
  void Apply(std::string_view bytes) override { stream_.append(bytes); }
  void TakeOverAnswered(bool accepted) override { take_over_answer_ = accepted; }

 private:
  struct PayloadPlan {
    bool at_once = false;  // no file: it is loaded while it comes
    bool apart = false;    // the old data set stays until the new one is complete
    bool serving = false;  // and may be read
  };
  static Millis Now() { return SystemMonotonicNanos() / kNanosPerMilli; }
  void ApplySettings();
  // Whatever the link has asked for inside a call of it, and could not be done there.
  void AfterLink();
  void TakeLookup();
  void ConnectTo(const std::string& numeric_host);
  void ConnectFailed(const std::string& reason);
  // Whether the connection is there, and its handshake done.
  bool FinishConnecting();
  void ConnectingFailed(const std::string& reason);
  // Asks the reactor for what the connection waits for.
  void Watch();
  void WriteSome();
  bool MayRead() const;
  void ReadSome();
  void Drop();
  std::string TemporaryPath() const;
  bool InstallsEarly() const;
  // The payload, as much of it as there is, becomes the data set.
  void Install();
  Status CloseFile();
  void Installed(ServerDataFiles::LoadEnd end);
  PayloadPlan PlanFor(const replication::Position& position) const;
  void ClosePayload();
  void ForgetPayload();
  void FailPayload(std::string reason, replication::ReplicaLink::Load result);

  // Forgets what was not passed on; the stream goes on with this database selected.
  void BeginStream(int database);
  bool ApplySome();
  bool ParseSome();
  void ApplyOne(const dispatch::Request& request);
  void TakeReplconf(std::span<const std::string_view> argv);
  void NoteError(std::span<const std::string_view> argv);
  void PassOn();
  void Compact();

  dispatch::Services& services_;
  const Cores& cores_;
  ServerDataFiles& files_;
  Replicas& replicas_;
  const TlsContexts& tls_;
  replication::ReplicaLink link_{*this};
  std::string host_;
  int64_t port_ = 0;
  std::function<void(bool)> take_over_answered_;
  std::function<void()> link_changed_;
  std::optional<bool> take_over_answer_;
  bool was_up_ = false;
  std::optional<Millis> heard_online_;  // the last time that something of a stream came
  bool cut_ = false;

  // The connection.
  std::unique_ptr<net::Transport> transport_;
  uint32_t watched_ = 0;  // events that the reactor was asked for
  bool connecting_ = false;
  bool arrived_ = false;  // the socket is connected; a handshake may be to come
  Millis connect_at_ = 0;
  uint64_t attempt_ = 0;  // of connecting: an answer for an older one is too late
  NameLookup lookup_;     // of this attempt
  std::string unsent_;
  std::string unread_;  // came while a payload was loaded

  // The payload.
  PayloadPlan plan_;
  std::shared_ptr<IncomingPayload> incoming_;
  int payload_fd_ = -1;
  std::string payload_path_;
  replication::Position payload_position_;
  Millis payload_began_ = 0;
  std::optional<std::string> payload_error_;
  bool payload_complete_ = false;
  bool installing_ = false;

  // The stream as it was handed over. Offsets within it; a prefix that was passed on stays until it is worth
  // moving the rest.
  std::unique_ptr<dispatch::Session> session_;
  std::string stream_;
  size_t passed_ = 0;        // on to the journal
  size_t whole_ = 0;         // applied, and not in the middle of a transaction
  size_t parsed_ = 0;        // whole commands end here
  int passed_database_ = 0;  // selected at passed_
  int whole_database_ = 0;   // and at whole_
  bool behind_ = false;      // more is there than one turn could apply
  protocol::RequestParser parser_;
  dispatch::Batch batch_;
  std::vector<size_t> ends_;  // parallel to the requests of the batch
  bool acknowledge_ = false;
  bool broken_ = false;  // the stream is no stream: the connection is dropped
  uint64_t error_replies_ = 0;
};

}  // namespace cinnabar::server
