// What is kept on disk, and how safely.
#include "config/internal/param.h"
#include "config/internal/special_values.h"

namespace cinnabar::config {

namespace {

constexpr ChoiceName kFsyncNames[] = {
    {"everysec", AppendFsync::kEverySecond}, {"always", AppendFsync::kAlways}, {"no", AppendFsync::kNo}};
constexpr ChoiceName kSanitizeNames[] = {
    {"no", SanitizeDump::kNo}, {"yes", SanitizeDump::kYes}, {"clients", SanitizeDump::kClients}};
constexpr ChoiceName kVersionChecks[] = {{"strict", RdbVersionCheck::kStrict},
                                         {"relaxed", RdbVersionCheck::kRelaxed}};

constexpr Param kSnapshot[] = {
    {.name = "dir",
     .value = Text{At<&Persistence::dir>},
     .flags = kProtected | kDenyLoading,
     .doc =
         "The working directory: snapshots, the append-only directory, the cluster's node file and relative "
         "names that come after this line belong there."},
    {.name = "save",
     .value = &kSaveValue,
     .flags = kMultiArg,
     .doc =
         "Write a snapshot when at least so many changes happened in so many seconds. Several pairs may be "
         "given; \"\" switches snapshots off."},
    {.name = "dbfilename",
     .value = Text{At<&Persistence::dbfilename>, RefuseDatabaseFileName},
     .flags = kProtected,
     .doc = "The name of the snapshot file in dir."},
    {.name = "stop-writes-on-bgsave-error",
     .value = YesNo{At<&Persistence::stop_writes_on_bgsave_error>},
     .doc = "Refuse writes after a background save failed, so that somebody notices."},
    {.name = "rdbcompression",
     .value = YesNo{At<&Persistence::rdbcompression>},
     .doc = "Compress strings in snapshots."},
    {.name = "rdbchecksum",
     .value = YesNo{At<&Persistence::rdbchecksum>},
     .flags = kImmutable,
     .doc = "End snapshots with a checksum, and check it when loading."},
    {.name = "rdb-version-check",
     .value = OneOf<&Persistence::rdb_version_check>(kVersionChecks),
     .flags = kHidden | kNewer,
     .doc = "Whether a snapshot of an unknown newer version may be loaded as far as it is understood."},
    {.name = "sanitize-dump-payload",
     .value = OneOf<&Persistence::sanitize_dump_payload>(kSanitizeNames),
     .doc = "When Redis checks the inner structure of values in RESTORE and in snapshots. Accepted for its "
            "sake: "
            "here every value is always checked in full."},
    {.name = "rdb-del-sync-files",
     .value = YesNo{At<&Persistence::rdb_del_sync_files>},
     .doc =
         "Without persistence, delete the snapshots that replication left behind as soon as they have been "
         "used."},
    {.name = "rdb-save-incremental-fsync",
     .value = YesNo{At<&Persistence::rdb_save_incremental_fsync>},
     .doc = "Flush a snapshot to disk every few megabytes, and not all at the end."},
};

constexpr Param kAppendOnly[] = {
    {.name = "appendonly",
     .value = YesNo{At<&Persistence::appendonly>},
     .flags = kDenyLoading,
     .doc = "Log every change to the append-only file, which is replayed at start."},
    {.name = "appendfilename",
     .value = Text{At<&Persistence::appendfilename>, RefuseAppendFileName},
     .flags = kImmutable,
     .doc = "The beginning of the names of all append-only files."},
    {.name = "appenddirname",
     .value = Text{At<&Persistence::appenddirname>, RefuseAppendDirectoryName},
     .flags = kImmutable,
     .doc = "The directory for them, inside dir."},
    {.name = "appendfsync",
     .value = OneOf<&Persistence::appendfsync>(kFsyncNames),
     .doc = "When changes reach the disk: before the client gets its reply (always), once a second "
            "(everysec), or whenever the kernel likes (no)."},
    {.name = "no-appendfsync-on-rewrite",
     .value = YesNo{At<&Persistence::no_appendfsync_on_rewrite>},
     .doc = "Do not flush while a background child writes much, at the price of losing more in a crash."},
    {.name = "auto-aof-rewrite-percentage",
     .value = Integer{At<&Persistence::auto_aof_rewrite_percentage>, 0, kMaxInt},
     .doc = "Rewrite the append-only file when it has grown by this percentage; 0 never does."},
    {.name = "auto-aof-rewrite-min-size",
     .value = Bytes{At<&Persistence::auto_aof_rewrite_min_size_bytes>},
     .doc = "But not while it is smaller than this."},
    {.name = "aof-load-truncated",
     .value = YesNo{At<&Persistence::aof_load_truncated>},
     .doc =
         "Start although the append-only file ends in the middle of a command, cutting that off; otherwise "
         "refuse to start."},
    {.name = "aof-use-rdb-preamble",
     .value = YesNo{At<&Persistence::aof_use_rdb_preamble>},
     .doc = "Write the base of the append-only file as a snapshot, which loads faster."},
    {.name = "aof-timestamp-enabled",
     .value = YesNo{At<&Persistence::aof_timestamp_enabled>},
     .doc = "Note times in the append-only file, so that it can be cut at one. Older tools may not read it."},
    {.name = "aof-rewrite-incremental-fsync",
     .value = YesNo{At<&Persistence::aof_rewrite_incremental_fsync>},
     .doc = "Flush a rewrite to disk every few megabytes, and not all at the end."},
    {.name = "aof-disable-auto-gc",
     .value = YesNo{At<&Persistence::aof_disable_auto_gc>},
     .doc = "Keep append-only files that are no longer needed. For tests."},
};

}  // namespace

constinit const std::span<const Param> kSnapshotParams = kSnapshot;
constinit const std::span<const Param> kAppendOnlyParams = kAppendOnly;

}  // namespace cinnabar::config
