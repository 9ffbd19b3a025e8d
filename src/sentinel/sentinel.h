// Sentinel: watches primaries and their replicas, agrees with other sentinels on who is dead, has one of them
// elected, and makes a replica the new primary. The front door of this folder.
//
// Sans-I/O: what happens comes in through the functions below, what is to be done goes out through
// SentinelPort. The protocol (which commands, hello messages, events) is that of Redis 7.0's Sentinel:
// https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/ and
// https://redis.io/docs/latest/develop/reference/sentinel-clients/; what these do not say was seen on the
// wire.
//
//   links.cc       connections, and what is sent over them periodically
//   replies.cc     what answers and messages mean
//   opinion.cc     who is down: subjectively, objectively; TILT
//   election.cc    votes, asked for and given
//   failover.cc    the steps from an elected leader to a new primary
//   directives.cc  the config file's lines, both ways
//   changes.cc     what SENTINEL MONITOR, SET, RESET … change
//   scripts.h      scripts that people want to have run
//
// What it must not forget (epochs, votes, the address of the primary) is saved before anything that depends
// on it leaves (DESIGN §15). While that fails it does not vote and begins no failover.
//
// Threads: one, the owner's. Time comes from the Clock.
//
// Size: one protocol machine. What happens to it, what it knows and what people may ask of it each is a
// list of small functions; the rest is spread over the files above.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "protocol/reply.h"
#include "sentinel/hello.h"
#include "sentinel/info_report.h"
#include "sentinel/instances.h"
#include "sentinel/port.h"
#include "sentinel/scripts.h"

namespace cinnabar::sentinel {

inline constexpr std::string_view kHelloChannel = "__sentinel__:hello";

// What SENTINEL DEBUG shows and changes. In milliseconds.
struct Timing {
  Millis info_period = 10'000;
  Millis ping_period = 1000;
  Millis ask_period = 1000;
  Millis publish_period = 2000;
  Millis default_down_after = 30'000;
  Millis default_failover_timeout = 180'000;
  Millis tilt_trigger = 2000;
  Millis tilt_period = 30'000;
  Millis replica_reconfiguration_timeout = 10'000;
  Millis min_link_reconnect_period = 15'000;
  Millis election_timeout = 10'000;
  Millis script_max_runtime = 60'000;
  Millis script_retry_delay = 30'000;
};

// Options of the sentinel as a whole.
struct Options {
  std::string id;  // 40 hexadecimal digits
  std::string announce_ip;
  int64_t announce_port = 0;  // 0: the port that it listens to
  bool resolve_hostnames = false;
  bool announce_hostnames = false;
  bool deny_scripts_reconfig = true;
  std::string sentinel_user;  // for connections to other sentinels
  std::string sentinel_password;
};

// Bits of SENTINEL SIMULATE-FAILURE.
enum SimulatedFailure : uint32_t {
  kCrashAfterElection = 1,
  kCrashAfterPromotion = 2,
};

class Sentinel {
 public:
  struct Setup {
    SentinelPort& port;
    const Clock& clock;
    uint64_t seed = 0;
    int64_t listening_port = 26379;
  };
  explicit Sentinel(const Setup& setup);
  ~Sentinel();
  Sentinel(const Sentinel&) = delete;
  Sentinel& operator=(const Sentinel&) = delete;

  // ---- the config file
  // A line "sentinel WORDS…", without the first word.
  struct Directive {
    std::vector<std::string> words;
    size_t number = 0;  // the caller's, to find it again
  };
  struct DirectiveError {
    size_t number;
    std::string reason;
  };
  // All lines of the file, in any order: a line about a primary may stand before the one that names it. The
  // first bad one is told. Call once, before Start.
  std::optional<DirectiveError> Load(std::span<const Directive> lines);
  // What the file has to hold: each without the word "sentinel".
  std::vector<std::string> Lines() const;
  // Makes an id if there is none, saves, and begins to watch. The error: the file cannot be written.
  Status Start();

  // ---- what happens
  // About ten times a second.
  void OnTick();
  // The connection is established; `local_ip` is the address of our end.
  void Connected(ConnectionId connection, std::string_view local_ip);
  // It was closed, or could not be made.
  void Closed(ConnectionId connection);
  // The next answer, or a message of a subscription.
  void Received(ConnectionId connection, const protocol::Reply& reply);
  // `exit_code`: none if a signal ended it, which is in `signal`.
  void ScriptEnded(uint64_t number, std::optional<int> exit_code, int signal);
  // PUBLISH of a client of ours on the hello channel.
  void TakeHello(std::string_view text);

