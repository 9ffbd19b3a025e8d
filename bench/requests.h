// What a load consists of: the options of a run, and the RESP requests of each test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cinnabar::bench {

struct Options {
  int port = 6379;
  std::string socket;  // a Unix socket instead of the port
  int connections = 50;
  int pipeline = 1;
  int64_t requests = 100'000;
  int64_t keyspace = 1'000'000;
  int64_t first_key = 0;
  size_t value_bytes = 64;
  std::string test = "get";
  int threads = 1;
  uint64_t seed = 12345;
  bool sequential = false;
  bool varied = false;  // values of random letters and digits instead of one letter: nothing to compress
  double rate = 0;      // requests per second over all connections; 0 is as fast as replies come
  double seconds = 0;   // stop after this time, whatever `requests` says; 0 is no limit
};

// xorshift64*: cheap, and the same sequence for the same seed everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x1234567u) {
    for (int i = 0; i < 8; ++i) Next();
  }
  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }
  int64_t Below(int64_t limit) { return static_cast<int64_t>((Next() >> 16) % static_cast<uint64_t>(limit)); }

 private:
  uint64_t state_;
};

// Writes the requests of one test. Keys are 16 bytes, `key:` and 12 digits (`ctr:` for counters).
//
// A test is a name, or a command with its arguments in which `%k` stands for the number of a key (12 digits,
// random or in sequence), `%n` for a random number of the keyspace as it is, and `%v` for the value: "HSET
// hash:%k field %v". Several commands with the word `;` between them take turns: "SET key:%k %v ; WAIT 1 0".
class RequestWriter {
 public:
  // REQUIRES: KnownTest(options.test). Keeps a reference to `options`.
  RequestWriter(const Options& options, uint64_t seed);

  // Appends the request with this running number; the number picks the key in a sequential run.
  void Append(int64_t number, std::string& out);

  static bool KnownTest(std::string_view test);
  static std::string TestNames();

 private:
  void Key(std::string_view prefix, int64_t number, std::string& out);
  void Part(std::string_view part, std::string& out);
  void Command(const std::vector<std::string>& words, int64_t number, std::string& out);
  // The number of the key of this request.
  long long Index(int64_t number);
  void Many(std::string_view name, int keys, bool with_values, int64_t number, std::string& out);

  const Options& options_;
  Random random_;
  std::string text_;  // values are pieces of it
  std::string_view Value();
  std::vector<std::vector<std::string>> commands_;  // the words of each command of a test that is commands
};

}  // namespace cinnabar::bench
