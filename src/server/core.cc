#include "server/core.h"

#include <algorithm>
#include <utility>

#include "config/settings.h"

namespace cinnabar::server {
namespace {

// How often the periodic work runs when there is nothing to do.
constexpr Millis kQuietCronMillis = 1000;

}  // namespace

Core::Core(CoreWork& periodic, CoreClients& clients, dispatch::Services& services,
           ClientMemory& client_memory, int index, uint64_t seed, std::unique_ptr<net::Reactor> reactor)
    : periodic_(periodic),
      clients_(clients),
      services_(services),
      client_memory_(client_memory),
      index_(index),
      reactor_(std::move(reactor)),
      dispatcher_(services, index, seed) {
  dispatcher_.SetBystanders(*this);
}

Core::~Core() = default;

void Core::Stop() {
  stop_.store(true, std::memory_order_release);
  reactor_->Wake();
}

void Core::Post(std::function<void()> work) {
  if (mailbox_.Post(std::move(work))) reactor_->Wake();
}

void Core::PostBetween(std::function<Handled()> work) {
  if (mailbox_.PostBetween(std::move(work))) reactor_->Wake();
}

Status Core::AddListener(int fd, ReadyHandler& handler) {
  TRY_STATUS(reactor_->Add(fd, net::kReadable, &handler));
  listeners_.push_back({&handler, &handler});
  return {};
}

void Core::RemoveListener(int fd, ReadyHandler& handler) {
  reactor_->Remove(fd);
  for (ListenerToken& listener : listeners_) {
    if (listener.handler == &handler) listener.handler = nullptr;
  }
}

int Core::WaitMillis() {
  if (!waiting_.runnable.empty() || !waiting_.suspended.empty() || dispatcher_.evicting()) return 0;
  Millis left = std::min(schedule_.next_work, schedule_.next_cron - SystemMonotonicNanos() / kNanosPerMilli);
  // Outside the gate: others may be reading this core's clock.
  if (dispatcher_.NextTimeout() != keyspace::kNever)
    left = std::min(left, dispatcher_.NextTimeout() - SystemWallNanos() / kNanosPerMilli);
  return static_cast<int>(std::clamp<Millis>(left, 0, 1000));
}

// 1/hz second; up to a second while nobody is connected and no key here expires.
Millis Core::CronIntervalMillis() {
  const Millis usual = 1000 / std::max<int64_t>(services_.settings.general.hz, 1);
  if (!periodic_.Quiet()) return usual;
  return std::clamp<Millis>(dispatcher_.NextExpiry() - dispatcher_.core().now, usual,
                            std::max(usual, kQuietCronMillis));
}

void CoreFigures::Reset() {
  for (telemetry::Counter* counter : {&bytes_in, &bytes_out, &reads, &writes, &turns, &turn_ticks,
                                      &turn_ticks_max, &turn_commands_max, &journal_ticks, &cron_ticks}) {
    counter->Set(0);
  }
}

void Core::Run() {
  keyspace::WorldGate& gate = services_.keyspace.gate();
  while (!stop_.load(std::memory_order_acquire)) {
    std::span<net::Event> events = reactor_->Wait(WaitMillis(), space().EventRoom());
    gate.Enter(index_);
    const Ticks began = dispatcher_.clock().Now();
    const uint64_t commands_before = dispatcher_.counters().commands.Get();
    dispatcher_.UpdateTime();
    ProcessEvents(events);
    RunRunnable();
    CloseDelayed();
    StepContinuations();
    if (dispatcher_.evicting()) dispatcher_.MakeRoom();
    schedule_.next_work = periodic_.Work(index_);
    if (dispatcher_.NextTimeout() != keyspace::kNever) {
      dispatcher_.UpdateTime();
      dispatcher_.TimeOutBlocked();
    }
    DrainMailbox();
    KickJournal();
    const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
    if (now >= schedule_.next_cron) {
      schedule_.last_cron = now;
      const Ticks cron_began = dispatcher_.clock().Now();
      Cron();
      figures_.cron_ticks.Add(dispatcher_.clock().Now() - cron_began);
      KickJournal();
    }
    if (client_memory_.limited()) LimitClients();
    schedule_.next_cron = schedule_.last_cron + CronIntervalMillis();
    std::erase_if(listeners_, [](const ListenerToken& listener) { return listener.handler == nullptr; });
    CountTurn(began, commands_before);
    gate.Leave(index_);
  }
}

void Core::CountTurn(Ticks began, uint64_t commands_before) {
  const Ticks spent = dispatcher_.clock().Now() - began;
  figures_.turns.Add();
  figures_.turn_ticks.Add(spent);
  if (spent > figures_.turn_ticks_max.Get()) figures_.turn_ticks_max.Set(spent);
  // In between the figures may have been set back.
  const uint64_t now = dispatcher_.counters().commands.Get();
  const uint64_t commands = now >= commands_before ? now - commands_before : now;
  if (commands > figures_.turn_commands_max.Get()) figures_.turn_commands_max.Set(commands);
}

void Core::StepContinuations() {
  std::vector<uint64_t> ids = waiting_.suspended;
  for (uint64_t id : ids) {
    Connection* connection = Find(id);
    if (connection == nullptr || !dispatcher_.Step(connection->session)) continue;
    std::erase(waiting_.suspended, id);
    Reopen(*connection);
    Attend(id);
  }
}

// What was written to connections leaves once for each of them.
void Core::DrainMailbox() {
  mailbox_.Drain(workspaces_.depth() > 0 ? Mailbox::When::kDuringCommand : Mailbox::When::kBetweenCommands);
  waiting_.attended.TakeAll([this](uint64_t id) { return Find(id); },
                            [this](Connection& connection) { Attend(connection.session.id); });
}

void Core::Cron() {
  dispatcher_.clock().Resync();
  dispatcher_.UpdateTime();
  periodic_.OnCron(index_);
  if (services_.debug.pause_cron) return;
  const Millis now = dispatcher_.core().now;
  std::vector<Connection*> all;
  all.reserve(connections_.size());
  for (auto& [id, connection] : connections_) all.push_back(connection.get());
  for (Connection* connection : all) CronConnection(*connection, now);
}

}  // namespace cinnabar::server