  // ---- what is known; pointers are good until the next call of anything else
  const std::map<std::string, std::unique_ptr<Primary>>& primaries() const { return primaries_; }
  Primary* Find(std::string_view name);
  const Options& options() const { return options_; }
  Timing& timing() { return timing_; }
  Epoch current_epoch() const { return current_epoch_; }
  Millis now() const { return kLongAgo + clock_.MonotonicNanos() / kNanosPerMilli; }
  bool tilt() const { return tilt_; }
  Millis tilt_since() const { return tilt_since_; }
  const Scripts& scripts() const { return scripts_; }
  uint32_t simulated_failures() const { return simulated_failures_; }
  // Whether what must not be forgotten could be written at the last attempt; else why not.
  const std::optional<std::string>& save_problem() const { return save_problem_; }
  // As it is shown to others: the name, if names are announced, else the numeric address.
  std::string Shown(const Address& address) const;
  // Where the primary is now: from its promotion on, the replica that takes over.
  const Address& CurrentAddress(const Primary& primary) const;
  // The periods that apply to an instance.
  Millis PingPeriod(const Instance& instance) const;

  // ---- what people ask for (SENTINEL …). Errors are complete error replies without the "-".
  Status Monitor(const std::string& name, const std::string& host, int port, int64_t quorum);
  // False: there is no such primary.
  bool Remove(std::string_view name);
  // How many primaries match the pattern; each forgets its replicas, its peers and a running failover.
  size_t Reset(std::string_view pattern);
  // One option of SENTINEL SET, all of whose arguments are there.
  Status Set(Primary& primary, std::span<const std::string_view> words);
  // How many words an option of SENTINEL SET takes, itself included; 0: there is no such option.
  static size_t SetWords(std::string_view option);
  Status Failover(Primary& primary);
  struct QuorumCheck {
    size_t usable = 0;  // sentinels, with ourselves
    bool quorum = false;
    bool majority = false;
  };
  QuorumCheck CheckQuorum(const Primary& primary) const;
  // SENTINEL CONFIG SET. The names and values that it knows, in order:
  std::vector<std::pair<std::string, std::string>> OptionValues() const;
  Status SetOption(std::string_view name, std::string_view value);
  Status Flush() { return Save(); }
  void SimulateFailures(uint32_t bits) { simulated_failures_ = bits; }

  // SENTINEL IS-MASTER-DOWN-BY-ADDR. `candidate` is "*" when only the opinion is asked for.
  struct Opinion {
    bool down = false;
    std::string leader;  // "*": no vote
    Epoch leader_epoch = 0;
  };
  Opinion OpinionOf(std::string_view ip, int port, Epoch epoch, std::string_view candidate);

 private:
  // So far is 0 from any time: "never" is long ago.
  static constexpr Millis kLongAgo = 1'000'000'000'000;
  // Not all sentinels begin a failover at once: most elections have one candidate.
  static constexpr Millis kStartSpread = 300;
  static constexpr Millis kDesyncMax = 1000;

  // ---- links.cc
  std::shared_ptr<Link> NewLink() const;
  // Two peers that are one process use one link.
  void ShareLink(Peer& peer);
  // Closes what nobody else uses.
  void LeaveLink(Instance& instance);
  void DropLink(Instance& instance);
  void Close(Connection& connection);
  void OpenLink(Instance& instance);
  void OpenConnection(Instance& instance, Connection& connection);
  void Introduce(Instance& instance, Connection& connection);
  Instance* UserOf(const Link& link);
  size_t Users(const Link& link) const;
  bool Send(Instance& instance, Awaited what, std::initializer_list<std::string_view> words);
  void SendPeriodically(Instance& instance);
  void SendPing(Instance& instance);
  void SendInfo(Instance& instance);
  void SendHello(Instance& instance);
  // To everybody who has to do with it.
  void SendHellos(Primary& primary);
  Millis InfoPeriod(const Instance& instance) const;
  std::string_view Renamed(const Instance& instance, std::string_view command) const;
  // SLAVEOF in a transaction; null: NO ONE. False: it could not be sent.
  bool SendReplicaOf(Instance& instance, const Address* to);

  // ---- replies.cc
  void TakePong(Instance& instance, const protocol::Reply& reply);
  void TakeInfo(Instance& instance, std::string_view text);
  void NoteRunId(Instance& instance, const InfoReport& report);
  void NoteReplicas(Primary& primary, const InfoReport& report);
  void NoteRole(Instance& instance, Role role);
  void NoteReplicaFields(Replica& replica, const InfoReport& report);
  void ReplicaClaimsToBePrimary(Replica& replica);
  void ReplicaFollowsSomebody(Replica& replica);
  void TakeVote(Peer& peer, const protocol::Reply& reply);
  void NotePeer(Primary& primary, const Hello& hello);
  void MovePeer(const std::string& id, const Address& address);
  void ForgetPeer(const std::string& id);
  void NoteConfiguration(Primary& primary, const Hello& hello);
  void ResolveCollision(Primary& primary, const Hello& hello);

