#include "simulator/sentinel_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/ascii.h"
#include "base/numbers.h"
#include "protocol/encode_command.h"
#include "simulator/sentinel_checks.h"

namespace cinnabar::simulator {
namespace {

using sentinel::Sentinel;

constexpr Millis kTick = 100;
constexpr Millis kTickSpread = 20;
constexpr Millis kRestartDelay = 3000;
constexpr size_t kFilesKept = 8;

std::vector<std::string> Words(std::string_view line) {
  std::vector<std::string> words;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    if (end > 0) words.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

int64_t Between(Random& random, int64_t most) {
  return static_cast<int64_t>(random.Uniform(static_cast<uint64_t>(2 * most + 1))) - most;
}

}  // namespace

SentinelHost::SentinelHost(SentinelWorld& world, int number)
    : world_(world),
      number_(number),
      node_(world.SentinelNode(number)),
      clock_(world.events, Between(world.random, world.options.drift_per_million),
             world.Some(1'000'000'000)) {}

SentinelHost::~SentinelHost() = default;

// ---- its life ----

std::vector<std::string> SentinelHost::FirstLines() const {
  const SentinelOptions& options = world_.options;
  return {fmt::format("monitor {} {} {} {}", kPrimaryName, AddressOf(0), kServerPort, options.quorum),
          fmt::format("down-after-milliseconds {} {}", kPrimaryName, options.down_after),
          fmt::format("failover-timeout {} {}", kPrimaryName, options.failover_timeout),
          fmt::format("parallel-syncs {} {}", kPrimaryName, options.parallel_syncs)};
}

void SentinelHost::Start(size_t older) {
  if (machine_ != nullptr) return;
  if (files_.empty()) files_.push_back(FirstLines());
  for (; older > 0 && files_.size() > 1; --older) files_.pop_back();
  dying_ = false;
  last_step_ = sentinel::FailoverState::kNone;
  machine_ = std::make_unique<Sentinel>(Sentinel::Setup{
      .port = *this, .clock = clock_, .seed = world_.random.Next(), .listening_port = kSentinelPort});
  std::vector<Sentinel::Directive> lines;
  for (const std::string& line : files_.back()) lines.push_back({Words(line), lines.size()});
  if (const auto error = machine_->Load(lines)) {
    world_.watch.Broken(fmt::format("sentinel {} refuses its own line \"{}\": {}", number_,
                                    files_.back()[error->number], error->reason));
    machine_.reset();
    return;
  }
  const auto started = machine_->Start();
  if (!started || dying_) {
    // Whoever looks after it tries again.
    Trace("does not start");
    machine_.reset();
    return After(kRestartDelay, [this] { Start(); });
  }
  Trace("starts");
  world_.network.SetUser(node_, this);
  world_.checks.OnStarted(number_, *machine_);
  world_.checks.OnState(number_, *machine_, PrimaryAddress());
  After(world_.Some(kTick), [this] { Tick(); });
}

void SentinelHost::StopProcess() {
  ++life_;
  gate_.Reset();
  world_.network.Crash(node_);
  machine_.reset();
  outgoing_.clear();
  ids_.clear();
  sessions_.clear();
}

void SentinelHost::After(Millis delay, std::function<void()> event) {
  world_.events.After(delay, [this, life = life_, event = std::move(event)] {
    if (life == life_) gate_.Pass(event);
  });
}

void SentinelHost::Tick() {
  Call([](Sentinel& machine) { machine.OnTick(); });
  if (machine_ != nullptr) After(kTick - kTickSpread + world_.Some(2 * kTickSpread), [this] { Tick(); });
}

void SentinelHost::Call(const std::function<void(Sentinel&)>& work) {
  if (machine_ == nullptr) return;
  work(*machine_);
  if (!dying_) {
    world_.checks.OnState(number_, *machine_, PrimaryAddress());
    CrashAtStep();
  }
  if (!dying_) return;
  Trace("crashes");
  StopProcess();
  After(world_.Some(kRestartDelay), [this] { Start(); });
}

void SentinelHost::CrashAtStep() {
  const sentinel::FailoverState step =
      primary() == nullptr ? sentinel::FailoverState::kNone : primary()->failover_state;
  if (step == last_step_) return;
  last_step_ = step;
  if (world_.faulty && world_.options.crashes_at == step && !world_.random.OneIn(3)) dying_ = true;
}

// ---- what it says ----

const sentinel::Primary* SentinelHost::primary() const {
  return machine_ == nullptr ? nullptr : machine_->Find(kPrimaryName);
}

std::string SentinelHost::PrimaryAddress() const {
  return primary() == nullptr ? std::string() : machine_->CurrentAddress(*primary()).ip;
}

sentinel::Epoch SentinelHost::ConfigEpoch() const {
  return primary() == nullptr ? 0 : primary()->config_epoch;
}

bool SentinelHost::FailingOver() const {
  return primary() != nullptr && primary()->failing_over;
}

bool SentinelHost::Knows(int server) const {
  if (primary() == nullptr) return false;
  const std::string address = AddressOf(server);
  if (primary()->address.ip == address) return true;
  return std::ranges::any_of(primary()->replicas,
                             [&](const auto& entry) { return entry.second->address.ip == address; });
}

void SentinelHost::Trace(std::string_view what) const {
  if (!world_.watch.tracing()) return;
  world_.watch.Trace(fmt::format("{} sentinel {} {}", world_.now(), number_, what));
}

void SentinelHost::Announce(LogLevel level, std::string_view event, std::string_view text) {
  if (dying_) return;
  if (level >= LogLevel::kVerbose) Trace(fmt::format("{} {}", event, text));
  if (event == "+vote-for-leader") {
    const std::vector<std::string> words = Words(text);
    const auto epoch = words.size() == 2 ? ParseUInt64(words[1]) : std::nullopt;
    if (!epoch) return world_.watch.Broken("what is +vote-for-leader " + std::string(text) + "?");
    world_.checks.OnVote(number_, *epoch, words[0]);
  } else if (event == "+elected-leader") {
    world_.checks.OnElected(number_, machine_->options().id, primary()->failover_epoch);
  }
}

void SentinelHost::Log(LogLevel, std::string_view text) {
  if (!dying_) Trace(text);
}

Status SentinelHost::Save() {
  if (dying_) return {};
  const SentinelOptions& options = world_.options;
  const bool full = world_.now() < disk_full_until_;
  if (full ||
      (world_.faulty && options.save_fails_one_in != 0 && world_.random.OneIn(options.save_fails_one_in))) {
    return Fail("No space left on device", ENOSPC);
  }
  if (options.bug == SentinelBug::kSavesNothing && number_ == 0 && files_.size() > 1) return {};
  files_.push_back(machine_->Lines());
  if (files_.size() > kFilesKept) files_.pop_front();
  return {};
}

// ---- what people ask for ----

void SentinelHost::Failover() {
  Call([this](Sentinel& machine) {
    const auto done = machine.Failover(*machine.Find(kPrimaryName));
    Trace(done ? "is told to fail over" : "refuses to fail over: " + done.error().message);
    if (done) world_.checks.NoteForced(primary()->failover_epoch);
  });
}

void SentinelHost::Reset() {
  Trace("is reset");
  Call([](Sentinel& machine) { machine.Reset("*"); });
}

void SentinelHost::SimulateFailures(uint32_t bits) {
  Call([bits](Sentinel& machine) { machine.SimulateFailures(bits); });
}

// ---- connections that it opens ----

void SentinelHost::Connect(sentinel::ConnectionId connection, const sentinel::Address& address) {
  if (dying_) return;
  const auto node = NodeAt(address.ip);
  const bool known = node && *node != node_ &&
                     ((world_.IsServer(*node) && address.port == kServerPort) ||
                      (world_.IsSentinel(*node) && address.port == kSentinelPort));
  if (!known) {
    After(1, [this, connection] { Call([connection](Sentinel& machine) { machine.Closed(connection); }); });
    return;
  }
  const ConnectionId network = world_.network.Connect(node_, *node);
  outgoing_[connection].network = network;
  ids_[network] = connection;
}

void SentinelHost::Send(sentinel::ConnectionId connection, std::span<const std::string_view> words) {
  const auto it = outgoing_.find(connection);
  if (dying_ || it == outgoing_.end()) return;
  std::string bytes;
  if (words.size() == 3 && SameWord(words[0], "PUBLISH")) {
    std::string hello(words[2]);
    if (world_.options.bug == SentinelBug::kTellsOfEpochsToCome && number_ == 0) {
      auto fields = sentinel::ParseHello(hello);
      ++fields->config_epoch;
      hello = EncodeHello(*fields);
    }
    NoteTold(hello);
    bytes = Encoded({words[0], words[1], hello});
  } else {
    protocol::EncodeCommand(words, bytes);
  }
  world_.network.Send(it->second.network, node_, std::move(bytes));
}

// What is in a hello message is a promise.
void SentinelHost::NoteTold(std::string_view hello_text) const {
  const auto hello = sentinel::ParseHello(hello_text);
  if (!hello) return world_.watch.Broken("this is no hello message: " + std::string(hello_text));
  world_.checks.OnTold(
      number_, *hello,
      machine_->save_problem() ? SentinelChecks::File::kNotWritten : SentinelChecks::File::kWritten);
}

void SentinelHost::Close(sentinel::ConnectionId connection) {
  const auto it = outgoing_.find(connection);
  if (it == outgoing_.end()) return;
  world_.network.Close(it->second.network, node_);
  ids_.erase(it->second.network);
  outgoing_.erase(it);
}

void SentinelHost::OnConnected(ConnectionId connection) {
  gate_.Pass([this, connection] {
    const auto it = ids_.find(connection);
    if (it == ids_.end()) return;
    Call([&](Sentinel& machine) { machine.Connected(it->second, AddressOf(node_)); });
  });
}

void SentinelHost::OnClosed(ConnectionId connection) {
  gate_.Pass([this, connection] {
    sessions_.erase(connection);
    const auto it = ids_.find(connection);
    if (it == ids_.end()) return;
    const sentinel::ConnectionId id = it->second;
    ids_.erase(it);
    outgoing_.erase(id);
    Call([id](Sentinel& machine) { machine.Closed(id); });
  });
}

void SentinelHost::OnBytes(ConnectionId connection, std::string_view bytes) {
  gate_.Pass([this, connection, text = std::string(bytes)] { TakeBytes(connection, text); });
}

void SentinelHost::TakeBytes(ConnectionId connection, const std::string& bytes) {
  if (const auto it = ids_.find(connection); it != ids_.end()) {
    const sentinel::ConnectionId id = it->second;
    outgoing_[id].replies.Feed(bytes);
    return TakeReplies(id);
  }
  const auto session = sessions_.find(connection);
  if (session == sessions_.end()) return;
  session->second.Feed(bytes);
  std::vector<std::string> words;
  // A command may end the process.
  while (sessions_.contains(connection)) {
    const auto outcome = sessions_[connection].Next(words);
    if (outcome == RequestReader::Outcome::kDamaged) world_.watch.Broken("a sentinel hears no request");
    if (outcome != RequestReader::Outcome::kRequest) return;
    std::string reply = Execute(words);
    if (machine_ != nullptr) world_.network.Send(connection, node_, std::move(reply));
  }
}

void SentinelHost::TakeReplies(sentinel::ConnectionId id) {
  while (true) {
    // The machine may have closed it, or have ended.
    const auto it = outgoing_.find(id);
    if (it == outgoing_.end()) return;
    protocol::Reply reply;
    const auto outcome = it->second.replies.Next(reply);
    if (outcome == protocol::ReplyParser::Outcome::kDamaged) world_.watch.Broken("a sentinel hears no reply");
    if (outcome != protocol::ReplyParser::Outcome::kReply) return;
    Distort(reply);
    Call([&](Sentinel& machine) { machine.Received(id, reply); });
  }
}

void SentinelHost::Distort(protocol::Reply& reply) const {
  const bool about_primary = reply.IsArray(3) && reply.elements[0].kind == protocol::Reply::Kind::kInteger;
  if (world_.options.bug == SentinelBug::kHearsVotesNobodyGave && about_primary && FailingOver()) {
    reply.elements[1].text = machine_->options().id;
    reply.elements[2].integer = static_cast<int64_t>(primary()->failover_epoch);
  }
  const bool message = reply.IsArray(3) && reply.elements[0].text == "message";
  if (world_.options.bug == SentinelBug::kHearsNoHello && number_ == 0 && message)
    reply.elements[2].text = "";
}

// ---- connections of others ----

void SentinelHost::OnAccepted(ConnectionId connection, int) {
  gate_.Pass([this, connection] { sessions_[connection]; });
}

std::string SentinelHost::Execute(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  if (SameWord(words[0], "PING")) return "+PONG\r\n";
  if (SameWord(words[0], "AUTH") || SameWord(words[0], "CLIENT")) return std::string(kOkReply);
  if (SameWord(words[0], "PUBLISH") && words.size() == 3) {
    const bool deaf = world_.options.bug == SentinelBug::kHearsNoHello && number_ == 0;
    if (!deaf) Call([&](Sentinel& machine) { machine.TakeHello(words[2]); });
    return IntegerReply(1);
  }
  if (SameWord(words[0], "SENTINEL") && words.size() >= 3) return ExecuteSentinel(words);
  world_.watch.Broken("a sentinel is sent " + words[0]);
  return "-ERR what is that?\r\n";
}

std::string SentinelHost::ExecuteSentinel(const std::vector<std::string>& words) {
  if (SameWord(words[1], "GET-MASTER-ADDR-BY-NAME")) {
    const std::string address = PrimaryAddress();
    return BulkArrayReply({address, Int64ToString(kServerPort)});
  }
  if (SameWord(words[1], "IS-MASTER-DOWN-BY-ADDR") && words.size() == 6) return GiveOpinion(words);
  world_.watch.Broken("a sentinel is sent SENTINEL " + words[1]);
  return "-ERR what is that?\r\n";
}

std::string SentinelHost::GiveOpinion(const std::vector<std::string>& words) {
  const auto port = ParseInt64(words[3]);
  const auto epoch = ParseUInt64(words[4]);
  if (!port || !epoch) {
    world_.watch.Broken("a sentinel is asked nonsense");
    return "-ERR nonsense\r\n";
  }
  Sentinel::Opinion opinion;
  Call([&](Sentinel& machine) {
    opinion = machine.OpinionOf(words[2], static_cast<int>(*port), *epoch, words[5]);
  });
  if (machine_ == nullptr) return {};
  if (world_.options.bug == SentinelBug::kVotesForEverybody && words[5] != "*") {
    opinion.leader = words[5];
    opinion.leader_epoch = *epoch;
  }
  if (opinion.leader != "*") world_.checks.OnVote(number_, opinion.leader_epoch, opinion.leader);
  return ArrayHeader(3) + IntegerReply(opinion.down ? 1 : 0) + BulkReply(opinion.leader) +
         IntegerReply(static_cast<int64_t>(opinion.leader_epoch));
}

}  // namespace cinnabar::simulator
