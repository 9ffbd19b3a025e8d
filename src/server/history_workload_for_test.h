// The clients of the parallel-history test: each sends seeded random commands over a handful of keys, so that
// nearly everything conflicts with something.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "server/history_collections_for_test.h"
#include "server/history_record_for_test.h"

namespace cinnabar::server {

// Makes commands. Everything is deterministic for the server: no relative expiry, no random choice.
class CommandSource : public CollectionSource {
 public:
  using CollectionSource::CollectionSource;

  std::string Key() { return KeyOf("key"); }

  Words Any() {
    if (OneIn(12)) return Blocking();
    switch (Below(6)) {
      case 0:
        return ReadOne();
      case 1:
        return WriteOne();
      case 2:
        return Several();
      default:
        return OfCollection();
    }
  }

  // A script of one of the four ways to run. Its text is new every few calls: so it is proven in runs that
  // have the world, runs under its keys, strays now and then, before or behind a write, and is run with the
  // world again. Values are of any size: some are too large to be copied for the case that a run is taken
  // back.
  Words Script() {
    const std::string version = "-- " + std::to_string(scripts_++ / 60);
    const std::string stray = OneIn(25) ? AnyKey() : "";
    switch (Below(8)) {
      case 0:
        return {"EVAL", "return redis.call('append', KEYS[1], ARGV[1]) " + version, "1", Key(), Value()};
      case 1:
        return {"EVAL", "return {redis.pcall('get', KEYS[1]), redis.pcall('get', KEYS[2])} " + version, "2",
                Key(), Key()};
      case 2:  // strays before it has written
        return {"EVAL",
                "local seen = ARGV[1] ~= '' and redis.call('exists', ARGV[1]) or 0 "
                "redis.pcall('incr', KEYS[1]) for i = 1, 3000 do end "
                "return {seen, redis.pcall('get', KEYS[1]), ARGV[1] ~= '' and redis.pcall('get', ARGV[1])} " +
                    version,
                "1", Key(), stray};
      case 3:  // strays behind a write
        return {"EVAL",
                "redis.call('set', KEYS[1], ARGV[2]) redis.pcall('rpush', KEYS[2], ARGV[2]) "
                "if ARGV[1] ~= '' then redis.call('del', ARGV[1]) end for i = 1, 3000 do end "
                "return {redis.pcall('get', KEYS[1]), redis.pcall('llen', KEYS[2]), "
                "ARGV[1] ~= '' and redis.call('exists', ARGV[1])} " +
                    version,
                "2",
                Key(),
                OneIn(2) ? KeyOf("list") : Key(),
                stray,
                Value()};
      case 4:  // needs the world in the middle
        return {"EVAL",
                "redis.call('set', KEYS[1], ARGV[1]) "
                "if ARGV[2] ~= '' then return redis.call('dbsize') > 0 end return 'few' " +
                    version,
                "1",
                Key(),
                Value(),
                stray};
      case 5:  // names its keys by itself
        return {"EVAL", "return redis.pcall('append', 'k' .. 'ey:' .. ARGV[1], 'x') " + version, "0",
                Number(4)};
      case 6:
        return {"EVAL_RO", "return redis.call('exists', KEYS[1], ARGV[1]) " + version, "1", AnyKey(),
                stray.empty() ? "none" : stray};
      default:  // writes, fails in the middle, and what it has written stays
        return {"EVAL",
                "redis.call('set', KEYS[1], ARGV[1]) if ARGV[2] ~= '' then redis.call('get', ARGV[2]) end "
                "return redis.call('incr', KEYS[2]) " +
                    version,
                "2",
                Key(),
                Key(),
                Value(),
                stray};
    }
  }

  // What needs the whole keyspace. KEYS and DBSIZE are atomic inside MULTI only.
  Words World(bool in_transaction) {
    switch (Below(in_transaction ? 5 : 3)) {
      case 0:
        return {"SWAPDB", "0", "1"};
      case 1:
        return OneIn(2) ? Words{"FLUSHDB"} : Words{"FLUSHALL"};
      case 2:
        return {"SELECT", std::to_string(Below(2))};
      case 3:
        return {"KEYS", "*"};
      default:
        return {"DBSIZE"};
    }
  }

 private:
  uint64_t scripts_ = 0;

  Words ReadOne() {
    switch (Below(10)) {
      case 0:
        return {"STRLEN", Key()};
      case 1:
        return {"GETRANGE", Key(), "-7", "-2"};
      case 2:
        return {"GETBIT", Key(), std::to_string(Below(64))};
      case 3:
        return {"BITCOUNT", Key()};
      case 4:
        return {"PEXPIRETIME", AnyKey()};
      case 5:
        return {"TYPE", AnyKey()};
      case 6:
        return {"PFCOUNT", Key()};
      default:
        return {"GET", Key()};
    }
  }

