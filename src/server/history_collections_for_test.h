// The commands of the parallel-history test on lists, hashes, sets, sorted sets and streams, and those that
// wait. Everything is deterministic for the server, the order of replies included: no random member, no time,
// nothing whose order depends on a hash seed.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "server/history_record_for_test.h"

namespace cinnabar::server {

class CollectionSource {
 public:
  explicit CollectionSource(uint64_t seed) : random_(seed) {}

  Random& random() { return random_; }
  uint64_t Below(uint64_t n) { return random_.Uniform(n); }
  bool OneIn(uint64_t n) { return random_.OneIn(n); }
  std::string Number(uint64_t n) { return std::to_string(Below(n)); }

  // A key that most often holds the type it is named after.
  std::string KeyOf(std::string_view type) {
    static constexpr std::string_view kTypes[] = {"key", "list", "hash", "set", "zset", "stream"};
    if (OneIn(24)) type = kTypes[Below(std::size(kTypes))];
    return std::string(type) + ":" + Number(type == "key" ? 6 : 3);
  }
  std::string AnyKey() {
    static constexpr std::string_view kTypes[] = {"key", "key", "list", "hash", "set", "zset", "stream"};
    return KeyOf(kTypes[Below(std::size(kTypes))]);
  }
  std::string Value() {
    switch (Below(8)) {
      case 0:
        return std::string(1 + Below(2000), static_cast<char>('a' + Below(26)));
      case 1:
        return std::string("\0\xff\r\n", 4);
      case 2:
      case 3:
        return "v" + Number(1000);
      default:
        return Number(100);
    }
  }

  Words OfCollection() {
    switch (Below(8)) {
      case 0:
      case 1:
        return OneIn(2) ? ListWrite() : ListTake();
      case 2:
        return OfHash();
      case 3:
        return OfSet();
      case 4:
        return OneIn(2) ? SortedSetWrite() : SortedSetRead();
      case 5:
      case 6:
        return StreamWrite();
      default:
        return OfGroup();
    }
  }

  // Visits all elements, and may give others a turn between two of them.
  Words Visiting() {
    switch (Below(12)) {
      case 0:
        return {"SUNIONSTORE", Set(), Set(), Set()};
      case 1:
        return {OneIn(2) ? "SINTERSTORE" : "SDIFFSTORE", Set(), Set(), Set()};
      case 2:
        return {"SINTERCARD", "2", Set(), Set()};
      case 3:
        return {"ZUNIONSTORE", Sorted(), "2", Sorted(), OneIn(2) ? Set() : Sorted()};
      case 4:
        return {OneIn(2) ? "ZINTERSTORE" : "ZDIFFSTORE", Sorted(), "2", Sorted(), Sorted()};
      case 5:
        return {"ZRANGESTORE", Sorted(), Sorted(), "0", "-1"};
      case 6:
        return {"ZRANGE", Sorted(), "0", "-1", "WITHSCORES"};
      case 7:
        return {"ZREMRANGEBYRANK", Sorted(), "2", "-2"};
      case 8:
        return {"SORT", OneIn(2) ? Set() : List(), "ALPHA", "STORE", List()};
      case 9:
        return {OneIn(2) ? "XRANGE" : "XREVRANGE", Stream(), OneIn(2) ? "-" : "+", OneIn(2) ? "-" : "+"};
      default:
        return {"LRANGE", List(), "0", "-1"};
    }
  }

  // Waits for a moment, outside of MULTI.
  Words Blocking() {
    const std::string seconds = "0.0" + std::to_string(5 + 5 * Below(4));
    const std::string millis = std::to_string(5 + Below(15));
    switch (Below(12)) {
      case 0:
        return {"BLPOP", List(), List(), seconds};
      case 1:
        return {"BRPOP", List(), seconds};
      case 2:
        return {"BLMPOP", seconds, "2", List(), List(), End(), "COUNT", "2"};
      case 3:
      case 4:
      case 5:
        return {"BLMOVE", List(), List(), End(), End(), seconds};
      case 6:
        return {"BRPOPLPUSH", List(), List(), seconds};
      case 7:
        return {OneIn(2) ? "BZPOPMIN" : "BZPOPMAX", Sorted(), Sorted(), seconds};
      case 8:
        return {"BZMPOP", seconds, "2", Sorted(), Sorted(), "MAX", "COUNT", "2"};
      case 9:
        return {"XREAD", "COUNT", "3", "BLOCK", millis, "STREAMS", Stream(), Stream(), LastId(), LastId()};
      default:
        return {"XREADGROUP", "GROUP", Group(),   Consumer(), "COUNT", "2",
                "BLOCK",      millis,  "STREAMS", Stream(),   ">"};
    }
  }

