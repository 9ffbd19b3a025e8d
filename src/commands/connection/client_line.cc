#include "commands/connection/client_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "commands/server/memory_figures.h"
#include "dispatch/access_control.h"
#include "dispatch/tracking.h"

namespace cinnabar::commands {
namespace {

using dispatch::Closing;
using dispatch::Session;

// One letter per state, in Redis's order; N when there is nothing to tell.
std::string Flags(const Session& session) {
  std::string flags;
  const auto add = [&](bool is, char letter) {
    if (is) flags += letter;
  };
  add(session.monitor, 'O');
  add(session.replica(), 'S');
  add(session.upstream, 'M');
  add(session.subscribed(), 'P');
  add(session.in_transaction() || session.transaction.running > 0, 'x');
  add(session.postponed || session.suspended, 'b');
  add(session.tracking != nullptr, 't');
  add(session.tracking != nullptr && session.tracking->redirect_broken, 'R');
  add(session.tracking != nullptr && session.tracking->options.broadcasts, 'B');
  add(session.transaction.watcher.dirty.load(std::memory_order_relaxed), 'd');
  add(session.closing == Closing::kAfterReply, 'c');
  add(session.closing == Closing::kNow, 'A');
  add(session.facts.unix_socket, 'U');
  add(session.reads_replica, 'r');
  add(session.no_evict, 'e');
  add(session.no_touch, 'T');
  return flags.empty() ? "N" : flags;
}

std::string Events(const Session& session) {
  std::string events;
  if (session.facts.reading) events += 'r';
  if (session.facts.writing) events += 'w';
  return events;
}

// Those that are queued, or that EXEC runs just now.
int64_t CommandsOf(const dispatch::Transaction& transaction) {
  if (transaction.open) return static_cast<int64_t>(transaction.queue.size());
  return transaction.running > 0 ? static_cast<int64_t>(transaction.running) : -1;
}

int64_t SecondsSince(Millis then, Millis now) {
  return std::max<Millis>(now - then, 0) / kMillisPerSecond;
}

}  // namespace

std::string ClientLine(const Session& session, const ClientLineOptions& options) {
  const dispatch::ConnectionFacts& facts = session.facts;
  const dispatch::Transaction& transaction = session.transaction;
  const bool newer = options.compat != config::CompatVersion::k70;
  const size_t argument_bytes = std::max(options.argument_bytes, facts.partial_argument_bytes);
  const size_t transaction_bytes = transaction.queue_memory + transaction.watch_memory;
  std::string line = fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={}",
      session.id, facts.peer, facts.local, facts.fd, session.name, SecondsSince(session.created, options.now),
      SecondsSince(session.last_active, options.now), Flags(session), session.database,
      session.subscriptions(pubsub::Kind::kChannel), session.subscriptions(pubsub::Kind::kPattern),
      session.subscriptions(pubsub::Kind::kShardChannel), CommandsOf(transaction));
  auto out = std::back_inserter(line);
  if (newer) fmt::format_to(out, " watch={}", transaction.watched.size());
  fmt::format_to(
      out, " qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={}",
      facts.query_bytes, facts.query_free_bytes, argument_bytes, transaction_bytes,
      session.output.fixed_capacity(), facts.reply_peak_bytes, session.output.fixed_pending(),
      session.output.chunk_count(), session.output.chunk_memory(), ClientMemory(session));
  fmt::format_to(out, " events={} cmd={} user={} redir={} resp={}", Events(session),
                 session.last_command == nullptr ? "NULL" : session.last_command->name,
                 dispatch::UserName(session),
                 session.tracking == nullptr ? -1 : static_cast<int64_t>(session.tracking->options.redirect),
                 static_cast<int>(session.reply.version()));
  if (newer) fmt::format_to(out, " lib-name={} lib-ver={}", session.library_name, session.library_version);
  return line;
}

}  // namespace cinnabar::commands