  Words WriteOne() {
    switch (Below(20)) {
      case 0:
        return {"SET", Key(), Value(), "NX"};
      case 1:
        return {"SET", Key(), Value(), "GET"};
      case 2:
        return {"SET", Key(), Value(), "XX", "KEEPTTL"};
      case 3:
        return {"SET", Key(), Value(), "PXAT", "999999999999" + std::to_string(Below(10))};
      case 4:
        return {"APPEND", Key(), Value()};
      case 5:
        return {"INCR", Key()};
      case 6:
        return {"DECRBY", Key(), std::to_string(Below(50))};
      case 7:
        return {"INCRBYFLOAT", Key(), "0.25"};
      case 8:
        return {"GETDEL", Key()};
      case 9:
        return {"GETSET", Key(), Value()};
      case 10:
        return {"SETRANGE", Key(), std::to_string(Below(40)), Value()};
      case 11:
        return {"SETBIT", Key(), std::to_string(Below(64)), std::to_string(Below(2))};
      case 12:
        return {"PEXPIREAT", AnyKey(), "999999999999" + std::to_string(Below(10))};
      case 13:
        return {"PERSIST", AnyKey()};
      case 14:
        return {"GETEX", Key(), "PERSIST"};
      case 15:
        return {"PFADD", Key(), Value()};
      case 16:
        return {"BITFIELD", Key(), "INCRBY", "u8", "#1", "3", "SET", "i5", "0", "-1"};
      default:
        return {"SET", Key(), Value()};
    }
  }

  Words Several() {
    switch (Below(16)) {
      case 0:
        return {"MSETNX", Key(), Value(), Key(), Value()};
      case 1:
        return {"MGET", Key(), Key(), Key(), Key()};
      case 2:
        return {"DEL", AnyKey(), AnyKey()};
      case 3:
        return {"UNLINK", AnyKey()};
      case 4:
        return {"RENAME", AnyKey(), AnyKey()};
      case 5:
        return {"RENAMENX", AnyKey(), AnyKey()};
      case 6:
        return {"COPY", AnyKey(), AnyKey(), "REPLACE"};
      case 7:
        return {"COPY", AnyKey(), AnyKey(), "DB", std::to_string(Below(2))};
      case 8:
        return {"MOVE", AnyKey(), "1"};
      case 9:
        return {"BITOP", OneIn(2) ? "XOR" : "AND", Key(), Key(), Key()};
      case 10:
        return {"BITOP", "NOT", Key(), Key()};
      case 11:
        return {"EXISTS", AnyKey(), AnyKey(), AnyKey()};
      case 12:
        return {"PFMERGE", Key(), Key()};
      case 13:
        return {"LCS", Key(), Key(), "LEN"};
      default:
        return {"MSET", Key(), Value(), Key(), Value(), Key(), Value()};
    }
  }
};

// A client: keeps every byte it received, connection by connection.
class HistoryClient {
 public:
  HistoryClient(std::string socket_path, std::string name, uint64_t seed)
      : path_(std::move(socket_path)), name_(std::move(name)), source_(seed) {}
  ~HistoryClient() { Disconnect(); }

  struct Conversation {
    std::string tag;       // the argument of the PING it began with
    std::string received;  // without the nil of a wait that ended in vain, which the server notes nowhere
    bool complete = true;  // false: the client went away without waiting for its last reply
  };
  const std::vector<Conversation>& conversations() const { return conversations_; }

  // Anything.
  void Run(int rounds) {
    Connect();
    for (int i = 0; i < rounds && fd_ >= 0; ++i) {
      const uint64_t choice = source_.Below(100);
      if (choice < 45) {
        Pipeline();
      } else if (choice < 50) {
        Exchange(source_.Work());
      } else if (choice < 75) {
        Transaction();
      } else if (choice < 95) {
        WatchLoop();
      } else if (choice < 98) {
        Exchange({source_.World(false)});
      } else {
        Leave();
      }
    }
    Disconnect();
  }

  // One link of a ring of lists: takes what comes to its list and hands it to the next, as often as all
  // others do. There is one element: whoever misses it stops the ring.
  void MoveAlong(int link, int links, int rounds) {
    Connect();
    const std::string from = "list:" + std::to_string(link);
    const std::string to = "list:" + std::to_string((link + 1) % links);
    if (link == 0) Exchange({{"RPUSH", from, "1"}});
    for (int i = 0; i < rounds && fd_ >= 0; ++i) {
      if (source_.OneIn(3)) Exchange({{"MULTI"}, {"LLEN", from}, {"LLEN", to}, {"EXEC"}});
      if (source_.OneIn(2)) {
        TakeOne({"BLMOVE", from, to, "RIGHT", "LEFT", "0"});
      } else {
        TakeOne({"BLPOP", from, "noise:list", "0"});
        Exchange({{"RPUSH", to, "1"}});
      }
    }
    Disconnect();
  }