  // What a worker does: makes sure of its group, waits for work and says that it is done.
  std::vector<Words> Work() {
    const std::string stream = Stream(), group = Group(), millis = std::to_string(5 + Below(15));
    return {{"XGROUP", "CREATE", stream, group, "$", "MKSTREAM"},
            {"XREADGROUP", "GROUP", group, Consumer(), "COUNT", "2", "BLOCK", millis, "STREAMS", stream, ">"},
            {"XACK", stream, group, RecentId(), RecentId(), RecentId()}};
  }

 private:
  std::string List() { return KeyOf("list"); }
  std::string Hash() { return KeyOf("hash"); }
  std::string Set() { return KeyOf("set"); }
  std::string Sorted() { return KeyOf("zset"); }
  std::string Stream() { return KeyOf("stream"); }
  std::string End() { return OneIn(2) ? "LEFT" : "RIGHT"; }
  std::string Field() { return "f" + Number(12); }
  std::string Score() { return OneIn(4) ? Number(20) + ".5" : Number(20); }
  std::string Group() { return "g" + Number(2); }
  std::string Consumer() { return "c" + Number(3); }
  // Ids go up as the client's commands do, so that clients overtake each other.
  std::string NextId() {
    const std::string millis = std::to_string(++stream_time_ / 4);
    return millis + (OneIn(3) ? "-" + Number(3) : "-*");
  }
  std::string RecentId() { return std::to_string(stream_time_ / 4 - Below(8)) + "-" + Number(3); }

  Words ListWrite() {
    switch (Below(10)) {
      case 0:
        return {"LPUSH", List(), Value(), Value()};
      case 1:
        return {"LINSERT", List(), OneIn(2) ? "BEFORE" : "AFTER", Number(100), Value()};
      case 2:
        return {"LSET", List(), "-2", Value()};
      case 3:
        return {"RPUSHX", List(), Value()};
      case 4:
        return {"LMOVE", List(), List(), End(), End()};
      case 5:
        return {"SORT", AnyKey(), "ALPHA", "STORE", OneIn(2) ? List() : AnyKey()};
      case 6:
        return {"SORT", OneIn(2) ? Set() : List(), "LIMIT", "0", "3", "STORE", List()};
      default:
        return {OneIn(2) ? "RPUSH" : "LPUSH", List(), Value()};
    }
  }

  Words ListTake() {
    switch (Below(12)) {
      case 0:
        return {"LRANGE", List(), "-4", "-1"};
      case 1:
        return {"LLEN", List()};
      case 2:
        return {"LINDEX", List(), "1"};
      case 3:
        return {"LREM", List(), "0", Number(100)};
      case 4:
        return {"LTRIM", List(), Number(2), "6"};
      case 5:
        return {"LMPOP", "2", List(), List(), End(), "COUNT", "3"};
      case 6:
        return {"RPOPLPUSH", List(), List()};
      case 7:
        return {"LPOS", List(), Number(100)};
      case 8:
        return {"DEL", List()};
      default:
        return {OneIn(2) ? "LPOP" : "RPOP", List(), std::to_string(1 + Below(4))};
    }
  }

