#include "apps/start_up.h"

#include <fmt/core.h>
#include <syslog.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>

#include "apps/sentinel_start.h"
#include "commands/command_tables.h"
#include "config/command_line.h"
#include "config/config.h"
#include "os/allocator.h"
#include "os/crash_report.h"
#include "os/daemon.h"
#include "os/memory_info.h"
#include "os/open_files_limit.h"
#include "os/process_title.h"
#include "os/signals.h"
#include "server/renamed_commands.h"
#include "server/sentinel_lines.h"
#include "server/server.h"
#include "server/supervision.h"
#include "server/users.h"

namespace cinnabar::apps {
namespace {

constexpr std::string_view kVersion = "0.1.0";

std::string ReadStandardInput() {
  std::string text;
  char buffer[4096];
  while (size_t got = std::fread(buffer, 1, sizeof buffer, stdin)) text.append(buffer, got);
  return text;
}

int PrintVersion() {
  fmt::print("Redis server v={} sha=00000000:0 malloc={} bits={} build=cinnabar-{}\n",
             config::RedisVersion(config::CompatVersion::k72), os::AllocatorName(), sizeof(void*) * 8,
             kVersion);
  return 0;
}

int PrintHelp() {
  fmt::print(stderr,
             "Usage: ./redis-server [/path/to/redis.conf] [options] [-]\n"
             "       ./redis-server - (read config from stdin)\n"
             "       ./redis-server -v or --version\n"
             "       ./redis-server -h or --help\n"
             "       ./redis-server --check-system\n\n"
             "Every directive of the config file is an option as well:\n"
             "       ./redis-server (run the server with default conf)\n"
             "       echo 'maxmemory 128mb' | ./redis-server -\n"
             "       ./redis-server /etc/redis/6379.conf\n"
             "       ./redis-server --port 7777\n"
             "       ./redis-server --port 7777 --replicaof 127.0.0.1 8888\n"
             "       ./redis-server /etc/myredis.conf --loglevel verbose -\n");
  return 1;
}

int CheckSystem() {
  int warnings = 0;
  for (const std::string& warning : os::KernelWarnings(511)) {
    fmt::print("{}\n", warning);
    ++warnings;
  }
  return warnings == 0 ? 0 : 1;
}

void LogBanner(const config::Config& config, Logger& log) {
  const config::Settings& settings = config.settings();
  log.Notice("oO0OoO0OoO0Oo Cinnabar is starting oO0OoO0OoO0Oo");
  log.Notice("Cinnabar version={}, Redis compatibility={}, bits={}, pid={}, just started", kVersion,
             config::RedisVersion(settings.general.compat_version), sizeof(void*) * 8, getpid());
  if (config.path().empty()) {
    log.Warning(
        "Warning: no config file specified, using the default config. In order to specify a config file use "
        "cinnabar-server /path/to/redis.conf");
  } else {
    log.Notice("Configuration loaded");
  }
}

// Said once clients can connect: a harness that waits for the process id may do so at once.
void LogMode(const config::Settings& settings, std::string_view mode, Logger& log) {
  const bool logo =
      settings.general.always_show_logo ||
      (!settings.general.daemonize && settings.logging.logfile.empty() && isatty(STDOUT_FILENO));
  const int64_t port = settings.network.port != 0 ? settings.network.port : settings.tls.port;
  if (!logo) return log.Notice("Running mode={}, port={}.", mode, port);
  log.WriteRaw(LogLevel::kNotice,
               fmt::format("\n"
                           "     /\\        Cinnabar {} ({} bit)\n"
                           "    /::\\       Redis {} protocol, commands and files\n"
                           "   /::::\\      Running in {} mode\n"
                           "   \\::::/      Port: {}\n"
                           "    \\::/       PID: {}\n"
                           "     \\/\n\n",
                           kVersion, sizeof(void*) * 8, config::RedisVersion(settings.general.compat_version),
                           mode, port, getpid()));
}

// Nobody should believe in a promise of the configuration that is not kept.
void WarnOfWhatIsNotActedOn(const config::Config& config, Logger& log) {
  for (const std::string& name : config.NotActedOn()) {
    log.Warning("WARNING: '{}' in the configuration is accepted, but this version does not act on it.", name);
  }
}

// An image for containers is open to its network on purpose, however its server is started.
void TakeDefaultsFromEnvironment(config::Config& config) {
  const char* protected_mode = std::getenv("CINNABAR_PROTECTED_MODE");
  if (protected_mode != nullptr && protected_mode == std::string_view("no"))
    config.Mutable().network.protected_mode = false;
}

// Lowers maxclients to what the descriptor limit allows. False when no client fits.
bool AdjustLimits(config::Config& config, Logger& log) {
  os::OpenFilesSystem system;
  auto& clients = config.Mutable().clients;
  const auto outcome =
      os::AdjustOpenFilesLimit(static_cast<uint64_t>(clients.maxclients), os::kReservedDescriptors, system);
  for (const auto& line : outcome.log) log.Write(line.level, line.text);
  clients.maxclients = static_cast<int64_t>(outcome.maxclients);
  return outcome.maxclients > 0;
}

os::HugePages RefuseHugePages(const config::Settings& settings, Logger& log) {
  if (!settings.general.disable_thp || !os::TransparentHugePagesAlways()) return os::HugePages::kTaken;
  const Status refused = os::DisableTransparentHugePages();
  if (refused) return os::HugePages::kRefused;
  log.Warning("disable-thp: {}", refused.error().message);
  return os::HugePages::kTaken;
}

// As syslog(3) counts them.
int FacilityNumber(const config::Logging& logging) {
  if (logging.syslog_facility == config::SyslogFacility::kUser) return LOG_USER;
  const int local =
      static_cast<int>(logging.syslog_facility) - static_cast<int>(config::SyslogFacility::kLocal0);
  return LOG_LOCAL0 + (LOG_LOCAL1 - LOG_LOCAL0) * local;
}

Status PrepareLog(const config::Settings& settings, Logger& log) {
  log.SetLevel(settings.logging.loglevel);
  if (!settings.logging.logfile.empty()) TRY_STATUS(log.SetFile(settings.logging.logfile));
  if (settings.logging.syslog_enabled)
    log.EnableSyslog(settings.logging.syslog_ident, FacilityNumber(settings.logging));
  return {};
}

// What the crash report shows of the server, once there is one.
struct CrashContext {
  std::atomic<const server::Server*> server{nullptr};