  // ---- opinion.cc
  void CheckTilt();
  void CheckDown(Instance& instance);
  void ReviewLink(Instance& instance);
  void CheckObjectivelyDown(Primary& primary);
  // Peers that say that it is down.
  static int64_t CountDown(const Primary& primary);
  bool LooksSane(const Primary& primary) const;
  bool WasUpFor(const Instance& instance, Millis period) const;

  // ---- election.cc
  enum class Ask : uint8_t { kIfDue, kNow };
  void AskPeers(Primary& primary, Ask ask);
  std::string Vote(Primary& primary, Epoch epoch, std::string_view candidate);
  std::optional<std::string> Leader(Primary& primary, Epoch epoch);
  bool AllHaveVoted(const Primary& primary, Epoch epoch) const;
  void RaiseEpoch(Epoch epoch);

  // ---- failover.cc
  void StartFailoverIfNeeded(Primary& primary);
  Status StartFailover(Primary& primary);
  void StepFailover(Primary& primary);
  void WaitStart(Primary& primary);
  void SelectReplica(Primary& primary);
  void AskReplicas(Primary& primary);
  bool AwaitsReplicas(const Primary& primary) const;
  Replica* BestReplica(Primary& primary);
  Millis LinkDownMax(const Primary& primary) const;
  std::string WhyNot(const Primary& primary, const Replica& replica) const;
  void SendReplicaOfNoOne(Primary& primary);
  void WaitPromotion(Primary& primary);
  void Promoted(Primary& primary, Replica& replica);
  void ReconfigureReplicas(Primary& primary);
  void FinishReconfiguration(Primary& primary);
  void SwitchToPromoted(Primary& primary);
  void AbortFailover(Primary& primary, std::string_view event);
  void SetState(Primary& primary, FailoverState state);
  void Record(Primary& primary, std::string note);

  // ---- sentinel.cc
  // Its connections, and what is sent periodically.
  void Attend(Instance& instance);
  // What is to be done about what is known.
  void Decide(Primary& primary);
  // A host name in the config file is meant, whatever resolve-hostnames says: it is looked up at least once.
  enum class Source : uint8_t { kMessage, kFile };
  std::optional<Address> MakeAddress(const std::string& host, int port,
                                     Source source = Source::kMessage) const;
  bool Names(const Address& address, const std::string& host, int port) const;
  std::string ReplicaName(const Address& address) const;
  Instance* FindInstance(InstanceId id);
  void Begin(Instance& instance, Kind kind, Primary& primary, const Address& address);
  Primary& AddPrimary(const std::string& name, const Address& address, int64_t quorum);
  // Null: there is one already.
  Replica* AddReplica(Primary& primary, const Address& address);
  Replica* FindReplica(Primary& primary, const std::string& host, int port);
  Peer* AddPeer(Primary& primary, const std::string& id, const Address& address);
  void RemoveReplicas(Primary& primary);
  void RemovePeers(Primary& primary);
  enum class Peers : uint8_t { kStay, kGo };
  void ResetPrimary(Primary& primary, Peers peers);
  void ChangeAddress(Primary& primary, const Address& address);
  std::string Described(const Instance& instance) const;
  void Event(LogLevel level, std::string_view event, const Instance& instance, std::string_view more = {});
  void EventText(LogLevel level, std::string_view event, const Primary& primary, const std::string& text);
  void CallReconfigurationScript(const Primary& primary, std::string_view role, const Address& from,
                                 const Address& to);
  Status Save();

  // ---- changes.cc
  void DropLinks(Primary& primary);
  Status SetScript(std::string_view option, std::string_view value, std::string& script);

  // ---- directives.cc: why a line is refused; empty: it is not
  std::string LoadOne(std::span<const std::string> words);
  std::string LoadGlobal(std::string_view option, std::span<const std::string> words);
  std::string LoadMonitor(std::span<const std::string> words);
  std::string LoadOfPrimary(Primary& primary, std::string_view option, std::span<const std::string> words);
  std::string LoadKnown(Primary& primary, std::string_view option, std::span<const std::string> words);
  void AppendLines(const Primary& primary, std::vector<std::string>& lines) const;

  SentinelPort& port_;
  const Clock& clock_;
  Random random_;
  const int64_t listening_port_;
  Options options_;
  Timing timing_;
  std::map<std::string, std::unique_ptr<Primary>> primaries_;
  Epoch current_epoch_ = 0;
  InstanceId last_instance_ = 0;
  ConnectionId last_connection_ = 0;
  bool started_ = false;
  bool tilt_ = false;
  Millis tilt_since_ = 0;
  Millis last_tick_ = 0;
  uint32_t simulated_failures_ = 0;
  std::optional<std::string> save_problem_;
  Millis save_tried_ = 0;
  Scripts scripts_;
  std::map<ConnectionId, std::weak_ptr<Link>> connections_;
};

}  // namespace cinnabar::sentinel
