// A RESP load generator that costs less than the servers it measures: one epoll loop per thread, requests
// made before the clock starts, replies counted and not built. Talks to 127.0.0.1 or a Unix socket only.
//
// Prints one line of pairs: rps, wall (s), reqs, p50 p99 p999 max (µs, of a batch), errors, ccpu and cwait
// (seconds this client ran, and waited for a CPU). Exit status: 0, 1 error replies, 2 bad use or lost server.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "load_thread.h"

namespace cinnabar::bench {
namespace {

constexpr const char* kUsage =
    "loadgen [-p PORT | -u SOCKET] [-c CONNECTIONS] [-P PIPELINE] [-n REQUESTS] [-r KEYSPACE] [-d "
    "VALUE_BYTES]\n"
    "        [-t TEST] [-T THREADS] [-s SEED] [--seq] [--varied] [--first KEY] [--rate PER_SECOND] "
    "[--seconds S]\n"
    "  --seq      keys in order, each once, instead of random ones of the keyspace\n"
    "  --varied   values of random letters instead of one letter\n"
    "  --first    number of the first key\n"
    "  --rate     paced: latency counts from when a batch was due\n"
    "  --seconds  stop after this time\n"
    "  tests: %s\n";

[[noreturn]] void Usage() {
  std::fprintf(stderr, kUsage, RequestWriter::TestNames().c_str());
  std::exit(2);
}

// Returns whether `name` is a known option with a value, and stores the value.
bool Store(std::string_view name, const char* value, Options& options) {
  auto integer = [&] { return std::strtoll(value, nullptr, 10); };
  if (name == "-p")
    options.port = static_cast<int>(integer());
  else if (name == "-u")
    options.socket = value;
  else if (name == "-c")
    options.connections = static_cast<int>(integer());
  else if (name == "-P")
    options.pipeline = static_cast<int>(integer());
  else if (name == "-n")
    options.requests = integer();
  else if (name == "-r")
    options.keyspace = integer();
  else if (name == "-d")
    options.value_bytes = static_cast<size_t>(integer());
  else if (name == "-t")
    options.test = value;
  else if (name == "-T")
    options.threads = static_cast<int>(integer());
  else if (name == "-s")
    options.seed = static_cast<uint64_t>(integer());
  else if (name == "--first")
    options.first_key = integer();
  else if (name == "--rate")
    options.rate = std::strtod(value, nullptr);
  else if (name == "--seconds")
    options.seconds = std::strtod(value, nullptr);
  else
    return false;
  return true;
}

Options Parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    std::string_view name = arguments[i];
    if (name == "--seq") {
      options.sequential = true;
    } else if (name == "--varied") {
      options.varied = true;
    } else if (i + 1 >= count || !Store(name, arguments[++i], options)) {
      Usage();
    }
  }
  bool sane = options.pipeline > 0 && options.requests > 0 && options.keyspace > 0 && options.threads > 0 &&
              options.connections >= options.threads && RequestWriter::KnownTest(options.test);
  if (!sane) Usage();
  return options;
}

int Report(const std::vector<std::unique_ptr<LoadThread>>& loads) {
  LoadResult sum = loads.front()->result();
  for (size_t i = 1; i < loads.size(); ++i) {
    const LoadResult& one = loads[i]->result();
    sum.started_ns = std::min(sum.started_ns, one.started_ns);
    sum.ended_ns = std::max(sum.ended_ns, one.ended_ns);
    sum.requests += one.requests;
    sum.errors += one.errors;
    sum.cpu_seconds += one.cpu_seconds;
    sum.cpu_wait_seconds += one.cpu_wait_seconds;
    sum.broken = sum.broken || one.broken;
    if (sum.first_error.empty()) sum.first_error = one.first_error;
    sum.latency.Merge(one.latency);
  }
  double wall = static_cast<double>(sum.ended_ns - sum.started_ns) / 1e9;
  std::printf(
      "rps %.0f wall %.4f reqs %lld p50 %.1f p99 %.1f p999 %.1f max %.1f errors %lld ccpu %.4f cwait %.4f\n",
      wall > 0 ? static_cast<double>(sum.requests) / wall : 0.0, wall, static_cast<long long>(sum.requests),
      sum.latency.QuantileMicros(0.5), sum.latency.QuantileMicros(0.99), sum.latency.QuantileMicros(0.999),
      sum.latency.MaxMicros(), static_cast<long long>(sum.errors), sum.cpu_seconds, sum.cpu_wait_seconds);
  if (!sum.first_error.empty()) std::fprintf(stderr, "loadgen: %s\n", sum.first_error.c_str());
  return sum.broken ? 2 : sum.errors > 0 ? 1 : 0;
}

int Main(int count, char** arguments) {
  Options options = Parse(count, arguments);
  std::vector<std::unique_ptr<LoadThread>> loads;
  int64_t share = options.requests / options.threads;
  for (int i = 0; i < options.threads; ++i) {
    int connections =
        options.connections / options.threads + (i < options.connections % options.threads ? 1 : 0);
    int64_t requests = share + (i == options.threads - 1 ? options.requests % options.threads : 0);
    loads.push_back(std::make_unique<LoadThread>(options, i, connections, requests, share * i));
    loads.back()->Prepare();
  }
  std::vector<std::thread> threads;
  for (size_t i = 1; i < loads.size(); ++i) threads.emplace_back([&loads, i] { loads[i]->Run(); });
  loads.front()->Run();
  for (std::thread& thread : threads) thread.join();
  return Report(loads);
}

}  // namespace
}  // namespace cinnabar::bench

int main(int argc, char** argv) {
  return cinnabar::bench::Main(argc, argv);
}
