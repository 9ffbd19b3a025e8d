#include "server/server.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "commands/command_tables.h"
#include "os/cpus.h"
#include "os/process_title.h"
#include "server/cpu_lists.h"
#include "server/renamed_commands.h"
#include "server/supervision.h"

namespace cinnabar::server {
namespace {

// Connections taken from one listener per turn of the core.
constexpr int kAcceptsPerTurn = 128;

uint64_t RandomSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = static_cast<uint64_t>(SystemWallNanos());
  return seed;
}

// 40 hexadecimal digits.
std::string RandomId(Random& random) {
  std::string id;
  for (int i = 0; i < 5; ++i) id += fmt::format("{:08x}", static_cast<uint32_t>(random.Next()));
  return id;
}

const char* SignalName(int signal) {
  return signal == SIGINT ? "SIGINT" : "SIGTERM";
}

int CoreCount(const config::Settings& settings) {
  return settings.general.threads > 0 ? static_cast<int>(settings.general.threads) : os::UsableCpus();
}

}  // namespace

Server::Server(config::Config& config, Logger& log, ServerOptions options)
    : config_(config),
      settings_(config.settings()),
      log_(log),
      options_(std::move(options)),
      main_thread_memory_(meter_),
      registry_(commands::CommandTables()),
      keyspace_(std::make_unique<keyspace::Keyspace>(static_cast<int>(settings_.general.databases),
                                                     HashKey::OfProcess(), CoreCount(settings_))),
      slow_log_(settings_.observation.slowlog_log_slower_than_micros,
                static_cast<size_t>(settings_.observation.slowlog_max_len)),
      services_{.config = config_,
                .settings = settings_,
                .keyspace = *keyspace_,
                .journal = journal_,
                .registry = registry_,
                .clients = *this,
                .control = *this,
                .slow_log = slow_log_,
                .latency = latency_,
                .log = log_,
                .pause = pause_,
                .debug = debug_,
                .dispatchers = dispatchers_,
                .monitors = monitors_,
                .history = options_.history,
                .notifier = &keyspace_events_,
                .channels = &channels_},
      client_memory_(CoreCount(settings_)) {
  client_memory_.ApplyLimit(settings_);
  if (settings_.general.compat_version == config::CompatVersion::k70)
    journal_.SetSelectPlace(journal::SelectPlace::kBeforeMulti);
  CHECK(RenameCommands(config_, registry_).has_value());  // the program's start has tried it
  Random random(RandomSeed());
  run_id_ = RandomId(random);
  replication_id_ = RandomId(random);
  latency_.SetThreshold(settings_.observation.latency_monitor_threshold_millis);
  if (options_.journal_sink != nullptr) journal_.AddSink(*options_.journal_sink);
  worker_ = std::make_unique<Worker>(meter_);
  worker_->Defer([this, cpus = settings_.general.bio_cpulist] { BindThisThread(cpus, "bio-cpulist", log_); });
  files_ = std::make_unique<ServerDataFiles>(
      services_,
      ServerDataFiles::Listeners{
          .set_title = options_.set_title,
          .released = [this](uint64_t offset) { OnReleased(offset); },
          .while_loading = [this](Nanos passed) { defragmentation_->WhileLoading(passed); }},
      meter_);
  services_.files = files_.get();
  const int cores = CoreCount(settings_);
  defragmentation_ = std::make_unique<Defragmentation>(services_, cores);
  for (int i = 0; i < cores; ++i) {
    auto reactor = net::MakeEpollReactor();
    CHECK(reactor.has_value());
    cores_.push_back(
        std::make_unique<Core>(*this, services_, client_memory_, i, random.Next(), std::move(*reactor)));
    dispatchers_.push_back(&cores_.back()->dispatcher());
  }
  started_at_ = cores_[0]->dispatcher().core().now;
  guards_.resize(cores_.size());
  supervised_ = DetectSupervision(settings_.general.supervised);
  RegisterAppliers();
  RegisterProcessAppliers();
}

Server::~Server() {
  files_.reset();  // its log reports to the cores
  for (auto& listener : listeners_) CloseListener(*listener);
  worker_.reset();
}

int Server::Run() {
  Status registered = RegisterListeners();
  CHECK(registered.has_value());
  CHECK(cores_[0]->AddListener(signals_.fd(), &signals_).has_value());
  startup_memory_ = peak_memory_ = meter_.Used();
  if (const Status begun = files_->BeginLoading(); !begun) {
    log_.Warning("{}", begun.error().message);
    return 1;
  }
  UpdateTitle();
  // A score that cannot be set is no reason not to serve.
  [[maybe_unused]] const Status scored = ApplyOomScore(settings_);
  std::vector<std::thread> threads;
  for (size_t i = 1; i < cores_.size(); ++i) {
    threads.emplace_back([this, i] {
      os::ThreadMemory memory(meter_);
      RunCore(i);
    });
  }
  if (!files_->loading()) AnnounceReady();
  RunCore(0);
  for (std::thread& thread : threads) thread.join();
  return exit_code_;
}

