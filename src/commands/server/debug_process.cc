// DEBUG subcommands about the process: sleep, crash, switches, the allocator.
#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <ctime>

#include "base/check.h"
#include "base/glob.h"
#include "base/numbers.h"
#include "commands/server/debug.h"
#include "config/config.h"
#include "dispatch/args.h"
#include "journal/journal.h"
#include "os/allocator.h"

namespace cinnabar::commands {
namespace {

using dispatch::Call;
using dispatch::SameWord;

int64_t Number(std::string_view text) {
  return ParseInt64(text).value_or(0);
}

void Sleep(Call& call) {
  const double seconds = ParseDouble(call.arg(2)).value_or(0.0);
  if (seconds > 0) {
    timespec left{};
    left.tv_sec = static_cast<time_t>(std::floor(seconds));
    left.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
    // The watchdog interrupts; the sleep goes on.
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
  }
  call.reply().Ok();
}

// Sends a command to the replicas that was not executed here.
void Replicate(Call& call) {
  std::string record;
  journal::EncodeCommand(call.argv().subspan(2), record);
  call.services().journal.AppendControl(record);
  call.reply().Ok();
}

void SegmentationFault(Call&) {
  void* page = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile char*>(page) = 'x';
}

void Panic(Call& call) {
  call.services().log.Warning("!!! Software Failure. Press left mouse button to continue");
  call.services().log.Warning("Guru Meditation: Panic called at Unix time {}", call.now() / 1000);
  if (call.settings().testing.use_exit_on_panic) std::_Exit(1);
  std::abort();
}

void OutOfMemory(Call& call) {
  call.services().log.Warning("Out Of Memory: simulated by DEBUG OOM");
  Panic(call);
}

void Assert(Call& call) {
  CHECK(call.argc() == 0);  // never
}

void Log(Call& call) {
  call.services().log.Warning("DEBUG LOG: {}", call.arg(2));
  call.reply().Ok();
}

void ReplyError(Call& call) {
  call.reply().Error(call.arg(2));
}

void Accept(Call& call) {
  call.reply().Ok();
}

// DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]
void Reload(Call& call) {
  dispatch::DataFiles::ReloadOptions options;
  for (size_t i = 2; i < call.argc(); ++i) {
    if (SameWord(call.arg(i), "MERGE")) {
      options.merge = true;
    } else if (SameWord(call.arg(i), "NOFLUSH")) {
      options.flush = false;
    } else if (SameWord(call.arg(i), "NOSAVE")) {
      options.save = false;
    } else {
      return call.reply().Error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    }
  }
  if (const Status done = call.services().files->Reload(options); !done)
    return call.reply().Error(done.error().message);
  call.reply().Ok();
}

void LoadAppendOnly(Call& call) {
  if (const Status done = call.services().files->ReloadAppendOnly(); !done)
    return call.reply().Error(done.error().message);
  call.reply().Ok();
}

void SetActiveExpire(Call& call) {
  call.services().debug.active_expire = Number(call.arg(2)) != 0;
  call.reply().Ok();
}

void SkipChecksums(Call& call) {
  call.services().debug.check_payload_checksums = Number(call.arg(2)) == 0;
  call.reply().Ok();
}

void PauseCron(Call& call) {
  call.services().debug.pause_cron = Number(call.arg(2)) != 0;
  call.reply().Ok();
}

void SetDisableDenyScripts(Call& call) {
  call.services().debug.deny_scripts_disabled = Number(call.arg(2)) != 0;
  call.reply().Ok();
}

void ReplyBuffer(Call& call) {
  dispatch::DebugSwitches& switches = call.services().debug;
  const std::string_view value = call.arg(3);
  if (SameWord(call.arg(2), "RESIZING")) {
    switches.reply_buffer_resizing = Number(value) != 0;
  } else if (SameWord(call.arg(2), "PEAK-RESET-TIME")) {
    if (SameWord(value, "NEVER")) {
      switches.reply_buffer_peak_reset = -1;
    } else if (SameWord(value, "RESET")) {
      switches.reply_buffer_peak_reset = dispatch::DebugSwitches{}.reply_buffer_peak_reset;
    } else if (const auto millis = ParseInt64(value)) {
      switches.reply_buffer_peak_reset = *millis;
    } else {
      return call.reply().Error("ERR value is not an integer or out of range");
    }
  } else {
    return call.reply().Error(
        "ERR unknown subcommand or wrong number of arguments for 'replybuffer'. Try DEBUG HELP.");
  }
  call.reply().Ok();
}

void ChangeReplicationId(Call& call) {
  call.services().log.Notice("Changing replication IDs after receiving change-repl-id");
  call.services().replication->ChangeId();
  call.reply().Ok();
}

void ConfigRewriteForceAll(Call& call) {
  const Status written = call.services().config.RewriteForceAll();
  if (written) return call.reply().Ok();
  call.reply().Error(fmt::format("ERR CONFIG-REWRITE-FORCE-ALL failed: {}", written.error().message));
}

void MallctlNumber(Call& call) {
  const std::string name(call.arg(2));
  Result<int64_t> value = 0;
  if (call.argc() > 3) {
    const auto wanted = ParseInt64(call.arg(3));
    if (!wanted) return call.reply().Error("ERR value is not an integer or out of range");
    value = os::MallctlSet(name.c_str(), *wanted);
  } else {
    value = os::MallctlGet(name.c_str());
  }
  if (!value) return call.reply().Error(fmt::format("ERR {}", value.error().message));
  call.reply().Integer(*value);
}

void MallctlString(Call& call) {
  const std::string name(call.arg(2));
  if (call.argc() > 3 && call.arg(3) == "VOID") {
    const Status done = os::MallctlDo(name.c_str());
    if (!done) return call.reply().Error(fmt::format("ERR {}", done.error().message));
    return call.reply().Ok();
  }
  const Result<std::string> value = os::MallctlGetString(name.c_str());
  if (!value) return call.reply().Error(fmt::format("ERR {}", value.error().message));
  call.reply().Bulk(*value);
}

void StringMatchLength(Call& call) {
  const auto length = ParseInt64(call.arg(2));
  if (!length || *length < 0 || *length > 1 << 20) {
    return call.reply().Error("ERR value is not an integer or out of range");
  }
  const std::string text(static_cast<size_t>(*length), 'a');
  call.reply().Integer(GlobMatch(call.arg(3), text) ? 1 : 0);
}

constexpr DebugSubcommand kTable[] = {
    {"sleep", 1, 1, Sleep},
    {"segfault", 0, 0, SegmentationFault},
    {"panic", 0, 0, Panic},
    {"oom", 0, 0, OutOfMemory},
    {"assert", 0, 0, Assert},
    {"log", 1, 1, Log},
    {"error", 1, 1, ReplyError},
    {"jmap", 0, kAnyNumber, Accept},
    {"reload", 0, kAnyNumber, Reload},
    {"loadaof", 0, 0, LoadAppendOnly},
    {"set-active-expire", 1, 1, SetActiveExpire},
    {"set-skip-checksum-validation", 1, 1, SkipChecksums},
    {"dict-resizing", 1, 1, Accept},
    {"aof-flush-sleep", 1, 1, Accept},
    {"pause-cron", 1, 1, PauseCron},
    {"set-disable-deny-scripts", 1, 1, SetDisableDenyScripts},
    {"replybuffer", 2, 2, ReplyBuffer},
    {"change-repl-id", 0, 0, ChangeReplicationId},
    {"replicate", 1, kAnyNumber, Replicate},
    {"config-rewrite-force-all", 0, 0, ConfigRewriteForceAll},
    {"mallctl", 1, 2, MallctlNumber},
    {"mallctl-str", 1, 2, MallctlString},
    {"stringmatch-len", 2, 2, StringMatchLength},
};

}  // namespace

constinit const std::span<const DebugSubcommand> kDebugProcessSubcommands{kTable};

}  // namespace cinnabar::commands
