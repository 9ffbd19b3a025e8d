// MEMORY: what keys and the server take, and what may be wrong with that.
#include <fmt/format.h>

#include "catalog/errors.h"
#include "commands/help_reply.h"
#include "commands/server/memory_figures.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "keyspace/string_value.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

constexpr int64_t kDefaultSamples = 5;
// An entry's share of its bucket: buckets are about two thirds full.
constexpr size_t kSlotBytes = sizeof(TableSlot) * 3 / 2;

size_t MemoryOf(const keyspace::Entry& entry, size_t samples) {
  size_t bytes = entry.size() + kSlotBytes;
  if (entry.place() == keyspace::Place::kShared) {
    bytes += sizeof(SharedBytes::Block) + keyspace::StringLength(entry);
  } else if (entry.place() == keyspace::Place::kObject) {
    bytes += reinterpret_cast<const types::Value*>(entry.word())->memory(samples);
  }
  return bytes;
}

void Usage(Call& call) {
  int64_t samples = kDefaultSamples;
  Args args(call, 3);
  while (args.more() && !args.failed()) {
    if (!args.TakeWith("SAMPLES")) {
      args.FailSyntax();
      break;
    }
    samples = args.Int();
    if (!args.failed() && samples < 0) args.FailSyntax();
  }
  if (args.failed()) return args.Reply(call);
  keyspace::EntryRef entry = call.db().Peek(call.key(2));
  if (!entry) return call.reply().Null();
  call.reply().Integer(static_cast<int64_t>(MemoryOf(*entry, static_cast<size_t>(samples))));
}

class StatsWriter {
 public:
  explicit StatsWriter(protocol::ReplyWriter& reply) : reply_(reply) {
    reply_.Begin(protocol::ReplyWriter::Aggregate::kMap);
  }
  ~StatsWriter() { reply_.End(pairs_); }
  void Number(std::string_view name, int64_t value) {
    Name(name);
    reply_.Integer(value);
  }
  void Number(std::string_view name, uint64_t value) { Number(name, static_cast<int64_t>(value)); }
  void Fraction(std::string_view name, double value) {
    Name(name);
    reply_.Double(value);
  }
  void Name(std::string_view name) {
    reply_.Bulk(name);
    ++pairs_;
  }

 private:
  protocol::ReplyWriter& reply_;
  size_t pairs_ = 0;
};

double Ratio(uint64_t value, uint64_t of) {
  return of == 0 ? 0.0 : static_cast<double>(value) / static_cast<double>(of);
}

int64_t Difference(uint64_t value, uint64_t from) {
  return static_cast<int64_t>(value) - static_cast<int64_t>(from);
}

void WriteDatabase(StatsWriter& stats, protocol::ReplyWriter& reply, const DatabaseMemory& database) {
  stats.Name(fmt::format("db.{}", database.index));
  reply.Map(3);
  reply.Bulk("overhead.hashtable.main");
  reply.Integer(static_cast<int64_t>(database.table_bytes));
  // Keys that expire stand in the same table.
  reply.Bulk("overhead.hashtable.expires");
  reply.Integer(0);
  reply.Bulk("overhead.hashtable.slot-to-keys");
  reply.Integer(0);
}

void Stats(Call& call) {
  const MemoryFigures figures = ReadMemoryFigures(call.services());
  const os::AllocatorStats& allocator = figures.allocator;
  StatsWriter stats(call.reply());
  stats.Number("peak.allocated", figures.peak);
  stats.Number("total.allocated", figures.used);
  stats.Number("startup.allocated", figures.startup);
  stats.Number("replication.backlog", figures.backlog);
  stats.Number("clients.slaves", figures.of_replicas());
  stats.Number("clients.normal", figures.clients);
  stats.Number("cluster.links", figures.cluster_links);
  stats.Number("aof.buffer", figures.aof_buffer);
  stats.Number("lua.caches", int64_t{0});
  stats.Number("functions.caches", int64_t{0});
  for (const DatabaseMemory& database : figures.databases) WriteDatabase(stats, call.reply(), database);
  stats.Number("overhead.total", figures.overhead);
  stats.Number("keys.count", figures.keys);
  stats.Number("keys.bytes-per-key", figures.bytes_per_key());
  stats.Number("dataset.bytes", figures.dataset());
  stats.Fraction("dataset.percentage", figures.dataset_percent());
  stats.Fraction("peak.percentage", figures.peak_percent());
  stats.Number("allocator.allocated", allocator.allocated);
  stats.Number("allocator.active", allocator.active);
  stats.Number("allocator.resident", allocator.resident);
  stats.Fraction("allocator-fragmentation.ratio", Ratio(allocator.active, allocator.allocated));
  stats.Number("allocator-fragmentation.bytes", Difference(allocator.active, allocator.allocated));
  stats.Fraction("allocator-rss.ratio", Ratio(allocator.resident, allocator.active));
  stats.Number("allocator-rss.bytes", Difference(allocator.resident, allocator.active));
  stats.Fraction("rss-overhead.ratio", Ratio(figures.resident, allocator.resident));
  stats.Number("rss-overhead.bytes", Difference(figures.resident, allocator.resident));
  stats.Fraction("fragmentation", Ratio(figures.resident, figures.used));
  stats.Number("fragmentation.bytes", Difference(figures.resident, figures.used));
}