void Server::AnnounceReady() {
  for (auto& listener : listeners_) {
    if (listener->unix_socket) {
      log_.Notice("The server is now ready to accept connections at {}", listener->address);
    }
  }
  if (settings_.network.port != 0) log_.Notice("Ready to accept connections tcp");
  ReportReady(supervised_, log_);
}

void Server::FailToLoad(const Error& error) {
  log_.Warning("{}", error.message);
  if (!settings_.persistence.appendonly) log_.Warning("Terminating server after rdb file reading failure.");
  exit_code_ = 1;
  Stop();
}

Millis Server::Work(int core) {
  if (core == 0 && files_->loading()) {
    const Result<bool> more = files_->Load();
    if (!more) {
      FailToLoad(more.error());
      return kNoWork;
    }
    if (*more) return 0;
    AnnounceReady();
  }
  return files_->child().running() ? kNoWork : defragmentation_->Work(core);
}

void Server::Stop() {
  stopping_.store(true);
  for (auto& core : cores_) core->Stop();
}

void Server::OnListenerReady(void* token) {
  if (token == &signals_) return OnSignal();
  for (auto& listener : listeners_) {
    if (listener.get() == token) return AcceptSome(*listener);
  }
}

void Server::OnSignal() {
  const int signal = signals_.Take();
  if (signal == 0) return;
  log_.Warning("Received {} scheduling shutdown...", SignalName(signal));
  asked_to_end_ = signal;
  // DEBUG PAUSE-CRON leaves time for SHUTDOWN ABORT.
  if (!debug_.pause_cron) EndAsAsked();
}

void Server::EndAsAsked() {
  const int signal = asked_to_end_.exchange(0);
  if (signal == 0) return;
  const config::ShutdownChoices& chosen =
      signal == SIGINT ? settings_.general.shutdown_on_sigint : settings_.general.shutdown_on_sigterm;
  Status status;
  dispatchers_[0]->WithWorldStopped([&] {
    status =
        Shutdown({.save = chosen.save, .nosave = chosen.nosave, .now = chosen.now, .force = chosen.force});
  });
  if (!status)
    log_.Warning("{} received but errors trying to shut down the server, check the logs for more information",
                 SignalName(signal));
}

bool Server::AbortShutdown() {
  if (asked_to_end_.exchange(0) == 0) return false;
  log_.Notice("Shutdown manually aborted.");
  return true;
}

Status Server::Shutdown(const dispatch::ShutdownRequest& request) {
  log_.Warning("User requested shutdown...");
  ReportStopping(supervised_);
  shutting_down_ = true;
  if (const Status prepared = files_->PrepareShutdown(request); !prepared) {
    shutting_down_ = false;
    return prepared;
  }
  for (auto& listener : listeners_) CloseListener(*listener);
  log_.Warning("Cinnabar is now ready to exit, bye bye...");
  Stop();
  return {};
}

void Server::AcceptSome(Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Result<net::Accepted> accepted = net::Accept(listener.fd);
    if (!accepted) {
      log_.Warning("Accepting client connection: {}", accepted.error().message);
      return;
    }
    if (accepted->fd < 0) return;
    if (RefuseConnection(*accepted)) continue;
    ++connections_received_;
    if (!accepted->unix_socket) {
      net::SetNoDelay(accepted->fd);
      net::SetKeepAlive(accepted->fd, static_cast<int>(settings_.network.tcp_keepalive_seconds));
    }
    // The first client after a quiet time: all cores look at their clocks again.
    if (Count() == 0) {
      for (auto& core : cores_) core->Post([] {});
    }
    Core* target = cores_[0].get();
    for (auto& core : cores_) {
      if (core->connection_count() < target->connection_count()) target = core.get();
    }
    if (target == cores_[0].get()) {
      target->Adopt(std::move(*accepted));
    } else {
      target->PostBetween([target, connection = std::move(*accepted)]() mutable {
        target->Adopt(std::move(connection));
        return Core::Handled::kYes;
      });
    }
  }
}

