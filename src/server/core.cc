// The loop of a core.
//
// The core waits for events, does a turn of work, and waits again. In a turn it
//   1. serves the connections that are ready, up to 16 of them together (core_turns.cc),
//   2. goes on with pipelines that were too long for one turn, and then answers other cores that want to know
//      whether all that had arrived here is executed (catch_up.h),
//   3. closes the connections that could not be closed while a long command was in the middle,
//   4. gives each suspended command a slice of time,
//   5. does work that no client waits for: eviction, a slice of loading or defragmentation, time-outs,
//   6. does the work in its mailbox, then sends the messages and replies that this has brought,
//   7. writes the journal if replies wait for it, and does its periodic work about every 1/hz second.
// Clients come first because they wait. The mailbox comes behind them because the batch itself posts to it: a
// blocked client of this core that a command has served, and a subscriber of this core that a command has
// sent a message to, get theirs in the same turn, behind the reply of that command.
//
// The gate. A core is inside the world gate for the whole turn and outside it while it waits. Whoever stops
// the world waits until all cores are outside. So a core that is inside may read settings, sessions and
// statistics without a lock, and whoever has stopped the world may change those of every core. For the same
// reason the loop looks at nothing that others may change while it is outside (WaitMillis). A turn with many
// connections leaves the gate for a moment between two chunks of them, so that the world can be stopped soon.
//
// Locks. The order is: world gate, shards ascending, journal, leaf locks (docs/design/locks.md). A command
// takes its shards and gives them back before the next one begins: between two commands, and whenever the
// loop calls somebody else, no shard is held. The exception is the turn that a long command gives to others
// (Serve): that command still holds its shards, and commands that run in the turn may only try a lock, never
// wait for one.
#include "server/core.h"

#include <algorithm>
#include <utility>

#include "config/settings.h"
#include "dispatch/tracking.h"

namespace cinnabar::server {
namespace {

// How often the periodic work runs when there is nothing to do.
constexpr Millis kQuietCronMillis = 1000;
// Beside a script that keeps everybody waiting there is nothing to do but to answer, and to see it end.
constexpr int kBusyWaitMillis = 20;

}  // namespace

Core::Core(CoreWork& periodic, CoreClients& clients, dispatch::Services& services,
           ClientMemory& client_memory, int index, uint64_t seed, std::unique_ptr<net::Reactor> reactor)
    : periodic_(periodic),
      clients_(clients),
      services_(services),
      client_memory_(client_memory),
      index_(index),
      reactor_(std::move(reactor)),
      dispatcher_(services, index, seed),
      catch_up_(clients.cores(), index, *reactor_),
      invalidations_(clients.cores(), services.memory_pressure.invalidation_bytes) {
  dispatcher_.long_commands().SetBystanders(*this);
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

void Core::TakeInvalidation(dispatch::Invalidation letter, int from) {
  // Whoever calls on this core's thread writes them itself before it sleeps.
  if (invalidations_.Post(std::move(letter)) && from != index_) reactor_->Wake();
}

bool Core::InTheMiddle(const Connection& connection) {
  for (size_t level = 0; level < workspaces_.depth(); ++level) {
    for (const Turn& turn : workspaces_.at(level).turns) {
      if (turn.busy && turn.connection == &connection) return true;
    }
  }
  return false;
}

// What the commands of this core have changed is told before their replies leave.
void Core::TellChanges() {
  services_.tracking->SendBroadcasts(index_);
  WriteInvalidations();
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
  if ((services_.alarms.load(std::memory_order_relaxed) & dispatch::Alarm::kBusy) != 0)
    return kBusyWaitMillis;
  if (!waiting_.runnable.empty() || !waiting_.suspended.empty() || catch_up_.asked() ||
      dispatcher_.evictor().due())
    return 0;
  Millis left = std::min(schedule_.next_work, schedule_.next_cron - SystemMonotonicNanos() / kNanosPerMilli);
  // Outside the gate: others may be reading this core's clock.
  if (dispatcher_.blocked().NextTimeout() != keyspace::kNever)
    left = std::min(left, dispatcher_.blocked().NextTimeout() - SystemWallNanos() / kNanosPerMilli);
  return static_cast<int>(std::clamp<Millis>(left, 0, 1000));
}

// 1/hz second, or up to a second while nobody is connected and no key here expires.
Millis Core::CronIntervalMillis() {
  const Millis usual = 1000 / std::max<int64_t>(services_.settings.general.hz, 1);
  if (!periodic_.Quiet()) return usual;
  return std::clamp<Millis>(dispatcher_.expiry().NextExpiry() - dispatcher_.core().now, usual,
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
    const uint64_t asked = catch_up_.asked_so_far();
    catch_up_.SetAtRest(waiting_.runnable.empty());
    std::span<net::Event> events = reactor_->Wait(WaitMillis(), space().EventRoom());
    catch_up_.SetAtRest(false);
    gate.Enter(index_);
    if ((services_.alarms.load(std::memory_order_acquire) & dispatch::Alarm::kBusy) != 0) [[unlikely]] {
      ServeBesideScript(events);
      gate.Leave(index_);
      continue;
    }
    const Ticks began = dispatcher_.clock().Now();
    const uint64_t commands_before = dispatcher_.telemetry().counters().commands.Get();
    dispatcher_.UpdateTime();
    ProcessEvents(events);
    RunRunnable();
    catch_up_.TurnEnded(asked);
    CloseDelayed();
    StepContinuations();
    if (dispatcher_.evictor().due()) dispatcher_.evictor().MakeRoom();
    schedule_.next_work = periodic_.Work(index_);
    if (dispatcher_.blocked().NextTimeout() != keyspace::kNever &&
        services_.running_scripts.long_ones() == 0) {
      dispatcher_.UpdateTime();
      dispatcher_.blocked().TimeOut();
    }
    DrainMailbox();
    KickJournal();
    periodic_.TurnEnded(index_);
    const Millis now = SystemMonotonicNanos() / kNanosPerMilli;
    if (now >= schedule_.next_cron) {
      schedule_.last_cron = now;
      const Ticks cron_began = dispatcher_.clock().Now();
      Cron();
      DrainMailbox();  // keys have expired
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
  // CONFIG RESETSTAT may have set the figures back in this turn.
  const uint64_t now = dispatcher_.telemetry().counters().commands.Get();
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

// However many messages a connection gets from the mailbox, they leave together. Invalidations come last:
// some wait for the reply of a blocked command that is in the mailbox.
void Core::DrainMailbox() {
  mailbox_.Drain(workspaces_.depth() > 0 ? Mailbox::When::kDuringCommand : Mailbox::When::kBetweenCommands);
  TellChanges();
  waiting_.attended.TakeAll([this](uint64_t id) { return Find(id); },
                            [this](Connection& connection) { Attend(connection.session.id); });
  invalidations_.Sent();
}

void Core::Cron() {
  dispatcher_.clock().Resync();
  dispatcher_.UpdateTime();
  periodic_.OnCron(index_);
  catch_up_.Cron();
  if (services_.debug.pause_cron) return;
  const Millis now = dispatcher_.core().now;
  std::vector<Connection*> all;
  all.reserve(connections_.size());
  for (auto& [id, connection] : connections_) all.push_back(connection.get());
  for (Connection* connection : all) CronConnection(*connection, now);
}

}  // namespace cinnabar::server
