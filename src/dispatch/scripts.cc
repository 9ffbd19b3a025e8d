#include "dispatch/scripts.h"

#include <algorithm>
#include <utility>

namespace cinnabar::dispatch {
namespace {

constexpr std::string_view kBusyScript =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
constexpr std::string_view kBusyFunction =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
constexpr std::string_view kNotBusy = "NOTBUSY No scripts in execution right now.";
constexpr std::string_view kFromPrimary =
    "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be "
    "killed.";
constexpr std::string_view kHasWritten =
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait "
    "the "
    "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";

}  // namespace

void RunningScripts::Add(std::shared_ptr<RunningScript> script) {
  std::lock_guard lock(mutex_);
  scripts_.push_back(std::move(script));
  long_ones_.fetch_add(1, std::memory_order_relaxed);
}

void RunningScripts::Remove(const RunningScript& script) {
  std::lock_guard lock(mutex_);
  std::erase_if(scripts_, [&](const auto& each) { return each.get() == &script; });
  long_ones_.fetch_sub(1, std::memory_order_relaxed);
  if (script.busy.load(std::memory_order_relaxed)) busy_.fetch_sub(1, std::memory_order_release);
}

void RunningScripts::MakeBusy(RunningScript& script) {
  std::lock_guard lock(mutex_);
  if (!script.busy.exchange(true, std::memory_order_relaxed)) busy_.fetch_add(1, std::memory_order_release);
}

bool RunningScripts::BeginWriting(RunningScript& script) {
  std::lock_guard lock(mutex_);
  if (script.killed.load(std::memory_order_relaxed)) return false;
  script.wrote.store(true, std::memory_order_release);
  return true;
}

std::vector<std::shared_ptr<RunningScript>> RunningScripts::All() const {
  std::lock_guard lock(mutex_);
  return scripts_;
}

std::string_view RunningScripts::BusyError() const {
  std::lock_guard lock(mutex_);
  for (const auto& script : scripts_) {
    if (script->busy.load(std::memory_order_relaxed)) return script->function() ? kBusyFunction : kBusyScript;
  }
  return kBusyScript;
}

std::string RunningScripts::Kill(What what) {
  std::lock_guard lock(mutex_);
  std::string_view refusal = kNotBusy;
  bool killed = false;
  for (const auto& script : scripts_) {
    if (!script->busy.load(std::memory_order_relaxed)) continue;
    if (script->function() != (what == What::kFunctions)) {
      refusal = script->function() ? kBusyFunction : kBusyScript;
    } else if (script->from_primary) {
      refusal = kFromPrimary;
    } else if (script->wrote.load(std::memory_order_acquire)) {
      refusal = kHasWritten;
    } else {
      script->killed.store(true, std::memory_order_release);
      killed = true;
    }
  }
  return killed ? std::string() : std::string(refusal);
}

void RunningScripts::KillAll() {
  std::lock_guard lock(mutex_);
  for (const auto& script : scripts_) script->killed.store(true, std::memory_order_release);
}

}  // namespace cinnabar::dispatch