  // Gives one list element, one member and one entry in each round: what a client needs that takes as often.
  // Does not run ahead of who takes (`taken` rounds), so that it is the taker that waits.
  void Give(int rounds, const std::atomic<int>& taken) {
    Connect();
    MakeGroups();
    for (int i = 0; i < rounds && fd_ >= 0; ++i) {
      constexpr int kPatience = 1000;
      for (int k = 0; k < kPatience && taken < i; ++k) usleep(100);
      const std::string member = name_ + ":" + std::to_string(i);
      std::vector<Words> gifts = {{"RPUSH", "list:" + source_.Number(2), member},
                                  {"ZADD", "zset:" + source_.Number(2), source_.Number(5), member},
                                  {"XADD", "stream", "0-*", "f", member}};
      if (source_.OneIn(4)) {
        gifts.insert(gifts.begin(), {"MULTI"});
        gifts.push_back({"EXEC"});
      }
      Exchange(gifts);
      usleep(static_cast<useconds_t>(source_.Below(500)));
    }
    Disconnect();
  }
  void Take(int rounds, std::atomic<int>& taken) {
    Connect();
    MakeGroups();
    const Words pops[] = {{"BLPOP", "list:0", "list:1", "noise:list", "0"},
                          {"BRPOP", "list:1", "noise:list", "list:0", "0"},
                          {"BLMPOP", "0", "3", "list:1", "list:0", "noise:list", "LEFT"}};
    const Words minima[] = {{"BZPOPMIN", "zset:0", "zset:1", "0"},
                            {"BZMPOP", "0", "2", "zset:1", "zset:0", "MAX"}};
    const Words read = {"XREADGROUP", "GROUP",   "g",      name_,          "COUNT", "1", "BLOCK",
                        "0",          "STREAMS", "stream", "noise:stream", ">",     ">"};
    for (int i = 0; i < rounds && fd_ >= 0; ++i) {
      const Words takes[] = {pops[source_.Below(3)], minima[source_.Below(2)], read};
      const uint64_t first = source_.Below(3);
      for (uint64_t k = 0; k < 3; ++k) TakeOne(takes[(first + k) % 3]);
      ++taken;
    }
    Disconnect();
  }
  // As Run, with many commands that visit whole collections.
  void Visit(int rounds) {
    Connect();
    for (int i = 0; i < rounds && fd_ >= 0; ++i) {
      const uint64_t choice = source_.Below(100);
      if (choice < 70) {
        Exchange({source_.Visiting(), source_.Visiting()});
      } else if (choice < 85) {
        Pipeline();
      } else if (choice < 92) {
        Transaction();
      } else if (choice < 98) {
        WatchLoop();
      } else {
        Exchange({source_.World(false)});
      }
    }
    Disconnect();
  }

  // As Run, with many scripts.
  void RunScripts(int rounds) {
    Connect();
    for (int i = 0; i < rounds && fd_ >= 0; ++i) {
      const uint64_t choice = source_.Below(100);
      if (choice < 60) {
        std::vector<Words> commands;
        for (uint64_t k = 0; k <= source_.Below(5); ++k) commands.push_back(source_.Script());
        if (source_.OneIn(3)) commands.push_back(source_.Any());
        Exchange(commands);
      } else if (choice < 75) {
        Pipeline();
      } else if (choice < 85) {
        std::vector<Words> commands = {{"MULTI"}, source_.Any(), source_.Script(), source_.Any()};
        commands.push_back({"EXEC"});
        Exchange(commands);
      } else if (choice < 97) {
        WatchLoop();
      } else {
        Exchange({source_.World(false)});
      }
    }
    Disconnect();
  }

  // What `next` makes, until that is nothing. Commands that were made together are sent together.
  template <typename Next>
  void Converse(Next&& next) {
    Connect();
    while (fd_ >= 0) {
      const std::vector<Words> commands = next();
      if (commands.empty()) break;
      Exchange(commands);
    }
    Disconnect();
  }