std::string Diagnosis(const MemoryFigures& figures, size_t clients) {
  constexpr uint64_t kTooSmallToJudge = 5 << 20;
  if (figures.used < kTooSmallToJudge) {
    return "This instance is empty or uses very little memory: there is nothing to judge yet. Come back when "
           "it "
           "holds some data.\n";
  }
  std::string advice;
  const os::AllocatorStats& allocator = figures.allocator;
  if (Ratio(figures.peak, figures.used) > 1.5) {
    advice +=
        " * Peak memory: at some time this instance used over 150% of what it uses now. Memory of that time "
        "may "
        "still be counted as resident; MEMORY PURGE gives it back, and a high fragmentation ratio is "
        "harmless.\n";
  }
  if (Ratio(figures.resident, figures.used) > 1.4 && Difference(figures.resident, figures.used) > 10 << 20) {
    advice +=
        " * High total memory: the process takes over 140% of what the data need. Look at the lines below "
        "for the "
        "cause, or at other libraries in this process.\n";
  }
  if (Ratio(allocator.active, allocator.allocated) > 1.1 &&
      Difference(allocator.active, allocator.allocated) > 10 << 20) {
    advice +=
        " * Fragmentation: pages of the allocator are used badly, as happens when values of many sizes come "
        "and go. "
        "A restart packs them anew.\n";
  }
  if (Ratio(allocator.resident, allocator.active) > 1.1 &&
      Difference(allocator.resident, allocator.active) > 10 << 20) {
    advice += " * The allocator keeps many pages that it does not use. MEMORY PURGE gives them back.\n";
  }
  if (clients > 0 && figures.clients / clients > 200 * 1024) {
    advice +=
        " * Big buffers: clients hold more than 200 kB each on average. CLIENT LIST shows which ones read "
        "their "
        "replies too slowly.\n";
  }
  if (advice.empty())
    return "I have looked at the memory of this instance and found nothing to complain about.\n";
  return "I see something to look at in this instance:\n\n" + advice;
}

void Doctor(Call& call) {
  const MemoryFigures figures = ReadMemoryFigures(call.services());
  call.reply().Verbatim("txt", Diagnosis(figures, call.services().clients.Count()));
}

void Purge(Call& call) {
  os::MallocPurge();
  call.reply().Ok();
}

void MallocStats(Call& call) {
  call.reply().Verbatim("txt", os::MallocStats());
}

void Help(Call& call) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return memory problems reports.",
      "MALLOC-STATS",
      "    Return internal statistics report from the memory allocator.",
      "PURGE",
      "    Attempt to purge dirty pages for reclamation by the allocator.",
      "STATS",
      "    Return information about the memory usage of the server.",
      "USAGE <key> [SAMPLES <count>]",
      "    Return memory in bytes used by <key> and its value. Nested values are",
      "    sampled up to <count> times (default: 5, 0 means sample all).",
  };
  ReplyHelp(call, kLines);
}

constexpr std::string_view kReportTips =
    "nondeterministic_output,request_policy:all_shards,response_policy:special";
constexpr std::string_view kAllocatorComplexity = "Depends on how much memory is allocated, could be slow";

constexpr CommandSpec kTable[] = {
    {
        .name = "memory",
        .synopsis = "",
        .summary = "A container for commands about memory.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "Depends on subcommand.",
        .arity = -2,
    },
    {
        .name = "memory|doctor",
        .synopsis = "",
        .summary = "Says in words what may be wrong with the server's memory.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kWorld,
        .tips = kReportTips,
        .run = Doctor,
    },
    {
        .name = "memory|help",
        .synopsis = "",
        .summary = "Returns helpful text about the subcommands.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kLoading | Flag::kStale,
        .run = Help,
    },
    {
        .name = "memory|malloc-stats",
        .synopsis = "",
        .summary = "Returns the report of the memory allocator.",
        .since = "4.0.0",
        .group = "server",
        .complexity = kAllocatorComplexity,
        .arity = 2,
        .tips = kReportTips,
        .run = MallocStats,
    },
    {
        .name = "memory|purge",
        .synopsis = "",
        .summary = "Gives unused memory back to the system.",
        .since = "4.0.0",
        .group = "server",
        .complexity = kAllocatorComplexity,
        .arity = 2,
        .tips = "request_policy:all_shards,response_policy:all_succeeded",
        .run = Purge,
    },
    {
        .name = "memory|stats",
        .synopsis = "",
        .summary = "Returns what the server's memory is used for.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "O(1)",
        .arity = 2,
        .flags = Flag::kWorld,
        .tips = kReportTips,
        .run = Stats,
    },
    {
        .name = "memory|usage",
        .synopsis = "key [SAMPLES:integer count]",
        .summary = "Estimates the bytes that a key and its value take.",
        .since = "4.0.0",
        .group = "server",
        .complexity = "O(N) where N is the number of samples.",
        .arity = -3,
        .flags = Flag::kReadOnly,
        .keys = {dispatch::OneKey(KeyUse::kRo, 2)},
        .run = Usage,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kServerMemoryCommands{kTable};

}  // namespace cinnabar::commands