  static void Write(void* context, RawWriter& out) {
    const server::Server* server = static_cast<CrashContext*>(context)->server.load();
    if (server != nullptr) server->WriteCrashSections(out);
  }
};

std::unique_ptr<os::CrashReport> MakeCrashReport(const config::Settings& settings, Logger& log,
                                                 CrashContext& context) {
  if (!settings.logging.crash_log_enabled) return nullptr;
  using OnCheckFailure = os::CrashReport::Options::OnCheckFailure;
  return std::make_unique<os::CrashReport>(
      log, os::CrashReport::Options{.sections = CrashContext::Write,
                                    .context = &context,
                                    .on_check_failure = settings.testing.use_exit_on_panic
                                                            ? OnCheckFailure::kExit
                                                            : OnCheckFailure::kAbort});
}

// They are about large memories and forks.
void LogKernelWarnings(const config::Settings& settings, os::HugePages pages, Logger& log) {
  for (const std::string& warning :
       os::KernelWarnings(static_cast<int>(settings.network.tcp_backlog), pages)) {
    log.Warning("{}", warning);
  }
}

int Serve(config::Config& config, Logger& log, server::ServerOptions options, CrashContext& crash) {
  const config::Settings& settings = config.settings();
  os::IgnoreUninterestingSignals();
  os::PidFile pid_file;
  const std::string pid_path = settings.general.pidfile.empty() && settings.general.daemonize
                                   ? "/var/run/redis.pid"
                                   : settings.general.pidfile;
  if (!pid_path.empty()) {
    if (Status made = pid_file.Create(pid_path); !made) {
      log.Warning("Failed to write PID file: {}", made.error().message);
    }
  }
  LogBanner(config, log);
  WarnOfWhatIsNotActedOn(config, log);
  const os::HugePages pages = RefuseHugePages(settings, log);
  if (!options.sentinel) LogKernelWarnings(settings, pages, log);
  if (settings.general.jemalloc_bg_thread) os::SetBackgroundPurging(true);
  const bool sentinel = options.sentinel;
  server::Server server(config, log, std::move(options));
  if (Status listening = server.Listen(); !listening) {
    log.Warning("{}", listening.error().message);
    return 1;
  }
  LogMode(settings, sentinel ? "sentinel" : settings.cluster.enabled ? "cluster" : "standalone", log);
  if (!sentinel) log.Notice("Server initialized");
  crash.server = &server;
  const int code = server.Run();
  crash.server = nullptr;
  return code;
}

// The commands that the configuration names are those of a server, or of a sentinel.
Status CheckDirectives(const config::Config& config, bool sentinel) {
  dispatch::Registry registry(commands::CommandTables(),
                              sentinel ? dispatch::Personality::kSentinel : dispatch::Personality::kServer);
  TRY_STATUS(server::RenameCommands(config, registry));
  TRY_STATUS(server::CheckUsers(config, registry));
  return sentinel ? server::CheckSentinelLines(config) : Status();
}

// False, with everything said, when the program cannot go on.
bool LoadConfiguration(const config::CommandLine& line, config::Config& config, Logger& log) {
  TakeDefaultsFromEnvironment(config);
  if (line.sentinel) TakeSentinelDefaults(config);
  Status loaded = config.Load(line, line.reads_stdin ? ReadStandardInput() : std::string());
  if (!loaded && loaded.error().code != 0) {
    log.Warning("Fatal error, can't open config file: {}", loaded.error().message);
    return false;
  }
  if (loaded) loaded = CheckDirectives(config, line.sentinel);
  if (!loaded) {
    fmt::print(stderr, "\n{}\n", loaded.error().message);
    return false;
  }
  if (line.sentinel) LeaveDataAside(config);
  if (Status prepared = PrepareLog(config.settings(), log); !prepared) {
    fmt::print(stderr, "Can't open the log file: {}\n", prepared.error().message);
    return false;
  }
  if (!line.sentinel) return true;
  const Status writable = CheckSentinelFile(config);
  if (!writable) log.Warning("{}", writable.error().message);
  return writable.has_value();
}

}  // namespace

int RunServer(CalledAs called_as, std::span<const std::string> arguments, int argc, char** argv) {
  config::CommandLine line = config::ParseCommandLine(arguments.subspan(1));
  if (called_as == CalledAs::kSentinel) line.sentinel = true;
  switch (line.action) {
    case config::CommandLine::Action::kVersion:
      return PrintVersion();
    case config::CommandLine::Action::kHelp:
      return PrintHelp();
    case config::CommandLine::Action::kCheckSystem:
      return CheckSystem();
    case config::CommandLine::Action::kTestMemory:
      fmt::print(stderr, "The memory test is not part of Cinnabar; use memtester.\n");
      return 1;
    case config::CommandLine::Action::kRun:
      break;
  }
  auto files = config::MakeSystemConfigFiles();
  config::Config config(*files);
  Logger log;
  if (line.sentinel) log.SetRole('X');
  if (!LoadConfiguration(line, config, log)) return 1;
  os::ProcessTitle title(argc, argv);
  const bool supervised =
      server::DetectSupervision(config.settings().general.supervised) != config::Supervised::kNo;
  if (config.settings().general.daemonize && !supervised) {
    if (Status detached = os::Daemonize(); !detached) {
      log.Warning("Can't daemonize: {}", detached.error().message);
      return 1;
    }
  }
  CrashContext crash;
  const auto crash_report = MakeCrashReport(config.settings(), log, crash);
  if (!AdjustLimits(config, log)) return 1;
  char* resolved = realpath("/proc/self/exe", nullptr);
  server::ServerOptions options{.program = arguments[0],
                                .executable = resolved == nullptr ? "" : resolved,
                                .version = std::string(kVersion),
                                .sentinel = line.sentinel,
                                .set_title = [&title](std::string_view text) { title.Set(text); }};
  std::free(resolved);
  return Serve(config, log, std::move(options), crash);
}

}  // namespace cinnabar::apps