// True when the connection was turned away (and closed).
bool Server::RefuseConnection(const net::Accepted& accepted) {
  std::string_view refusal;
  if (Count() >= static_cast<size_t>(settings_.clients.maxclients)) {
    refusal = "-ERR max number of clients reached\r\n";
    ++connections_rejected_;
  } else if (settings_.network.protected_mode && settings_.security.requirepass.empty() &&
             !accepted.unix_socket && !accepted.loopback) {
    refusal =
        "-DENIED The server is running in protected mode because protected mode is enabled and no password "
        "is set "
        "for the default user. In this mode connections are only accepted from the loopback interface. To "
        "connect "
        "from other computers, do one of the following: 1) Send 'CONFIG SET protected-mode no' from the "
        "loopback "
        "interface, after making sure that the server is not reachable from the internet; use CONFIG REWRITE "
        "to "
        "make the change permanent. 2) Set protected-mode to no in the configuration file and restart. 3) "
        "Start the "
        "server with '--protected-mode no'. 4) Set a password for the default user.\r\n";
    ++connections_rejected_;
  }
  if (refusal.empty()) return false;
  const std::unique_ptr<net::Transport> transport = MakeTransport(accepted.fd);
  std::string text(refusal);
  const iovec part{text.data(), text.size()};
  [[maybe_unused]] const net::Transfer sent = transport->Write({&part, 1});
  return true;
}

std::unique_ptr<net::Transport> Server::MakeTransport(int fd) {
  if (options_.make_transport) return options_.make_transport(fd);
  return std::make_unique<net::SocketTransport>(fd);
}

// A client that another one closes listens no more at once, although its core is yet to hear of it.
void Server::OnReleased(uint64_t offset) {
  uint64_t now = services_.durability.released.load();
  while (now < offset && !services_.durability.released.compare_exchange_weak(now, offset)) {
  }
  for (auto& core : cores_) {
    if (core->holds_replies()) core->Post([target = core.get()] { target->FlushHeld(); });
  }
  // Who comes to wait after this reads what is on disk now (Dispatcher::Block).
  if (services_.durability.copy_waiters.fetch_add(0) == 0) return;
  for (auto& core : cores_) {
    core->Post([target = core.get()] { target->dispatcher().blocked().ServeCopyWaiters(); });
  }
}

void Server::OnLongCommandEnded() {
  for (auto& core : cores_) {
    core->PostBetween([target = core.get()] {
      target->ResumePostponed();
      return Core::Handled::kYes;
    });
  }
}

void Server::OnClosed(dispatch::Session& session) {
  if (session.subscribed()) channels_.UnsubscribeAll(*session.subscriber);
}

void Server::ForEach(const std::function<void(dispatch::Session&)>& visit) {
  std::vector<dispatch::Session*> sessions;
  for (auto& core : cores_) {
    core->RefreshFacts();
    core->ForEachConnection([&](Connection& connection) {
      if (!connection.doomed) sessions.push_back(&connection.session);
    });
  }
  std::sort(sessions.begin(), sessions.end(), [](auto* a, auto* b) { return a->id < b->id; });
  for (dispatch::Session* session : sessions) visit(*session);
}

dispatch::Session* Server::Find(uint64_t id) {
  for (auto& core : cores_) {
    if (Connection* connection = core->Find(id); connection != nullptr && !connection->doomed) {
      return &connection->session;
    }
  }
  return nullptr;
}

void Server::Close(dispatch::Session& session, const dispatch::Session* caller) {
  if (&session == caller) {
    session.closing = dispatch::Closing::kAfterReply;
    return;
  }
  Dismiss(session);
}

void Server::Dismiss(dispatch::Session& session) {
  OnClosed(session);
  // Its client hears of it before the caller has the reply.
  cores_[static_cast<size_t>(session.facts.core)]->Doom(session.id);
  Wake(session);
}

void Server::Wake(dispatch::Session& session) {
  Core* core = cores_[static_cast<size_t>(session.facts.core)].get();
  core->Post([core, id = session.id] { core->Attend(id); });
}

void Server::Resume(std::shared_ptr<dispatch::BlockedCall> call) {
  Core* core = cores_[static_cast<size_t>(call->core)].get();
  core->Post([core, call = std::move(call)] { core->Resume(*call); });
}

size_t Server::Count() const {
  size_t sum = 0;
  for (auto& core : cores_) sum += core->connection_count();
  return sum;
}

void Server::FeedMonitors(std::string line) {
  auto shared = std::make_shared<const std::string>(std::move(line));
  for (auto& core : cores_) {
    Core* target = core.get();
    target->PostBetween([target, shared] {
      bool busy = false;
      target->ForEachConnection([&](Connection& connection) {
        busy = busy || (connection.session.monitor && connection.in_turn());
      });
      if (busy) return Core::Handled::kLater;
      std::vector<uint64_t> fed;
      target->ForEachConnection([&](Connection& connection) {
        if (!connection.session.monitor) return;
        connection.session.output.Append(*shared);
        fed.push_back(connection.session.id);
      });
      for (uint64_t id : fed) target->Attend(id);
      return Core::Handled::kYes;
    });
  }
}

