// What stream commands write to the journal: a replay of it gives the same streams, groups and pending
// entries, although ids, rough trims and deliveries depend on the moment.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/random.h"
#include "server/history_engine_for_test.h"

namespace cinnabar::server {
namespace {

class StreamCommands {
 public:
  explicit StreamCommands(uint64_t seed) : random_(seed) {}

  Words Any() {
    switch (Below(20)) {
      case 0:
        return {"XDEL", Key(), Id(), Id()};
      case 1:
        return Trim({"XTRIM", Key()});
      case 2:
        return {"XGROUP", "CREATE", Key(), Group(), "0", "MKSTREAM"};
      case 3:
        return {"XGROUP", "SETID", Key(), Group(), Below(2) == 0 ? "$" : Id()};
      case 4:
        return Below(4) == 0 ? Words{"XGROUP", "DESTROY", Key(), Group()}
                             : Words{"XGROUP", "DELCONSUMER", Key(), Group(), Consumer()};
      case 5:
        return {"XGROUP", "CREATECONSUMER", Key(), Group(), Consumer()};
      case 6:
      case 7:
        return {"XACK", Key(), Group(), Id(), Id(), Id()};
      case 8:
        return {"XCLAIM", Key(), Group(), Consumer(), "0", Id(), Id(), "FORCE", "LASTID", Id()};
      case 9:
        return {"XAUTOCLAIM", Key(), Group(), Consumer(), "0", Id(), "COUNT", "3", "JUSTID"};
      case 10:
        return {"XSETID", Key(), std::to_string(++millis_) + "-0", "MAXDELETEDID", Id()};
      case 11:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "NOACK", "COUNT", "2", "STREAMS", Key(), ">"};
      case 12:
      case 13:
      case 14:
        return {"XREADGROUP", "GROUP", Group(), Consumer(), "COUNT", "5", "STREAMS", Key(), Key(), ">", ">"};
      case 15:
        return Below(30) == 0 ? Words{"DEL", Key()} : Add(Trim({"XADD", Key()}));
      default:
        return Add({"XADD", Key()});
    }
  }

 private:
  uint64_t Below(uint64_t n) { return random_.Uniform(n); }
  std::string Key() { return "s" + std::to_string(Below(2)); }
  std::string Group() { return "g" + std::to_string(Below(2)); }
  std::string Consumer() { return "c" + std::to_string(Below(3)); }
  std::string Id() {
    return std::to_string(millis_ - Below(std::min<uint64_t>(millis_, 60))) + "-" + std::to_string(Below(3));
  }
  Words Add(Words words) {
    millis_ += Below(2);
    words.push_back(std::to_string(millis_) + "-*");
    words.insert(words.end(), {"field", std::to_string(Below(1000))});
    return words;
  }
  Words Trim(Words words) {
    const bool by_length = Below(2) == 0;
    words.push_back(by_length ? "MAXLEN" : "MINID");
    words.push_back(Below(2) == 0 ? "~" : "=");
    words.push_back(by_length ? std::to_string(Below(300)) : Id());
    return words;
  }

  Random random_;
  uint64_t millis_ = 1;
};

// All that is known of the streams but times and the number of nodes.
std::string Everything(Engine& engine) {
  std::string all;
  for (const std::string key : {"s0", "s1"}) {
    const std::string facts = engine.Run(99, {"XINFO", "STREAM", key});
    const size_t behind_nodes = facts.find("last-generated-id");
    if (behind_nodes != std::string::npos) all += facts.substr(behind_nodes);
    all += engine.Run(99, {"XRANGE", key, "-", "+"}) + engine.Run(99, {"XINFO", "GROUPS", key});
    for (const std::string group : {"g0", "g1"}) {
      all += engine.Run(99, {"XPENDING", key, group});
      for (const std::string consumer : {"c0", "c1", "c2"})
        all += engine.Run(99, {"XREADGROUP", "GROUP", group, consumer, "STREAMS", key, "0"});
    }
  }
  return all;
}

TEST(StreamJournal, ReplayGivesTheSameStreams) {
  for (int run = 0; run < 10; ++run) {
    const uint64_t seed = std::random_device()();
    SCOPED_TRACE("seed " + std::to_string(seed));
    StreamCommands commands(seed);
    HistoryRecorder recorder;
    std::string bytes;
    std::string expected;
    {
      Engine engine(&recorder);
      engine.Run(1, {"CONFIG", "SET", "stream-node-max-entries", "7"});
      for (int step = 0; step < 3000; ++step) engine.Run(1, commands.Any());
      bytes = recorder.journal();  // before looking, which counts as reading
      expected = Everything(engine);
    }
    ASSERT_NE(expected.find("recorded-first-entry-id"), std::string::npos);
    const std::vector<Words> journal = JournalCommands(bytes);
    ASSERT_GT(journal.size(), 1000u);
    Engine copy;
    copy.Run(1, {"CONFIG", "SET", "stream-node-max-entries", "50"});
    for (const Words& words : journal) {
      const std::string reply = copy.Run(1, words);
      ASSERT_FALSE(reply.starts_with('-'))
          << "the journal's " << words[0] << " " << words[1] << " answers " << reply;
    }
    ASSERT_EQ(Everything(copy), expected);
  }
}

}  // namespace
}  // namespace cinnabar::server
