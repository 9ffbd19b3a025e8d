#include "server/sentinel_service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "config/config.h"
#include "pubsub/channels.h"

namespace cinnabar::server {

using sentinel::Address;
using sentinel::ConnectionId;

namespace {

constexpr int kCrashStatus = 99;
// Between two ticks; at random, so that sentinels that began together do not ask for votes together.
constexpr Millis kTickMin = 50;
constexpr Millis kTickMax = 100;
// For a name that is new. A sentinel that stands still for two seconds trusts nothing any more (TILT).
constexpr Millis kNamePatience = 500;

// What other sentinels are told that we listen to.
int64_t ListeningPort(const config::Settings& settings) {
  return settings.tls.replication && settings.tls.port != 0 ? settings.tls.port : settings.network.port;
}

}  // namespace

SentinelService::SentinelService(dispatch::Services& services, const Cores& cores, const TlsContexts& tls,
                                 uint64_t seed)
    : services_(services),
      loop_(services, cores),
      random_(seed),
      names_(kNamePatience),
      scripts_(services.log),
      links_({.loop = loop_,
              .listener = *this,
              .tls = tls,
              .settings = services.settings,
              .clock = clock_,
              .log = services.log}),
      machine_({.port = *this,
                .clock = clock_,
                .seed = random_.Next(),
                .listening_port = ListeningPort(services.settings)}) {
  services_.config.SetLineSource("sentinel", [this] { return machine_.Lines(); });
}

Status SentinelService::Start() {
  const std::string& path = services_.config.path();
  if (path.empty()) return Fail("Sentinel needs config file on disk to save state. Exiting...");
  if (const Status begun = machine_.Start(); !begun) {
    return Fail(
        fmt::format("Sentinel config file {} is not writable: {}. Exiting...", path, begun.error().message),
        begun.error().code);
  }
  started_ = true;
  return {};
}

Millis SentinelService::Work() {
  if (!started_) return CoreWork::kNoWork;
  if (Now() >= next_tick_) {
    Tick();
    next_tick_ = Now() + kTickMin + static_cast<Millis>(random_.Uniform(kTickMax - kTickMin + 1));
  }
  return std::max<Millis>(next_tick_ - Now(), 0);
}

void SentinelService::Tick() {
  for (const ScriptProcesses::Ended& script : scripts_.TakeEnded())
    machine_.ScriptEnded(script.number, script.exit_code, script.signal);
  links_.OnTick();
  machine_.OnTick();
}

// ---- connections ----

void SentinelService::Connect(ConnectionId id, const Address& address) {
  links_.Connect(id, address);
}

void SentinelService::Send(ConnectionId id, std::span<const std::string_view> words) {
  links_.Send(id, words);
}

void SentinelService::Close(ConnectionId id) {
  links_.Close(id);
}

void SentinelService::LinkConnected(ConnectionId id, std::string_view local_ip) {
  machine_.Connected(id, local_ip);
}

void SentinelService::LinkReceived(ConnectionId id, const protocol::Reply& reply) {
  machine_.Received(id, reply);
}

void SentinelService::LinkClosed(ConnectionId id) {
  machine_.Closed(id);
}

std::optional<std::string> SentinelService::Resolve(const std::string& name) {
  return names_.Find(name, Now());
}

// ---- what is told and kept ----

// Messages travel through the mailboxes of the subscribers' cores, so that a client gets them behind the
// reply of the command that has caused them.
void SentinelService::Announce(LogLevel level, std::string_view event, std::string_view text) {
  if (services_.log.Enabled(level)) services_.log.Write(level, fmt::format("{} {}", event, text));
  if (level >= LogLevel::kVerbose) services_.channels->Publish(pubsub::Kind::kChannel, event, text);
}

void SentinelService::Log(LogLevel level, std::string_view text) {
  services_.log.Write(level, text);
}

// The file and its folder are synced: see ConfigFiles::Replace.
Status SentinelService::Save() {
  const Status saved = services_.config.Rewrite();
  if (saved || saved.error().code == 0) return saved;
  return Fail(strerror(saved.error().code), saved.error().code);
}

// ---- scripts ----

bool SentinelService::MayRun(const std::string& path) {
  return MayExecute(path);
}

Result<int64_t> SentinelService::StartScript(const sentinel::ScriptCall& call) {
  return scripts_.Start(call.number, call.path, call.arguments);
}

void SentinelService::KillScript(uint64_t number) {
  scripts_.Kill(number);
}

void SentinelService::Crash() {
  _exit(kCrashStatus);
}

}  // namespace cinnabar::server
