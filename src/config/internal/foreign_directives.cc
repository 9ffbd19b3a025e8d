#include "config/internal/foreign_directives.h"

#include <algorithm>

#include "base/glob.h"

namespace cinnabar::config {

namespace {

using enum ForeignEffect;

constexpr ForeignDirective kForeign[] = {
    {"list-max-ziplist-entries", "Redis 2", kForgotten},
    {"list-max-ziplist-value", "Redis 2", kForgotten},
    {"lua-replicate-commands", "Redis 6", kForgotten},
    {"gopher-enabled", "Redis 6"},
    {"cluster-slot-stats-enabled", "Redis 8, Valkey 8"},
    {"vset-force-single-threaded-execution", "Redis 8"},
    {"search-*", "Redis 8"},
    {"ts-*", "Redis 8"},
    {"bf-*", "Redis 8"},
    {"cf-*", "Redis 8"},
    {"lookahead", "Redis 8"},
    {"aof-load-corrupt-tail-max-size", "Redis 8"},
    {"cluster-slot-migration-handoff-max-lag-bytes", "Redis 8"},
    {"cluster-slot-migration-write-pause-timeout", "Redis 8"},
    {"tls-auth-clients-user", "Redis 8, Valkey 9"},
    {"key-memory-histograms", "Redis 8"},
    {"stream-idmp-duration", "Redis 8"},
    {"stream-idmp-maxsize", "Redis 8"},
    {"slowlog-entry-max-argc", "Redis 8"},
    {"slowlog-entry-max-string-len", "Redis 8"},
    {"array-*", "Redis 8"},
    {"primaryauth", "Valkey 8", kSame, "masterauth"},
    {"primaryuser", "Valkey 8", kSame, "masteruser"},
    {"availability-zone", "Valkey 8"},
    {"cluster-announce-client-ipv4", "Valkey 8"},
    {"cluster-announce-client-ipv6", "Valkey 8"},
    {"cluster-blacklist-ttl", "Valkey 8"},
    {"cluster-ping-interval", "Valkey 8"},
    {"debug-context", "Valkey 8"},
    {"events-per-io-thread", "Valkey 8"},
    {"extended-redis-compatibility", "Valkey 8"},
    {"prefetch-batch-max-size", "Valkey 8"},
    {"unixsocketgroup", "Valkey 8"},
    {"active-defrag-cycle-us", "Valkey 8"},
    {"cluster-manual-failover-timeout", "Valkey 8"},
    {"commandlog-execution-slower-than", "Valkey 8", kSame, "slowlog-log-slower-than"},
    {"commandlog-slow-execution-max-len", "Valkey 8", kSame, "slowlog-max-len"},
    {"commandlog-large-reply-max-len", "Valkey 8"},
    {"commandlog-large-request-max-len", "Valkey 8"},
    {"commandlog-reply-larger-than", "Valkey 8"},
    {"commandlog-request-larger-than", "Valkey 8"},
    {"hash-seed", "Valkey 8"},
    {"import-mode", "Valkey 8"},
    {"log-format", "Valkey 8"},
    {"log-timestamp-format", "Valkey 8"},
    {"lua-enable-insecure-api", "Valkey 8"},
    {"rdma-*", "Valkey 8"},
    {"auto-failover-on-shutdown", "Valkey 9"},
    {"cluster-announce-client-port", "Valkey 9"},
    {"cluster-announce-client-tls-port", "Valkey 9"},
    {"cluster-config-save-behavior", "Valkey 9"},
    {"cluster-databases", "Valkey 9"},
    {"cluster-message-gossip-perc", "Valkey 9"},
    {"cluster-slot-migration-log-max-len", "Valkey 9"},
    {"io-threads-always-active", "Valkey 9"},
    {"min-io-threads-avoid-copy-reply", "Valkey 9"},
    {"min-string-size-avoid-copy-reply*", "Valkey 9"},
    {"mptcp", "Valkey 9"},
    {"repl-mptcp", "Valkey 9"},
    {"slot-migration-max-failover-repl-bytes", "Valkey 9"},
    {"tcp-keepalive-probes", "Valkey 9"},
    {"tls-auto-reload-interval", "Valkey 9"},
};

}  // namespace

std::span<const ForeignDirective> ForeignDirectives() {
  return kForeign;
}

const ForeignDirective* FindForeignDirective(std::string_view name) {
  const auto* found = std::ranges::find_if(kForeign, [name](const ForeignDirective& directive) {
    return GlobMatch(directive.name, name, CaseMode::kInsensitive);
  });
  return found == std::end(kForeign) ? nullptr : found;
}

}  // namespace cinnabar::config
