#include "server/server.h"

#include "scripting/scripting.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <utility>

#include "base/random.h"
#include "commands/command_tables.h"
#include "os/cpus.h"
#include "os/process_title.h"
#include "server/cpu_lists.h"
#include "server/renamed_commands.h"
#include "server/sentinel_lines.h"
#include "server/supervision.h"
#include "server/users.h"

namespace cinnabar::server {
namespace {

uint64_t RandomSeed() {
  uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = static_cast<uint64_t>(SystemWallNanos());
  return seed;
}

int CoreCount(const config::Settings& settings) {
  return settings.general.threads > 0 ? static_cast<int>(settings.general.threads) : os::UsableCpus();
}

keyspace::Layout LayoutFor(const config::Settings& settings, const ServerOptions& options) {
  return settings.cluster.enabled && !options.sentinel ? keyspace::Layout::kBySlot
                                                       : keyspace::Layout::kByHash;
}

}  // namespace

Server::Shared::Shared(const config::Settings& settings)
    : slow_log(settings.observation.slowlog_log_slower_than_micros,
               static_cast<size_t>(settings.observation.slowlog_max_len)) {
  latency.SetThreshold(settings.observation.latency_monitor_threshold_millis);
}

Server::Server(config::Config& config, Logger& log, ServerOptions options)
    : config_(config),
      settings_(config.settings()),
      log_(log),
      options_(std::move(options)),
      identity_{.executable = options_.executable,
                .version = options_.version,
                .run_id = MakeRunId(),
                .supervised = DetectSupervision(settings_.general.supervised)},
      registry_(commands::CommandTables(),
                options_.sentinel ? dispatch::Personality::kSentinel : dispatch::Personality::kServer),
      keyspace_(std::make_unique<keyspace::Keyspace>(static_cast<int>(settings_.general.databases),
                                                     HashKey::OfProcess(), CoreCount(settings_),
                                                     LayoutFor(settings_, options_))),
      shared_(settings_),
      client_memory_(CoreCount(settings_)),
      clients_(cores_, channels_, client_memory_, settings_, log_, tls_, options_.make_transport),
      control_({.identity = identity_,
                .cores = cores_,
                .services = services_,
                .listeners = listeners_,
                .client_memory = client_memory_,
                .statistics = statistics_,
                .files = files_,
                .replicas = replicas_,
                .following = following_,
                .role = role_,
                .defragmentation = defragmentation_,
                .shutdown = shutdown_},
               identity_, shutdown_, worker_),
      services_(MakeServices()),
      scripts_(scripting::MakeScripts(services_, CoreCount(settings_), RandomSeed())),
      tracking_(services_, CoreCount(settings_), invalidation_post_),
      peers_(services_, tls_, CoreCount(settings_)),
      listeners_(cores_, clients_, access_, settings_, log_),
      files_(services_, FileListeners(), meter_),
      replicas_(services_, cores_, files_, release_gate_, RandomSeed()),
      following_(services_, cores_, files_, replicas_, tls_, clients_.NextClientId()),
      role_(services_, config_, files_, replicas_, following_),
      sentinel_(options_.sentinel ? std::make_unique<SentinelService>(services_, cores_, tls_, RandomSeed())
                                  : nullptr),
      cluster_(MakeCluster()),
      defragmentation_(services_, CoreCount(settings_)),
      shutdown_(cores_, listeners_, files_, replicas_, services_, identity_.supervised),
      threads_(cores_, services_, meter_),
      cron_({.cores = cores_,
             .services = services_,
             .files = files_,
             .defragmentation = defragmentation_,
             .statistics = statistics_,
             .shutdown = shutdown_,
             .threads = threads_,
             .peers = peers_,
             .replicas = replicas_,
             .following = following_,
             .role = role_,
             .sentinel = sentinel_.get(),
             .cluster = cluster_.get()},
            [this] { AnnounceReady(); }) {
  client_memory_.ApplyLimit(settings_);
  if (settings_.general.compat_version == config::CompatVersion::k70)
    journal_.SetSelectPlace(journal::SelectPlace::kBeforeMulti);
  CHECK(RenameCommands(config_, registry_).has_value());  // the program's start has tried it
  if (options_.journal_sink != nullptr) journal_.AddSink(*options_.journal_sink);
  worker_.Defer([this, cpus = settings_.general.bio_cpulist] { BindThisThread(cpus, "bio-cpulist", log_); });
  services_.scripts = scripts_.get();
  services_.files = &files_;
  services_.tracking = &tracking_;
  services_.peers = &peers_;
  services_.replication = &role_;
  if (sentinel_ != nullptr) services_.sentinel = &sentinel_->machine();
  if (cluster_ != nullptr) {
    services_.cluster = &cluster_->machine();
    services_.cluster_bus = cluster_.get();
    listeners_.CountToo([this] { return cluster_->links().count(); });
  }
  clients_.SetReplication(replicas_, following_);
  MakeCores();
  role_.StartAsConfigured();
  identity_.started_at = cores_[0]->dispatcher().core().now;
  RegisterAppliers();
  RegisterNetworkAppliers();
  RegisterProcessAppliers();
}

Server::~Server() = default;

dispatch::Services Server::MakeServices() {
  return {.config = config_,
          .settings = settings_,
          .keyspace = *keyspace_,
          .journal = journal_,
          .registry = registry_,
          .clients = clients_,
          .control = control_,
          .slow_log = shared_.slow_log,
          .latency = shared_.latency,
          .log = log_,
          .pause = shared_.pause,
          .debug = shared_.debug,
          .dispatchers = shared_.dispatchers,
          .monitors = shared_.monitors,
          .history = options_.history,
          .notifier = &keyspace_events_,
          .access = &access_,
          .channels = &channels_};
}

std::unique_ptr<ClusterService> Server::MakeCluster() {
  if (!settings_.cluster.enabled || options_.sentinel) return nullptr;
  return std::make_unique<ClusterService>(ClusterService::Parts{.services = services_,
                                                                .cores = cores_,
                                                                .tls = tls_,
                                                                .files = files_,
                                                                .replicas = replicas_,
                                                                .following = following_,
                                                                .role = role_},
                                          RandomSeed());
}

ServerDataFiles::Listeners Server::FileListeners() {
  return {.set_title = options_.set_title,
          .released = [this](uint64_t offset) { release_gate_.OnDisk(offset); },
          .while_loading = [this](Nanos passed) { defragmentation_.WhileLoading(passed); }};
}

void Server::MakeCores() {
  Random random(RandomSeed());
  for (int i = 0; i < CoreCount(settings_); ++i) {
    auto reactor = net::MakeEpollReactor();
    CHECK(reactor.has_value());
    cores_.push_back(std::make_unique<Core>(cron_, clients_, services_, client_memory_, i, random.Next(),
                                            std::move(*reactor)));
    shared_.dispatchers.push_back(&cores_.back()->dispatcher());
  }
}

Status Server::Listen() {
  TRY_STATUS(LoadUsers(config_, access_));
  if (services_.sentinel != nullptr) TRY_STATUS(LoadSentinelLines(config_, *services_.sentinel));
  if (!tls_.Apply(settings_)) return Fail("Failed to configure TLS. Check logs for more info.");
  TRY_STATUS(listeners_.Open());
  return cluster_ == nullptr ? Status() : cluster_->Start();
}

int Server::Run() {
  CHECK(listeners_.Register().has_value());
  CHECK(shutdown_.Register().has_value());
  statistics_.NoteStart();
  if (!options_.sentinel) {
    if (const Status begun = files_.BeginLoading(); !begun) {
      log_.Warning("{}", begun.error().message);
      return 1;
    }
    if (const Result<bool> more = files_.LoadFirst(); !more) {
      cron_.TellOfFailedLoad(more.error());
      return 1;
    }
  }
  if (sentinel_ != nullptr) {
    if (const Status begun = sentinel_->Start(); !begun) {
      log_.Warning("{}", begun.error().message);
      return 1;
    }
  }
  UpdateTitle();
  // A score that cannot be set is no reason not to serve.
  [[maybe_unused]] const Status scored = ApplyOomScore(settings_);
  threads_.Start();
  if (!files_.loading()) cron_.DataSetIsThere();
  threads_.Run();
  return shutdown_.exit_code();
}

void Server::AnnounceReady() {
  if (!options_.sentinel) listeners_.LogReady();
  ReportReady(identity_.supervised, log_);
}

void Server::UpdateTitle() {
  if (!options_.set_title || !settings_.general.set_proc_title) return;
  os::TitleVariables variables{.title = options_.program,
                               .port = static_cast<int>(settings_.network.port),
                               .tls_port = static_cast<int>(settings_.tls.port),
                               .unixsocket = settings_.network.unixsocket,
                               .config_file = config_.path(),
                               .server_mode = options_.sentinel     ? "[sentinel]"
                                              : cluster_ != nullptr ? "[cluster]"
                                                                    : ""};
  const auto& bind = settings_.network.bind;
  const std::string address = bind.empty() ? "*" : bind.front();
  const int64_t port = settings_.network.port != 0 ? settings_.network.port : settings_.tls.port;
  variables.listen_addr = port != 0 ? fmt::format("{}:{}", address, port) : settings_.network.unixsocket;
  if (auto title = os::ExpandTitleTemplate(settings_.general.proc_title_template, variables)) {
    options_.set_title(*title);
  }
}

}  // namespace cinnabar::server