void Server::PauseChanged() {
  const bool paused = pause_.mode != dispatch::PauseMode::kNone;
  for (auto& core : cores_) {
    Core* target = core.get();
    target->dispatcher().SetPaused(paused);
    if (paused) continue;
    target->Post([target] {
      target->ResumePostponed();
      target->dispatcher().evictor().EvictSoon();
    });
  }
}

void Server::Defer(std::function<void()> work) {
  lazyfree_pending_.fetch_add(1, std::memory_order_relaxed);
  worker_->Defer([this, work = std::move(work)] {
    work();
    lazyfree_pending_.fetch_sub(1, std::memory_order_relaxed);
    lazyfreed_.fetch_add(1, std::memory_order_relaxed);
  });
}

void Server::ChangeReplicationId() {
  Random random(RandomSeed());
  replication_id_ = RandomId(random);
}

void Server::ResetStatistics() {
  for (dispatch::Dispatcher* dispatcher : dispatchers_) dispatcher->telemetry().Reset();
  connections_received_ = connections_rejected_ = 0;
  for (auto& core : cores_) core->ResetFigures();
  commands_rate_.Reset();
  input_rate_.Reset();
  output_rate_.Reset();
  turns_rate_.Reset();
  turn_micros_rate_.Reset();
  peak_memory_ = meter_.Used();
  lazyfreed_ = 0;
  client_memory_.ResetStatistics();
  defragmentation_->ResetFigures();
}

bool Server::Quiet() const {
  return Count() == 0 && settings_.testing.watchdog_period_millis == 0 &&
         pause_.mode == dispatch::PauseMode::kNone;
}

void Server::OnCron(int core) {
  guards_[static_cast<size_t>(core)]->watchdog.Kick();
  dispatch::Dispatcher& dispatcher = cores_[static_cast<size_t>(core)]->dispatcher();
  const bool loading = (services_.alarms.load(std::memory_order_relaxed) & dispatch::Alarm::kLoading) != 0;
  if (debug_.active_expire && !loading && pause_.mode == dispatch::PauseMode::kNone) {
    const Micros period = kMicrosPerSecond / std::max<int64_t>(settings_.general.hz, 1);
    dispatcher.expiry().Run(period * (20 + 5 * settings_.memory.active_expire_effort) / 100);
  }
  if (core == 0) ServerCron();
}

void Server::ServerCron() {
  const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
  uint64_t commands = 0, in = 0, out = 0, turns = 0;
  Ticks turn_ticks = 0;
  // Read while the other cores count: a figure may be a moment old, which a rate can bear.
  for (auto& core : cores_) {
    commands += core->dispatcher().telemetry().counters().commands.Get();
    in += core->figures().bytes_in.Get();
    out += core->figures().bytes_out.Get();
    turns += core->figures().turns.Get();
    turn_ticks += core->figures().turn_ticks.Get();
  }
  commands_rate_.Sample(now, commands);
  input_rate_.Sample(now, in);
  output_rate_.Sample(now, out);
  turns_rate_.Sample(now, turns);
  turn_micros_rate_.Sample(now, static_cast<uint64_t>(dispatchers_[0]->clock().ToMicros(turn_ticks)));
  peak_memory_ = std::max(peak_memory_, meter_.Used());
  if (!stopping_.load() && !debug_.pause_cron) EndAsAsked();
  if (!stopping_.load()) files_->Cron();
  defragmentation_->Cron(files_->child().running() ? Defragmentation::HeldUp::kYes
                                                   : Defragmentation::HeldUp::kNo);
  const Millis wall = dispatchers_[0]->core().now;
  if (pause_.mode != dispatch::PauseMode::kNone && wall >= pause_.until &&
      dispatchers_[0]->long_commands().WorldIsFree()) {
    dispatchers_[0]->WithWorldStopped([this] {
      pause_ = {};
      PauseChanged();
    });
  }
}

void Server::UpdateTitle() {
  if (!options_.set_title || !settings_.general.set_proc_title) return;
  os::TitleVariables variables{.title = options_.program,
                               .port = static_cast<int>(settings_.network.port),
                               .tls_port = static_cast<int>(settings_.tls.port),
                               .unixsocket = settings_.network.unixsocket,
                               .config_file = config_.path()};
  const auto& bind = settings_.network.bind;
  const std::string address = bind.empty() ? "*" : bind.front();
  variables.listen_addr = settings_.network.port != 0 ? fmt::format("{}:{}", address, settings_.network.port)
                                                      : settings_.network.unixsocket;
  if (auto title = os::ExpandTitleTemplate(settings_.general.proc_title_template, variables)) {
    options_.set_title(*title);
  }
}

}  // namespace cinnabar::server
