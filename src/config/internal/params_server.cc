// The server as a process: what it is, how it logs, what it asks of the kernel.
#include "config/internal/param.h"
#include "config/internal/special_values.h"

namespace cinnabar::config {

namespace {

constexpr ChoiceName kCompatVersions[] = {{"7.2", CompatVersion::k72}, {"7.0", CompatVersion::k70}};
constexpr ChoiceName kSupervisedNames[] = {{"upstart", Supervised::kUpstart},
                                           {"systemd", Supervised::kSystemd},
                                           {"auto", Supervised::kAuto},
                                           {"no", Supervised::kNo}};
constexpr ChoiceName kLogLevels[] = {{"debug", LogLevel::kDebug},
                                     {"verbose", LogLevel::kVerbose},
                                     {"notice", LogLevel::kNotice},
                                     {"warning", LogLevel::kWarning},
                                     {"nothing", LogLevel::kNothing}};
constexpr ChoiceName kFacilities[] = {
    {"user", SyslogFacility::kUser},     {"local0", SyslogFacility::kLocal0},
    {"local1", SyslogFacility::kLocal1}, {"local2", SyslogFacility::kLocal2},
    {"local3", SyslogFacility::kLocal3}, {"local4", SyslogFacility::kLocal4},
    {"local5", SyslogFacility::kLocal5}, {"local6", SyslogFacility::kLocal6},
    {"local7", SyslogFacility::kLocal7}};
constexpr ChoiceName kOomScoreAdjNames[] = {{"no", OomScoreAdj::kNo},
                                            {"yes", OomScoreAdj::kRelative},
                                            {"relative", OomScoreAdj::kRelative},
                                            {"absolute", OomScoreAdj::kAbsolute}};

constexpr Param kGeneral[] = {
    {.name = "compat-version",
     .value = OneOf<&General::compat_version>(kCompatVersions),
     .flags = kImmutable | kNewer,
     .doc = "Which Redis to follow where Redis versions disagree: names of encodings, the version reported, "
            "fields of replies. It does not switch features off."},
    {.name = "threads",
     .aliases = {"io-threads"},
     .value = Integer{At<&General::threads>, 0, 128},
     .flags = kImmutable | kNewer,
     .doc = "How many cores execute commands. Every one of them reads, executes and answers; 1 runs without "
            "any locks. 0 takes as many as there are CPUs this process may use, container limits included."},
    {.name = "io-threads-do-reads",
     .value = YesNo{At<&General::io_threads_do_reads>},
     .flags = kImmutable | kNotYet,
     .doc = "Accepted for existing config files. Every core reads its own connections in any case."},
    {.name = "databases",
     .value = Integer{At<&General::databases>, 1, kMaxInt},
     .flags = kImmutable,
     .doc = "The number of databases that SELECT can choose from; they are numbered from 0."},
    {.name = "hz",
     .value = Integer{At<&General::hz>, 0, kMaxInt, 1, 500},
     .doc = "How often a second the background work runs: expiry, timeouts, statistics. Values outside 1 to "
            "500 are moved to the nearest limit. More than 100 is rarely worth its CPU time."},
    {.name = "dynamic-hz",
     .value = YesNo{At<&General::dynamic_hz>},
     .flags = kNotYet,
     .doc = "Run the background work more often while many clients are connected, so that each round stays "
            "short."},
    {.name = "activerehashing",
     .value = YesNo{At<&General::activerehashing>},
     .flags = kNotYet,
     .doc =
         "Let idle moments finish the growth of hash tables, so that memory of old tables is freed sooner."},
    {.name = "locale-collate",
     .value = Text{At<&General::locale_collate>},
     .flags = kNewer | kNotYet,
     .doc = "The locale whose order SORT … ALPHA uses; empty takes it from the environment."},
};

constexpr Param kProcess[] = {
    {.name = "daemonize",
     .value = YesNo{At<&General::daemonize>},
     .flags = kImmutable,
     .doc = "Detach from the terminal and run in the background."},
    {.name = "supervised",
     .value = OneOf<&General::supervised>(kSupervisedNames),
     .flags = kImmutable,
     .doc = "Tell a service supervisor when the server is ready: systemd through NOTIFY_SOCKET, upstart by "
            "stopping itself, auto by whichever environment variable is set."},
    {.name = "pidfile",
     .value = Text{At<&General::pidfile>},
     .flags = kImmutable,
     .doc = "Where to write the process id; removed at exit. A daemon without one uses /var/run/redis.pid. "
            "Failure to write it is logged and nothing more."},
    {.name = "always-show-logo",
     .value = YesNo{At<&General::always_show_logo>},
     .flags = kImmutable,
     .doc = "Log the start-up banner also when the log does not go to a terminal."},
    {.name = "set-proc-title",
     .value = YesNo{At<&General::set_proc_title>},
     .flags = kImmutable,
     .doc = "Show what the process serves in the process list."},
    {.name = "proc-title-template",
     .value = Text{At<&General::proc_title_template>, RefuseTitleTemplate},
     .doc = "The process title. Understood are {title} {listen-addr} {server-mode} {port} {tls-port} "
            "{unixsocket} {config-file}."},
    {.name = "oom-score-adj",
     .value = OneOf<&General::oom_score_adj>(kOomScoreAdjNames),
     .doc = "Tell the kernel which process to kill first when memory runs out, by the values below: relative "
            "(yes) adds them to the score at start, absolute sets them."},
    {.name = "oom-score-adj-values",
     .value = &kOomScoreValuesValue,
     .flags = kMultiArg,
     .doc = "The adjustments for a master, a replica and a background child, in this order. The higher, the "
            "sooner killed."},
    {.name = "disable-thp",
     .value = YesNo{At<&General::disable_thp>},
     .flags = kImmutable,
     .doc = "Opt out of transparent huge pages where the kernel gives them to everybody: they make "
            "copy-on-write after a fork expensive."},
    {.name = "jemalloc-bg-thread",
     .value = YesNo{At<&General::jemalloc_bg_thread>},
     .doc = "Let the allocator give unused memory back to the kernel from a thread of its own."},
    {.name = "ignore-warnings",
     .value = Text{At<&General::ignore_warnings>},
     .flags = kNotYet,
     .doc = "Names of start-up warnings about the system that are not to be treated as fatal."},
    {.name = "server-cpulist",
     .aliases = {"server_cpulist"},
     .value = Text{At<&General::server_cpulist>},
     .flags = kImmutable | kNewer,
     .doc = "The CPUs for the core threads, as in taskset: 0-3 or 0,2,4 or 0-7:2."},
    {.name = "bio-cpulist",
     .aliases = {"bio_cpulist"},
     .value = Text{At<&General::bio_cpulist>},
     .flags = kImmutable | kNewer,
     .doc = "The CPUs for background threads."},
    {.name = "aof-rewrite-cpulist",
     .aliases = {"aof_rewrite_cpulist"},
     .value = Text{At<&General::aof_rewrite_cpulist>},
     .flags = kImmutable | kNewer,
     .doc = "The CPUs for the child that rewrites the append-only file."},
    {.name = "bgsave-cpulist",
     .aliases = {"bgsave_cpulist"},
     .value = Text{At<&General::bgsave_cpulist>},
     .flags = kImmutable | kNewer,
     .doc = "The CPUs for the child that writes a snapshot."},
    {.name = "shutdown-timeout",
     .value = Integer{At<&General::shutdown_timeout_seconds>, 0, kMaxInt},
     .doc = "How many seconds a shutdown waits for replicas that lag behind. 0 does not wait."},
    {.name = "shutdown-on-sigint",
     .value = &kShutdownOnSigintValue,
     .flags = kMultiArg,
     .doc = "What SIGINT does: default saves when save points exist; save and nosave decide that; now does "
            "not wait for replicas; force ignores what would prevent the exit."},
    {.name = "shutdown-on-sigterm",
     .value = &kShutdownOnSigtermValue,
     .flags = kMultiArg,
     .doc = "The same for SIGTERM."},
};

constexpr Param kLogging[] = {
    {.name = "loglevel",
     .value = OneOf<&Logging::loglevel>(kLogLevels),
     .doc = "How much to log; notice suits production, debug is for developing, nothing is silent."},
    {.name = "logfile",
     .value = Text{At<&Logging::logfile>},
     .flags = kImmutable,
     .doc = "The log file. Empty means standard output; a daemon then logs nowhere."},
    {.name = "syslog-enabled",
     .value = YesNo{At<&Logging::syslog_enabled>},
     .flags = kImmutable,
     .doc = "Log to the system logger too."},
    {.name = "syslog-ident",
     .value = Text{At<&Logging::syslog_ident>},
     .flags = kImmutable,
     .doc = "The name under which lines appear in the system log."},
    {.name = "syslog-facility",
     .value = OneOf<&Logging::syslog_facility>(kFacilities),
     .flags = kImmutable,
     .doc = "The facility for the system log."},
    {.name = "crash-log-enabled",
     .value = YesNo{At<&Logging::crash_log_enabled>},
     .doc = "Write a report with a stack trace when the server crashes. Switch it off to get clean core "
            "dumps."},
    {.name = "crash-memcheck-enabled",
     .value = YesNo{At<&Logging::crash_memcheck_enabled>},
     .flags = kNotYet,
     .doc = "Test memory as part of the crash report."},
    {.name = "hide-user-data-from-log",
     .value = YesNo{At<&Logging::hide_user_data_from_log>},
     .flags = kHidden | kNewer | kNotYet,
     .doc = "Keep keys and values out of the log and the crash report."},
};

}  // namespace

constinit const std::span<const Param> kGeneralParams = kGeneral;
constinit const std::span<const Param> kProcessParams = kProcess;
constinit const std::span<const Param> kLoggingParams = kLogging;

}  // namespace cinnabar::config
