// RESTORE: makes a key of a payload that DUMP gave, here or on another server, of any version.
//
// The journal gets the moment of expiry itself (ABSTTL), or the removal of what was there when that moment is
// past.
#include <limits>
#include <optional>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/generic/removal.h"
#include "dispatch/args.h"
#include "keyspace/access_clock.h"
#include "persistence/dump_payload.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using keyspace::EntryRef;
using keyspace::Key;
using keyspace::kNever;
using keyspace::Use;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

constexpr std::string_view kKeyExists = "BUSYKEY Target key name already exists.";
constexpr std::string_view kInvalidTtl = "ERR Invalid TTL value, must be >= 0";
constexpr std::string_view kInvalidIdleTime = "ERR Invalid IDLETIME value, must be >= 0";
constexpr std::string_view kInvalidFrequency = "ERR Invalid FREQ value, must be >= 0 and <= 255";
constexpr std::string_view kNotIntact = "ERR DUMP payload version or checksum are wrong";
constexpr std::string_view kBadFormat = "ERR Bad data format";

struct Options {
  bool replace = false;
  bool absolute = false;  // the time to live is a moment
  std::optional<int64_t> idle_seconds;
  std::optional<int64_t> frequency;
};

Options ParseOptions(Args& args) {
  Options options;
  while (args.more() && !args.failed()) {
    if (args.Take("REPLACE")) {
      options.replace = true;
    } else if (args.Take("ABSTTL")) {
      options.absolute = true;
    } else if (!options.frequency && args.TakeWith("IDLETIME")) {
      options.idle_seconds = args.Int();
      if (*options.idle_seconds < 0) args.Fail(kInvalidIdleTime);
    } else if (!options.idle_seconds && args.TakeWith("FREQ")) {
      options.frequency = args.Int();
      if (*options.frequency < 0 || *options.frequency > 255) args.Fail(kInvalidFrequency);
    } else {
      args.FailSyntax();
    }
  }
  return options;
}

// kNever for 0.
Millis ReadExpiry(Call& call, Args& args, const Options& options) {
  const auto ttl = ParseInt64(call.arg(2));
  if (!ttl) args.Fail(errors::kNotInteger);
  if (args.failed()) return kNever;
  if (*ttl < 0) args.Fail(kInvalidTtl);
  if (*ttl <= 0) return kNever;
  if (options.absolute) return std::min(*ttl, kNever - 1);
  return *ttl < kNever - call.now() ? *ttl + call.now() : kNever - 1;
}

void SetClock(Call& call, keyspace::Entry& entry, const Options& options) {
  const keyspace::AccessPolicy& access = call.core().access;
  if (options.frequency && access.lfu) {
    entry.set_clock(keyspace::ClockOfFrequency(static_cast<uint8_t>(*options.frequency), call.now()));
  } else if (options.idle_seconds && !access.lfu) {
    entry.set_clock(keyspace::ClockOfIdle(static_cast<uint64_t>(*options.idle_seconds), call.now()));
  }
}

bool RemoveOld(Call& call, const Key& key) {
  EntryRef old = call.db().FindToChange(key, Use::kSilent);
  if (!old) return false;
  const bool lazy = call.settings().memory.lazyfree_lazy_server_del;
  Remove(call, call.db(), key, old, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
  return true;
}

// With the moment in place of the time to live.
void PropagateWithMoment(Call& call, Millis expiry, const Options& options) {
  if (expiry == kNever || options.absolute) return;
  const std::string moment = Int64ToString(expiry);
  std::vector<std::string_view> argv(call.argv().begin(), call.argv().end());
  argv[2] = moment;
  argv.push_back("ABSTTL");
  call.Propagate(argv);
}

persistence::ValueLimits Limits(Call& call) {
  persistence::ValueLimits limits = persistence::LimitsFrom(call.settings());
  limits.list.plain_from = call.services().debug.list_plain_from;
  return limits;
}

void Restore(Call& call) {
  Args args(call, 4);
  const Options options = ParseOptions(args);
  if (args.failed()) return args.Reply(call);
  const Key key = call.key(1);
  if (!options.replace && call.db().FindToChange(key)) return call.reply().Error(kKeyExists);
  const Millis expiry = ReadExpiry(call, args, options);
  if (args.failed()) return args.Reply(call);
  const std::string_view payload = call.arg(3);
  using persistence::PayloadChecksum;
  const bool checked = call.services().debug.check_payload_checksums;
  if (!persistence::IntactPayload(payload, checked ? PayloadChecksum::kChecked : PayloadChecksum::kIgnored))
    return call.reply().Error(kNotIntact);
  persistence::RdbValue value;
  if (const Status read = persistence::ReadPayload(payload, Limits(call), value); !read) {
    call.services().log.Warning("RESTORE: bad payload, at byte {} of {}: {}.", read.error().code,
                                payload.size(), read.error().message);
    return call.reply().Error(kBadFormat);
  }
  if (!value.mended.empty()) call.services().log.Notice("RESTORE: a value was put right: {}.", value.mended);

  const bool removed = options.replace && RemoveOld(call, key);
  call.reply().Ok();
  if (expiry <= call.now() && call.core().may_expire && !call.core().replaying) {
    if (!removed) return;
    call.Changed(config::kNotifyGeneric, "del", key);
    call.Propagate({call.settings().memory.lazyfree_lazy_server_del ? "UNLINK" : "DEL", key.bytes});
    return;
  }
  EntryRef entry = call.db().Create(key, persistence::PayloadOf(value), expiry);
  SetClock(call, *entry, options);
  call.Changed(config::kNotifyGeneric, "restore", key);
  PropagateWithMoment(call, expiry, options);
}

constexpr std::string_view kSynopsis =
    "key ttl:integer serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 [IDLETIME:integer seconds]@5.0.0 "
    "[FREQ:integer frequency]@5.0.0";
constexpr std::string_view kComplexity = "O(N) for a payload of N bytes; O(N*log(N)) for a large sorted set.";
constexpr std::string_view kHistory =
    "3.0.0: Added the `REPLACE` modifier.|5.0.0: Added the `ABSTTL` modifier.|5.0.0: Added the `IDLETIME` "
    "and "
    "`FREQ` options.";

constexpr CommandSpec kTable[] = {
    {
        .name = "restore",
        .synopsis = kSynopsis,
        .summary = "Makes a key of what DUMP returned.",
        .since = "2.6.0",
        .group = "generic",
        .complexity = kComplexity,
        .arity = -4,
        .flags = Flag::kWrite | Flag::kDenyOom,
        .categories = "dangerous",
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate)},
        .history = kHistory,
        .run = Restore,
    },
    {
        .name = "restore-asking",
        .synopsis = kSynopsis,
        .summary = "Is RESTORE for keys that move between nodes of a cluster.",
        .since = "3.0.0",
        .group = "server",
        .complexity = kComplexity,
        .arity = -4,
        .flags = Flag::kWrite | Flag::kDenyOom | Flag::kAsking,
        .categories = "=keyspace,dangerous",
        .keys = {dispatch::OneKey(KeyUse::kOw | KeyUse::kUpdate)},
        .history = kHistory,
        .for_system_only = true,
        .run = Restore,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericRestoreCommands{kTable};

}  // namespace cinnabar::commands
