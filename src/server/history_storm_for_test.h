// The commands of the history tests in which time passes: keys and fields of hashes that expire within
// milliseconds and are set again, collections that take long to read, moves from list to list that somebody
// waits for, transactions, pauses and save points. What a command answers depends on the moment, so that only
// the journal, and not a serial replay, can say what the data set must be.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "server/history_record_for_test.h"

namespace cinnabar::server {

#if defined(__SANITIZE_THREAD__)
constexpr bool kForks = false;  // it does not bear a fork
#else
constexpr bool kForks = true;
#endif

class StormSource {
 public:
  // `name` is of the client.
  StormSource(uint64_t seed, std::string name) : random_(seed), name_(std::move(name)) {}

  // What must be there before anybody begins.
  std::vector<Words> Fill() {
    Words list[2] = {{"RPUSH", "long:0"}, {"RPUSH", "long:1"}};
    Words set[2] = {{"SADD", "set:0"}, {"SADD", "set:1"}};
    Words sorted = {"ZADD", "zset:0"};
    for (int i = 0; i < kLong; ++i) {
      for (int k = 0; k < 2; ++k) {
        list[k].push_back("e" + std::to_string(i));
        set[k].push_back("m" + std::to_string(i * (k + 1)));
      }
      sorted.insert(sorted.end(), {std::to_string(i), "m" + std::to_string(i)});
    }
    return {list[0], list[1], set[0], set[1], sorted, {"XGROUP", "CREATE", "stream", "g", "0", "MKSTREAM"}};
  }

  // A reader of what is long, which gives the others many turns; and behind it of what was served at its end.
  std::vector<Words> Read() {
    switch (Below(12)) {
      case 0:
        return {{"SORT", Long(), "ALPHA", "LIMIT", "0", "5"}};
      case 1:
        return {{"SORT", Set(), "ALPHA", "STORE", Long()}};
      case 2:
        return {{OneIn(2) ? "SUNIONSTORE" : "SINTERSTORE", "set:2", "set:0", "set:1"}};
      case 3:
        return {{"ZUNIONSTORE", "zset:1", "2", "zset:0", Set()}};
      case 4:
        return {{"MGET", Key(), Key(), Key(), Key(), Key(), Key()}};
      case 5:
        return {{"HGETALL", Hash()}};
      case 6:
        return {{"LLEN", List()}, {"GET", Key()}, {"TYPE", Key()}};
      default:
        return {{"LRANGE", Long(), "0", "-1"}, {"LLEN", List()}, {"LLEN", List()}};
    }
  }

  std::vector<Words> Write() {
    switch (Below(10)) {
      case 0:
        return Transaction();
      case 1:
        return {OfHash(), OfHash()};
      case 2:
        return {Give(), Give(), {"LLEN", List()}};
      case 3:
        return {OfMany(), {"GET", Key()}};
      case 4:
        return {Trim()};
      default:
        return {OfString(), OfString(), ForAMoment(), ForGood()};
    }
  }

  // Waits for a moment, most often for what another who waits hands on.
  std::vector<Words> Wait() {
    const std::string seconds = "0.00" + std::to_string(2 + Below(8));
    switch (Below(12)) {
      case 0:
        return {{"BLPOP", List(), List(), seconds}};
      case 1:
        return {{"BLMPOP", seconds, "2", List(), List(), "LEFT", "COUNT", "2"}};
      case 2:
        return {{"BZPOPMIN", "zset:2", "zset:3", seconds}};
      case 3:
        return {{"XREADGROUP", "GROUP", "g", "c" + Number(2), "COUNT", "2", "BLOCK", "5", "STREAMS", "stream",
                 ">"}};
      case 4:
      case 5:
        return {{"BLMOVE", List(), List(), "LEFT", "RIGHT", seconds}};
      case 6:
        return {Give(), {"LLEN", List()}, {"GET", Key()}};
      default:
        return {{"BLMOVE", List(), Long(), "LEFT", "LEFT", seconds}};
    }
  }

  // Stops the world, or the writers for a moment.
  std::vector<Words> Rule() {
    const std::string millis = std::to_string(1 + Below(6));
    switch (Below(12)) {
      case 0:
        return {{kForks ? "BGSAVE" : "SAVE"}};
      case 1:
      case 2:
        return {{"MULTI"},  OfString(), {"CLIENT", "PAUSE", millis, "WRITE"},
                OfString(), OfString(), {"EXEC"}};
      case 3:
        return {{"MULTI"}, {"DBSIZE"}, {"GET", Key()}, {"EXEC"}};
      case 4:
        return {{"SWAPDB", "0", "1"}, {"SWAPDB", "0", "1"}};
      case 5:
        return {{"CLIENT", "UNPAUSE"}};
      case 6:
        return {{"SAVE"}};
      default:
        return {{"CLIENT", "PAUSE", millis, "WRITE"}};
    }
  }