  Words OfHash() {
    switch (Below(11)) {
      case 0:
        return {"HSETNX", Hash(), Field(), Value()};
      case 1:
        return {"HDEL", Hash(), Field(), Field(), Field()};
      case 2:
        return {"HINCRBY", Hash(), Field(), Number(9)};
      case 3:
        return {"HINCRBYFLOAT", Hash(), Field(), "0.5"};
      case 4:
        return {"HMGET", Hash(), Field(), Field(), Field()};
      case 5:
        return {"HLEN", Hash()};
      case 6:
        return {"HSTRLEN", Hash(), Field()};
      case 7:
        return {"HPEXPIREAT", Hash(), "999999999999" + Number(10), "FIELDS", "1", Field()};
      case 8:
        return {"HPERSIST", Hash(), "FIELDS", "2", Field(), Field()};
      default:
        return {"HSET", Hash(), Field(), Value(), Field(), Value()};
    }
  }

  Words OfSet() {
    switch (Below(11)) {
      case 0:
        return {"SREM", Set(), Value(), Value(), Value()};
      case 1:
        return {"SMOVE", Set(), Set(), Number(100)};
      case 2:
        return {"SINTERSTORE", Set(), Set(), Set()};
      case 3:
        return {"SUNIONSTORE", Set(), Set(), Set()};
      case 4:
        return {"SDIFFSTORE", Set(), Set(), Set()};
      case 5:
        return {"SMISMEMBER", Set(), Value(), Value()};
      case 6:
        return {"SINTERCARD", "2", Set(), Set()};
      case 7:
        return {"SCARD", Set()};
      default:
        return {"SADD", Set(), Value(), Value(), Value()};
    }
  }

  Words SortedSetWrite() {
    static constexpr const char* kConditions[] = {"NX", "XX", "GT", "LT", "CH"};
    switch (Below(9)) {
      case 0:
        return {"ZADD", Sorted(), kConditions[Below(5)], Score(), Number(30), Score(), Number(30)};
      case 1:
        return {"ZADD", Sorted(), kConditions[Below(4)], "INCR", Score(), Number(30)};
      case 2:
        return {"ZINCRBY", Sorted(), Score(), Number(30)};
      case 3:
        return {"ZRANGESTORE", Sorted(), Sorted(), "0", Number(8)};
      case 4:
        return {"ZUNIONSTORE", Sorted(), "2", Sorted(), OneIn(3) ? Set() : Sorted(), "WEIGHTS", "1", "2"};
      case 5:
        return {"ZINTERSTORE", Sorted(), "2", Sorted(), Sorted(), "AGGREGATE", "MAX"};
      case 6:
        return {"ZDIFFSTORE", Sorted(), "2", Sorted(), Sorted()};
      default:
        return {"ZADD", Sorted(), Score(), Number(30), Score(), Value()};
    }
  }

  Words SortedSetRead() {
    switch (Below(9)) {
      case 0:
        return {"ZRANGE", Sorted(), "0", "7", "WITHSCORES"};
      case 1:
        return {"ZRANGE", Sorted(), "12", "3", "BYSCORE", "REV", "LIMIT", "0", "5"};
      case 2:
        return {"ZSCORE", Sorted(), Number(30)};
      case 3:
        return {"ZRANK", Sorted(), Number(30)};
      case 4:
        return {"ZREM", Sorted(), Number(30), Number(30)};
      case 5:
        return {"ZREMRANGEBYRANK", Sorted(), Number(3), "5"};
      case 6:
        return {"ZMPOP", "2", Sorted(), Sorted(), "MIN", "COUNT", "3"};
      case 7:
        return {"DEL", Sorted()};
      default:
        return {OneIn(2) ? "ZPOPMIN" : "ZPOPMAX", Sorted(), std::to_string(1 + Below(6))};
    }
  }

  Words StreamWrite() {
    switch (Below(12)) {
      case 0:
        return {"XADD", Stream(), "MAXLEN", "12", NextId(), "f", Value()};
      case 1:
        return {"XADD", Stream(), "NOMKSTREAM", NextId(), "f", Value(), "g", Value()};
      case 2:
        return {"XTRIM", Stream(), "MAXLEN", Number(10)};
      case 3:
        return {"XTRIM", Stream(), "MINID", RecentId()};
      case 4:
        return {"XDEL", Stream(), RecentId(), RecentId(), RecentId()};
      case 5:
        return {"XLEN", Stream()};
      case 6:
        return {"XRANGE", Stream(), RecentId(), "+", "COUNT", "4"};
      case 7:
        return {"XREVRANGE", Stream(), "+", "-", "COUNT", "2"};
      case 8:
        return {"XREAD", "COUNT", "2", "STREAMS", Stream(), Stream(), RecentId(), RecentId()};
      default:
        return {"XADD", Stream(), NextId(), "f", Value()};
    }
  }