  // Changes what the others wait for, so that there is nothing for them, or nothing of the right type.
  void Disturb(int rounds) {
    Connect();
    MakeGroups();
    for (int i = 0; i < rounds && fd_ >= 0; ++i) {
      Exchange({{"SET", "noise:list", "1"}, {"DEL", "noise:list"}});
      Exchange({{"MULTI"},
                {"XADD", "noise:stream", "0-*", "f", "v"},
                {"XTRIM", "noise:stream", "MAXLEN", "0"},
                {"EXEC"}});
    }
    Disconnect();
  }

 private:
  void MakeGroups() {
    for (const char* key : {"stream", "noise:stream"})
      Exchange({{"XGROUP", "CREATE", key, "g", "0", "MKSTREAM"}});
  }
  void TakeOne(const Words& words) {
    std::string reply;
    do {
      reply = Exchange({words});
    } while (reply.starts_with("-WRONGTYPE"));  // there is a disturber
    EXPECT_FALSE(reply.starts_with('-') || IsNil(reply)) << words[0] << ": " << reply;
  }

  void Connect() {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 60, .tv_usec = 0};  // who waits longer has been forgotten
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    ASSERT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << strerror(errno);
    conversations_.push_back({name_ + "/" + std::to_string(conversations_.size()), {}, true});
    Exchange({{"PING", conversations_.back().tag}});
    if (source_.OneIn(2)) Exchange({{"HELLO", "3"}});
  }
  void Disconnect() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // Goes away with a transaction or a watch open, or while it waits, and comes back.
  void Leave() {
    if (source_.OneIn(2)) Exchange({{"WATCH", source_.Key()}});
    if (source_.OneIn(2)) {
      Exchange({{"MULTI"}, source_.Any()});
    } else {
      conversations_.back().complete = false;
      Send({source_.Blocking()});
    }
    Disconnect();
    Connect();
  }

  void Pipeline() {
    std::vector<Words> commands;
    for (uint64_t i = 0; i <= source_.Below(6); ++i) commands.push_back(source_.Any());
    Exchange(commands);
  }

  void AppendBody(std::vector<Words>& commands) {
    for (uint64_t i = 0; i <= source_.Below(6); ++i) commands.push_back(source_.Any());
    if (source_.OneIn(12)) commands.push_back(source_.World(true));
    if (source_.OneIn(25)) commands.push_back({"GET"});  // cannot be queued: EXEC must abort
  }

  void Transaction() {
    std::vector<Words> commands = {{"MULTI"}};
    AppendBody(commands);
    if (source_.OneIn(3)) {  // in two parts, so that others come between
      Exchange(commands);
      commands.clear();
    }
    commands.push_back({source_.OneIn(10) ? "DISCARD" : "EXEC"});
    Exchange(commands);
  }

  // Reads under WATCH and writes back what it made of it.
  void WatchLoop() {
    for (int attempt = 0; attempt < 3; ++attempt) {
      const std::string key = source_.Key();
      Exchange({{"WATCH", key, source_.Key()}, {"GET", key}});
      if (source_.OneIn(5)) Exchange({{"UNWATCH"}});
      std::vector<Words> commands = {{"MULTI"}, {"SET", key, source_.Value()}};
      AppendBody(commands);
      commands.push_back({"EXEC"});
      const std::string last = Exchange(commands);
      if (last[0] == '*' && last != "*-1\r\n") return;
    }
  }

  bool Send(const std::vector<Words>& commands) {
    std::string out;
    for (const Words& words : commands) out += EncodeWords(words);
    for (size_t sent = 0; sent < out.size();) {
      const ssize_t count = send(fd_, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }

  // Sends all at once, waits for all replies, returns the last one.
  std::string Exchange(const std::vector<Words>& commands) {
    if (fd_ < 0) return "?";
    if (!Send(commands)) return Broken("send");
    std::string got;
    size_t begin = 0, end = 0;
    char buffer[16384];
    for (size_t replies = 0; replies < commands.size();) {
      const size_t next = end < got.size() ? ReplyEnd(got, end) : std::string::npos;
      if (next != std::string::npos) {
        begin = end;
        end = next;
        const std::string reply = got.substr(begin, end - begin);
        if (!IsBlocking(commands[replies++]) || !IsNil(reply)) conversations_.back().received += reply;
        continue;
      }
      const ssize_t count = read(fd_, buffer, sizeof buffer);
      if (count <= 0) return Broken("read");
      got.append(buffer, static_cast<size_t>(count));
    }
    return got.substr(begin, end - begin);
  }

  std::string Broken(const char* call) {
    ADD_FAILURE() << name_ << ": " << call << ": " << strerror(errno);
    Disconnect();
    return "?";
  }

  std::string path_;
  std::string name_;
  CommandSource source_;
  int fd_ = -1;
  std::vector<Conversation> conversations_;
};

}  // namespace cinnabar::server