  uint64_t Below(uint64_t n) { return random_.Uniform(n); }
  bool OneIn(uint64_t n) { return random_.OneIn(n); }

 private:
  static constexpr int kLong = 120;

  std::string Number(uint64_t n) { return std::to_string(Below(n)); }
  std::string Key() { return "key:" + Number(12); }
  std::string List() { return "list:" + Number(4); }
  std::string Long() { return "long:" + Number(2); }
  std::string Set() { return "set:" + Number(3); }
  std::string Hash() { return "hash:" + Number(2); }
  std::string Field() { return "f" + Number(8); }
  std::string Value() { return "v" + Number(1000); }
  std::string Soon() { return std::to_string(1 + Below(4)); }  // in milliseconds

  // Keys of this client alone that are set twice, the second time for good: what becomes of that is seen at
  // the end.
  std::string Own(uint64_t number) const { return "own:" + name_ + ":" + std::to_string(number); }
  Words ForAMoment() { return {"SET", Own(++own_), "for a moment", "PX", "1"}; }
  Words ForGood() const {
    constexpr uint64_t kLater = 3;
    return {"SET", Own(own_ - std::min(own_, kLater)), "for good"};
  }

  Words OfString() {
    switch (Below(16)) {
      case 0:
        return {"SET", Key(), Value(), "KEEPTTL"};
      case 1:
        return {"SET", Key(), Value(), OneIn(2) ? "NX" : "GET"};
      case 2:
        return {"APPEND", Key(), "x"};
      case 3:
        return {"INCR", "counter:" + Number(3)};
      case 4:
        return {"SET", "counter:" + Number(3), "1", "PX", Soon()};
      case 5:
        return {"PEXPIRE", Key(), Soon()};
      case 6:
        return {OneIn(2) ? "PERSIST" : "GETDEL", Key()};
      case 7:
        return {"GETEX", Key(), "PX", Soon()};
      case 8:
        return {"SETRANGE", Key(), "2", "y"};
      case 9:
        return {"SET", Key(), Value()};
      default:
        return {"SET", Key(), Value(), "PX", Soon()};
    }
  }

  Words OfHash() {
    switch (Below(6)) {
      case 0:
        return {"HDEL", Hash(), Field()};
      case 1:
      case 2:
        return {"HPEXPIRE", Hash(), Soon(), "FIELDS", "2", Field(), Field()};
      case 3:
        return {"HINCRBY", Hash(), "n", "1"};
      default:
        return {"HSET", Hash(), Field(), Value(), Field(), Value()};
    }
  }

  // What somebody may wait for.
  Words Give() {
    switch (Below(8)) {
      case 0:
        return {"ZADD", "zset:" + std::to_string(2 + Below(2)), Number(10), Value()};
      case 1:
        return {"XADD", "stream", "MAXLEN", "20", "*", "f", Value()};
      case 2:
        return {"PEXPIRE", List(), Soon()};
      case 3:
        return OneIn(2) ? Words{"SET", List(), "no list", "PX", Soon()} : Words{"DEL", List()};
      default:
        return {"RPUSH", List(), Value()};
    }
  }

  Words OfMany() {
    switch (Below(8)) {
      case 0:
        return {"COPY", Key(), Key(), "REPLACE"};
      case 1:
        return {"MSETNX", Key(), Value(), Key(), Value()};
      case 2:
        return {"DEL", Key(), Key()};
      case 3:
        return {"BITOP", "OR", Key(), Key(), Key()};
      case 4:
        return {OneIn(2) ? "RENAMENX" : "RENAME", Key(), Key()};
      case 5:
        return {OneIn(2) ? "SADD" : "SREM", Set(), Value(), "m" + Number(kLong)};
      case 6:
        return {"XACK", "stream", "g", "0-1"};
      default:
        return {"MSET", Key(), Value(), Key(), Value()};
    }
  }

  // So that what is long stays about as long.
  Words Trim() { return {"LTRIM", Long(), "0", std::to_string(kLong)}; }

  std::vector<Words> Transaction() {
    const std::string key = Key();
    std::vector<Words> commands = {{"MULTI"}, OfString(), OfString(), Give(), {"GET", Key()}, {"EXEC"}};
    if (OneIn(2)) commands.insert(commands.begin(), {{"WATCH", key, Key()}, {"GET", key}});
    return commands;
  }

  Random random_;
  std::string name_;
  uint64_t own_ = 0;  // how many there were
};

}  // namespace cinnabar::server
