// Client eviction: when all clients together take more than maxmemory-clients, the largest are disconnected,
// whichever core they live on, until the rest fits.
//
// A core weighs its clients as it works with them and compares the total with the limit: before it runs the
// commands of a turn, after each of them, and at the end of the turn. A core that finds the limit exceeded
// stops the world, so that exactly the largest clients go and no more than necessary. That happens once each
// time that clients grow too large, not for each command. In a turn that a long command gives to others the
// world cannot be stopped: the total is looked at when that command has ended.
#include <algorithm>
#include <utility>
#include <vector>

#include "commands/connection/client_line.h"
#include "commands/server/memory_figures.h"
#include "config/settings.h"
#include "server/client_directory.h"

namespace cinnabar::server {

void Core::Weigh(Connection& connection) {
  if (!client_memory_.limited() || connection.doomed) return;
  NoteQueryMemory(connection);
  const ClientWeight weight{.bytes = commands::ClientMemory(connection.session),
                            .evictable = !connection.session.no_evict};
  client_memory_.Change(index_, std::exchange(connection.weight, weight), weight);
}

void Core::Unweigh(Connection& connection) {
  client_memory_.Change(index_, std::exchange(connection.weight, {}), {});
}

void Core::WeighAll() {
  for (auto& [id, connection] : connections_) {
    if (client_memory_.limited()) {
      Weigh(*connection);
    } else {
      Unweigh(*connection);
    }
  }
}

void Core::LimitClients() {
  for (const Turn& turn : space().turns) {
    if (turn.connection != nullptr) Weigh(*turn.connection);
  }
  if (workspaces_.depth() == 0 && client_memory_.Over()) clients_.EvictClients(index_);
}

// A command has run. A client that is over the limit of its own output goes first, so that others need not.
void Core::LimitAfter(Connection& connection) {
  dispatch::Session& session = connection.session;
  if (session.closing == dispatch::Closing::kNow) return;
  if (workspaces_.depth() > 0) return Weigh(connection);
  if (session.output.chunk_memory() != 0 && OverOutputLimits(connection)) {
    clients_.Dismiss(session);
    session.output.Clear();
    return;
  }
  Weigh(connection);
  if (client_memory_.Over()) clients_.EvictClients(index_);
}

void Core::Discard(uint64_t id, int caller) {
  Connection* connection = Find(id);
  if (connection == nullptr) return;
  // Another core that has the connection in its turn still works with these until it closes the connection.
  if (!connection->in_turn() || caller == index_) connection->session.output.Clear();
  if (connection->in_turn()) return;
  connection->input.Clear();
  connection->session.transaction.Reset();
}

void ClientDirectory::EvictClients(int core) {
  dispatch::Dispatcher& dispatcher = cores_[static_cast<size_t>(core)]->dispatcher();
  if (!dispatcher.long_commands().WorldIsFree()) return;  // the next turn looks again
  dispatcher.WithWorldStopped([&] { EvictUntilWithinLimit(core); });
}

void ClientDirectory::EvictUntilWithinLimit(int core) {
  if (!client_memory_.Over()) return;
  struct Candidate {
    uint64_t bytes;
    dispatch::Session* session;
  };
  std::vector<Candidate> candidates;
  for (auto& each : cores_) {
    each->RefreshFacts();
    each->ForEachConnection([&](Connection& connection) {
      if (connection.weight.bytes > 0 && connection.weight.evictable)
        candidates.push_back({connection.weight.bytes, &connection.session});
    });
  }
  const auto smaller = [](const Candidate& a, const Candidate& b) {
    return std::pair(a.bytes, b.session->id) < std::pair(b.bytes, a.session->id);
  };
  std::make_heap(candidates.begin(), candidates.end(), smaller);
  while (client_memory_.Over() && !candidates.empty()) {
    std::pop_heap(candidates.begin(), candidates.end(), smaller);
    dispatch::Session& session = *candidates.back().session;
    candidates.pop_back();
    const Millis now = cores_[static_cast<size_t>(core)]->dispatcher().core().now;
    log_.Notice("Evicting client: {}",
                commands::ClientLine(session, {.compat = settings_.general.compat_version, .now = now}));
    Dismiss(session);
    CoreOf(session).Discard(session.id, core);
    client_memory_.CountEvicted();
  }
}

}  // namespace cinnabar::server
