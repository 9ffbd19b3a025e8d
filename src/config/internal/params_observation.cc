// Scripts, slow commands, latency, events, and knobs that exist for tests.
#include "config/internal/param.h"
#include "config/internal/special_values.h"

namespace cinnabar::config {

namespace {

constexpr Param kScripting[] = {
    {.name = "busy-reply-threshold",
     .aliases = {"lua-time-limit"},
     .value = Integer{At<&Scripting::busy_reply_threshold_millis>},
     .flags = kNotYet,
     .doc = "After how many milliseconds of a script or function other clients are answered BUSY, and SCRIPT "
            "KILL can be used."},
    {.name = "lua-enable-deprecated-api",
     .value = YesNo{At<&Scripting::lua_enable_deprecated_api>},
     .flags = kImmutable | kHidden | kNotYet,
     .doc = "Give scripts back a few functions that were taken from them for safety."},
};

constexpr Param kObservation[] = {
    {.name = "slowlog-log-slower-than",
     .value = Integer{At<&Observation::slowlog_log_slower_than_micros>, -1},
     .doc = "SLOWLOG remembers commands that took at least so many microseconds; 0 all of them, -1 none."},
    {.name = "slowlog-max-len",
     .value = Integer{At<&Observation::slowlog_max_len>},
     .doc = "How many commands SLOWLOG remembers."},
    {.name = "latency-monitor-threshold",
     .value = Integer{At<&Observation::latency_monitor_threshold_millis>},
     .doc = "LATENCY records events that took at least so many milliseconds; 0 none."},
    {.name = "latency-tracking",
     .value = YesNo{At<&Observation::latency_tracking>},
     .doc =
         "Keep a histogram of the run time of every command, for INFO latencystats and LATENCY HISTOGRAM."},
    {.name = "latency-tracking-info-percentiles",
     .value = &kPercentilesValue,
     .flags = kMultiArg,
     .doc = "The percentiles that INFO latencystats shows."},
    {.name = "notify-keyspace-events",
     .value = &kNotifyEventsValue,
     .doc =
         "Which changes of keys are published, as letters: K on __keyspace@<db>__ and E on __keyevent@<db>__ "
         "channels (at least one of them); g generic, $ string, l list, s set, h hash, z sorted set, t "
         "stream, d module, x expired, e evicted, n new key, m missed key; A is g$lshzxetd."},
};

constexpr Param kTesting[] = {
    {.name = "key-load-delay",
     .value = Integer{At<&Testing::key_load_delay_micros>, kMinInt, kMaxInt},
     .flags = kHidden,
     .doc = "Sleep so many microseconds per key while loading; when negative, one microsecond every so many "
            "keys."},
    {.name = "rdb-key-save-delay",
     .value = Integer{At<&Testing::rdb_key_save_delay_micros>, kMinInt, kMaxInt},
     .flags = kHidden,
     .doc = "The same while saving."},
    {.name = "loading-process-events-interval-bytes",
     .value = Integer{At<&Testing::loading_process_events_interval_bytes>, 1024, kMaxInt},
     .flags = kHidden,
     .doc =
         "After how many loaded bytes clients are looked after, if two milliseconds have not passed before."},
    {.name = "use-exit-on-panic",
     .value = YesNo{At<&Testing::use_exit_on_panic>},
     .flags = kHidden,
     .doc = "Leave with exit code 1 on a fatal error, and not with a signal."},
    {.name = "watchdog-period",
     .value = Integer{At<&Testing::watchdog_period_millis>, 0, kMaxInt},
     .flags = kHidden,
     .doc = "Log a stack trace when the server is stuck for so many milliseconds; 0 does not watch."},
};

}  // namespace

constinit const std::span<const Param> kScriptingParams = kScripting;
constinit const std::span<const Param> kObservationParams = kObservation;
constinit const std::span<const Param> kTestingParams = kTesting;

}  // namespace cinnabar::config