  Words OfGroup() {
    switch (Below(15)) {
      case 0:
      case 1:
        return {"XGROUP", "CREATE", Stream(), Group(), OneIn(2) ? "0" : "$", "MKSTREAM"};
      case 2:
        return OneIn(4) ? Words{"XGROUP", "DESTROY", Stream(), Group()}
                        : Words{"XGROUP", "DELCONSUMER", Stream(), Group(), Consumer()};
      case 3:
        return {"XGROUP", "SETID", Stream(), Group(), RecentId()};
      case 4:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "STREAMS", Stream(), Stream(), ">", "0"};
      case 5:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "NOACK", "STREAMS", Stream(), ">"};
      case 6:
        return {"XCLAIM", Stream(), Group(), Consumer(), "0", RecentId(), RecentId()};
      case 7:
        return {"XAUTOCLAIM", Stream(), Group(), Consumer(), "0", "0", "COUNT", "3"};
      case 8:
        return {"XPENDING", Stream(), Group()};
      case 9:
      case 10:
      case 11:
        return {"XACK", Stream(), Group(), RecentId(), RecentId(), RecentId()};
      default:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "COUNT", "3", "STREAMS", Stream(), ">"};
    }
  }

  // Of the entry that comes next, or near it: a read after it waits.
  std::string LastId() { return std::to_string(stream_time_ / 4) + "-0"; }

  Random random_;
  uint64_t stream_time_ = 100;
};

// Whether the command waits when it finds nothing.
inline bool IsBlocking(const Words& words) {
  static constexpr std::string_view kNames[] = {"BLPOP",      "BRPOP",    "BLMPOP",   "BLMOVE",
                                                "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX", "BZMPOP"};
  if (words[0] == "XREAD" || words[0] == "XREADGROUP") {
    return std::find(words.begin(), words.end(), "BLOCK") != words.end();
  }
  return std::find(std::begin(kNames), std::end(kNames), words[0]) != std::end(kNames);
}

inline bool IsNil(std::string_view reply) {
  return reply == "*-1\r\n" || reply == "$-1\r\n" || reply == "_\r\n";
}

// A command that was served later was served with one key, the only one whose shard was held: another key of
// it may have come at the same time. Gives the command with that key alone, which the reply names.
inline Words AsServed(const Words& argv, std::string_view reply) {
  const auto bulk = [](std::string_view element) {
    const size_t body = element.find("\r\n") + 2;
    return std::string(element.substr(body, element.size() - body - 2));
  };
  const std::string& name = argv[0];
  if (reply[0] == '-' || name == "BLMOVE" || name == "BRPOPLPUSH") return argv;
  if (name == "BLPOP" || name == "BRPOP" || name == "BZPOPMIN" || name == "BZPOPMAX") {
    return {name, bulk(ReplyElements(reply)[0]), argv.back()};
  }
  if (name == "BLMPOP" || name == "BZMPOP") {
    Words words = {name, argv[1], "1", bulk(ReplyElements(reply)[0])};
    words.insert(words.end(), argv.begin() + 3 + std::stol(argv[2]), argv.end());
    return words;
  }
  // XREAD and XREADGROUP: one stream, as an array [[key, entries]] or as a map {key: entries}.
  const std::string_view first = reply.substr(reply.find("\r\n") + 2);
  const std::string key =
      bulk(first[0] == '*' ? ReplyElements(first)[0] : first.substr(0, ReplyEnd(first, 0)));
  const auto keys = std::find(argv.begin(), argv.end(), "STREAMS") + 1;
  const auto ids = keys + (argv.end() - keys) / 2;
  Words words(argv.begin(), keys);
  words.push_back(key);
  // The same stream may be named twice: the wait keeps the first id.
  words.push_back(ids[std::find(keys, ids, key) - keys]);
  return words;
}

}  // namespace cinnabar::server
